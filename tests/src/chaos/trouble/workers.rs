//! What happens to workers, their disks, and the processes that train.

use domain::WorkerId;
use rustix::process::Signal;
use tokio::sync::watch;

use super::jobs_ended;
use crate::{
    Process,
    chaos::{
        load::Load,
        look::Look,
        orders::{OF_THE_TINY_DISK, TINY_DISK_POOL},
        report::Tally,
        schedule::{Step, WorkerTrouble},
        world::{tiny_disk, worker_name},
    },
    ground::{Ground, WorkerSettings},
    kill, wait_until,
};

pub struct Workers<'a> {
    pub ground: &'a Ground,
    pub look: &'a Look,
    pub workers: &'a mut [Process],
    pub load: &'a Load<'a>,
    pub tally: &'a Tally,
    pub ended: watch::Receiver<u64>,
}

impl Workers<'_> {
    pub async fn follow(&mut self, steps: &[Step<WorkerTrouble>]) {
        for step in steps {
            jobs_ended(&mut self.ended, step.after).await;
            self.meet(step.trouble, step.whom).await;
        }
    }

    async fn meet(&mut self, trouble: WorkerTrouble, whom: usize) {
        match trouble {
            WorkerTrouble::Kill => self.kill(whom).await,
            WorkerTrouble::Lose => self.lose(whom).await,
            WorkerTrouble::Stall => self.stall(whom).await,
            WorkerTrouble::Drain => self.drain(whom).await,
            WorkerTrouble::KillChild => self.kill_child(whom).await,
            WorkerTrouble::FillDisk => self.fill_disk(whom).await,
        }
    }

    async fn kill(&mut self, whom: usize) {
        let before = self.up(whom).await;
        self.workers[whom].start_again();
        self.another(whom, before).await;
        self.tally.add("workers killed", 1);
    }

    async fn lose(&mut self, whom: usize) {
        let before = self.up(whom).await;
        self.workers[whom].kill();
        self.given_up(whom).await;
        self.workers[whom].start_again();
        self.another(whom, before).await;
        self.tally.add("workers killed, and back after their lease", 1);
    }

    /// What trains goes on meanwhile, and may be done; the worker wants to report it afterwards.
    async fn stall(&mut self, whom: usize) {
        let before = self.up(whom).await;
        self.workers[whom].pause();
        self.given_up(whom).await;
        self.workers[whom].go_on();
        self.another(whom, before).await;
        self.tally.add("workers paused past their lease", 1);
    }

    async fn drain(&mut self, whom: usize) {
        let before = self.up(whom).await;
        self.workers[whom].stop().await;
        self.workers[whom].start_again();
        self.another(whom, before).await;
        self.tally.add("workers asked to leave", 1);
    }

    /// Of this worker's if it trains, else of any.
    async fn kill_child(&mut self, whom: usize) {
        let (workers, look) = (&self.workers, self.look);
        let child = wait_until("a process that trains", async || {
            let own = workers[whom].children().into_iter();
            match own.chain(workers.iter().flat_map(Process::children)).next() {
                Some(child) => Some(Some(child)),
                // there may be nothing left to train
                None => look.progress().await.filter(|(all, ended)| all == ended).map(|_| None),
            }
        })
        .await;
        if let Some(child) = child {
            kill(child, Signal::KILL);
            self.tally.add("processes that train killed", 1);
        }
    }

    /// A job goes to a worker without room for it, and then to one that has some.
    async fn fill_disk(&mut self, pages: usize) {
        let name = TINY_DISK_POOL;
        let Some(launcher) = tiny_disk(&self.ground.scratch(name), 1 + pages % 2) else {
            let why = "SKIPPED: full disks; this user may mount no file system";
            self.tally.add(why, 1);
            return;
        };
        let worker = |launcher: &[String]| {
            let settings = WorkerSettings { name, cpu_milli: 2_000, pool: name, launcher };
            self.ground.start_worker(&settings)
        };
        let before = self.disk_full().await;
        let mut full = worker(&launcher);
        let Some(job) = self.load.submit_to_the_tiny_disk().await else { return };
        wait_until("a full disk", async || self.look.disk_full().await.filter(|n| *n > before))
            .await;
        full.kill();
        let mut roomy = worker(&[]);
        wait_until("the job's end, where there is room", async || {
            self.load.has_ended(OF_THE_TINY_DISK, job).await.filter(|ended| *ended)
        })
        .await;
        roomy.stop().await;
        self.tally.add("disks full", 1);
    }

    async fn disk_full(&self) -> u64 {
        wait_until("the database", async || self.look.disk_full().await).await
    }

    async fn up(&self, whom: usize) -> WorkerId {
        let name = worker_name(whom);
        wait_until("the worker", async || self.look.worker(&name).await.flatten()).await
    }

    /// The scheduler counts on it no more.
    async fn given_up(&self, whom: usize) {
        let name = worker_name(whom);
        wait_until("the end of the worker's lease", async || {
            self.look.worker(&name).await?.is_none().then_some(())
        })
        .await;
    }

    /// Another is up under the same name.
    async fn another(&self, whom: usize, before: WorkerId) {
        let name = worker_name(whom);
        wait_until("the worker anew", async || {
            self.look.worker(&name).await.flatten().filter(|id| *id != before)
        })
        .await;
    }
}

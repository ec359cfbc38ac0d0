//! What happens to the two schedulers, who both want to lead.

use tokio::sync::watch;
use uuid::Uuid;

use super::jobs_ended;
use crate::{
    Process,
    chaos::{
        look::Look,
        report::Tally,
        schedule::{SchedulerTrouble, Step},
    },
    wait_until,
};

pub struct Schedulers<'a> {
    pub look: &'a Look,
    pub schedulers: &'a mut [Process; 2],
    pub tally: &'a Tally,
    pub ended: watch::Receiver<u64>,
}

/// Who leads: which of the two, by the name that it goes by in the database.
#[derive(Clone, Copy)]
struct Leader {
    which: usize,
    holder: Uuid,
}

impl Schedulers<'_> {
    pub async fn follow(&mut self, steps: &[Step<SchedulerTrouble>]) {
        for step in steps {
            jobs_ended(&mut self.ended, step.after).await;
            match step.trouble {
                SchedulerTrouble::KillLeader => self.kill_leader().await,
                SchedulerTrouble::KillFollower => self.kill_follower().await,
                SchedulerTrouble::PauseLeader => self.pause_leader().await,
                SchedulerTrouble::Fight => self.fight().await,
            }
        }
    }

    async fn kill_leader(&mut self) {
        let leader = self.leader().await;
        self.schedulers[leader.which].start_again();
        self.another_than(leader).await;
        self.tally.add("leading schedulers killed", 1);
    }

    async fn kill_follower(&mut self) {
        let leader = self.leader().await;
        self.schedulers[1 - leader.which].start_again();
        self.tally.add("other schedulers killed", 1);
    }

    async fn pause_leader(&mut self) {
        let leader = self.leader().await;
        self.schedulers[leader.which].pause();
        self.another_than(leader).await;
        self.schedulers[leader.which].go_on();
        self.tally.add("leaders paused past their lease", 1);
    }

    async fn fight(&mut self) {
        let first = self.leader().await;
        self.schedulers[first.which].pause();
        let second = self.another_than(first).await;
        // the first wakes, and believes for a moment that it leads
        self.schedulers[second.which].pause();
        self.schedulers[first.which].go_on();
        self.another_than(second).await;
        self.schedulers[second.which].go_on();
        self.tally.add("fights for the lead", 1);
    }

    async fn leader(&self) -> Leader {
        wait_until("a leader", async || self.known_leader().await).await
    }

    async fn another_than(&self, before: Leader) -> Leader {
        let is_another = |leader: &Leader| leader.holder != before.holder;
        wait_until("another leader", async || self.known_leader().await.filter(is_another)).await
    }

    /// If it is a process that runs now: it has logged under which name it leads.
    async fn known_leader(&self) -> Option<Leader> {
        let (holder, _term) = self.look.leader().await?;
        let name = holder.to_string();
        let which = self.schedulers.iter().position(|it| it.logged().contains(&name))?;
        Some(Leader { which, holder })
    }
}

//! What happens to the gateway, to Postgres and to Redis.

use std::time::Duration;

use rustix::process::Signal;
use testkit::Redis;
use tokio::{sync::watch, time::timeout};

use super::jobs_ended;
use crate::{
    Client, Process,
    chaos::{
        report::Tally,
        schedule::{BackingTrouble, Step},
    },
    descendants,
    ground::{Ground, ready, start_gateway_again},
    kill, wait_until,
};

/// At the most.
const AWAY_FOR: Duration = Duration::from_secs(3);

pub struct Backing<'a> {
    pub ground: &'a Ground,
    pub operator: &'a Client,
    pub gateway: &'a mut Process,
    pub redis: &'a mut Redis,
    pub tally: &'a Tally,
    pub ended: watch::Receiver<u64>,
}

impl Backing<'_> {
    pub async fn follow(&mut self, steps: &[Step<BackingTrouble>]) {
        for step in steps {
            jobs_ended(&mut self.ended, step.after).await;
            match step.trouble {
                BackingTrouble::KillGateway => self.kill_gateway().await,
                BackingTrouble::KillPostgres => self.kill_postgres().await,
                BackingTrouble::StopPostgres => self.stop_postgres().await,
                BackingTrouble::KillRedis => self.kill_redis().await,
                BackingTrouble::FlushRedis => self.flush_redis(),
            }
        }
    }

    async fn kill_gateway(&mut self) {
        self.gateway.kill();
        start_gateway_again(self.gateway, self.operator).await;
        self.tally.add("gateways killed", 1);
    }

    async fn kill_postgres(&mut self) {
        let before = self.postgres().await;
        kill(before, Signal::KILL);
        wait_until("another Postgres", async || {
            self.ground.postgres.pid().filter(|pid| *pid != before)
        })
        .await;
        ready(self.operator).await;
        self.tally.add("Postgres killed", 1);
    }

    /// Nobody is told: whoever asks waits, until patience ends.
    async fn stop_postgres(&mut self) {
        let stopped = Stopped::with_all_its_own(self.postgres().await);
        wait_until("the gateway saying that its database is away", async || {
            self.operator.try_get("/readyz").await.is_none().then_some(())
        })
        .await;
        drop(stopped);
        ready(self.operator).await;
        self.tally.add("Postgres stopped until it counted as away", 1);
    }

    async fn kill_redis(&mut self) {
        self.redis.kill();
        // without it the platform goes on: another job ends, unless none is left to
        self.ended.mark_unchanged();
        let _none_left = timeout(AWAY_FOR, self.ended.changed()).await;
        self.redis.start_again().unwrap();
        self.tally.add("Redis killed, and away for a while", 1);
    }

    fn flush_redis(&self) {
        self.redis.flush().unwrap();
        self.tally.add("Redis flushed, its listeners cut off", 1);
    }

    async fn postgres(&self) -> u32 {
        wait_until("a Postgres", async || self.ground.postgres.pid()).await
    }
}

/// Processes that stand still for as long as this is there: one that is stopped cannot be ended.
struct Stopped(Vec<u32>);

impl Stopped {
    /// The server first, which would start others.
    fn with_all_its_own(server: u32) -> Self {
        kill(server, Signal::STOP);
        let mut stopped = descendants(server);
        stopped.iter().for_each(|process| kill(*process, Signal::STOP));
        stopped.push(server);
        Self(stopped)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.iter().for_each(|process| kill(*process, Signal::CONT));
    }
}

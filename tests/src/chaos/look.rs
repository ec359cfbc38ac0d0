//! What the database says while things are done to the platform; `None` while it does not answer.

use domain::WorkerId;
use store::{
    Store, SystemTx,
    invariants::{self, Counts},
    leader, workers,
};
use uuid::Uuid;

const CONNECTIONS: u32 = 4;
/// Under which name schedulers lead.
const LEADER: &str = "scheduler";

pub struct Look {
    pub store: Store,
}

impl Look {
    pub fn at(owner_url: &str) -> Self {
        Self { store: Store::connect_as_owner(owner_url, CONNECTIONS).unwrap() }
    }

    async fn begin(&self) -> Option<SystemTx<'static>> {
        self.store.begin().await.ok()
    }

    /// How many trainings there are, and how many of them have ended.
    pub async fn progress(&self) -> Option<(u64, u64)> {
        invariants::progress(&mut self.begin().await?).await.ok()
    }

    /// Who leads, and in which term.
    pub async fn leader(&self) -> Option<(Uuid, i64)> {
        leader::holder(&mut self.begin().await?, LEADER).await.ok()?
    }

    /// The worker of this name that is not gone, if there is one.
    pub async fn worker(&self, name: &str) -> Option<Option<WorkerId>> {
        let mut tx = self.begin().await?;
        let all = workers::list(&mut tx, None, workers::MOST).await.ok()?.items;
        let found = all.into_iter().find(|worker| worker.name == name && worker.state != "gone");
        Some(found.map(|worker| worker.id))
    }

    /// Attempts that ended because a disk was full.
    pub async fn disk_full(&self) -> Option<u64> {
        let Counts { attempts, .. } = invariants::counts(&mut self.begin().await?).await.ok()?;
        let full = attempts.iter().filter(|(_, code, _)| code.as_deref() == Some("disk_full"));
        Some(full.map(|(.., count)| count).sum())
    }
}

//! A replica's row in Postgres: there before it is asked anything, and renewed every second. First of all when it is to
//! end, the row says that it leaves; last of all it is taken away. Trouble is waited out: while the database is away
//! gateways know whom they knew.

use std::time::Duration;

use boot::ticker;
use domain::{Digest, ReplicaId};
use registry::Masters;
use store::{
    Store, StoreError,
    replicas::{self, Secret},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{HEARTBEAT_EVERY, context};

const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// One process.
pub struct Standing {
    pub id: ReplicaId,
    /// Where gateways reach it.
    pub url: String,
    pub store: Store,
    secret: Secret,
}

impl Standing {
    /// And what gateways will say to it: 256 random bits, which nobody else reads in the database.
    pub async fn new(
        store: Store,
        masters: Option<&Masters>,
        url: String,
    ) -> Result<(Self, Digest), Box<dyn std::error::Error + Send + Sync>> {
        let (id, mut bytes) = (ReplicaId::generate(), [0; 32]);
        getrandom::fill(&mut bytes)?;
        let secret = match masters {
            Some(masters) => Secret::Wrapped(masters.wrap(&context(id), &bytes).await?),
            None => Secret::Plain(bytes.to_vec()),
        };
        Ok((Self { id, url, store, secret }, Digest::from_bytes(bytes)))
    }

    /// Until it is `done`; from `end` on it leaves.
    pub async fn keep(self, end: CancellationToken, done: CancellationToken) {
        let (mut next, mut is_there) = (ticker(HEARTBEAT_EVERY), false);
        loop {
            let leaving = end.is_cancelled();
            match self.say(is_there, leaving).await {
                Ok(now) => {
                    if now && !is_there {
                        info!(replica.id = %self.id, url = self.url, "gateways can find this replica");
                    }
                    is_there = now;
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(error, "could not tell the gateways that this replica is there");
                }
            }
            tokio::select! {
                _ = next.tick() => {}
                () = end.cancelled(), if !leaving => {}
                () = done.cancelled() => break,
            }
        }
        if !matches!(timeout(LEAVE_WITHIN, self.leave()).await, Ok(Ok(()))) {
            warn!("gateways will notice by its silence that this replica has left");
        }
    }

    /// Whether it stands there then: anew where its row was taken for one of the dead, unless it leaves.
    async fn say(&self, is_there: bool, leaving: bool) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        let mut is_there = is_there && replicas::beat(&mut tx, self.id, leaving).await?;
        if !is_there && !leaving {
            replicas::register(&mut tx, self.id, &self.url, &self.secret).await?;
            is_there = true;
        }
        tx.commit().await?;
        Ok(is_there)
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        replicas::remove(&mut tx, self.id).await?;
        tx.commit().await
    }
}

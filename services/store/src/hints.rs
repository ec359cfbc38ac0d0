//! Hints through Postgres, for installations without Redis. Sent after the commit, in a statement of
//! their own, so that no writing transaction queues for NOTIFY's lock; but those of a plan go with its commit,
//! which is one at a time anyway and for which workers wait (`jobs/write.rs`).

use sqlx::postgres::PgListener;

use crate::{Store, StoreError};

pub(crate) const CHANNEL: &str = "cupola";

pub struct Listener(PgListener);

impl Store {
    /// Up to 8,000 bytes. A hint may be lost: nobody waits for it to reach the disk.
    pub async fn notify(&self, hints: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)",
            CHANNEL,
            hints,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(())
    }

    pub async fn listen(&self) -> Result<Listener, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Listener(listener))
    }
}

impl Listener {
    /// The next hints; `None` after the connection was lost: whatever came meanwhile is unknown, so
    /// the reader should look again at everything.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let notification = self.0.try_recv().await?;
        Ok(notification.map(|notification| notification.payload().to_owned()))
    }
}

//! The keys that sign access tokens, newest first.

use domain::Timestamp;

use crate::{StoreError, SystemTx, Tx};

#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    pub private_pem: String,
    pub created_at: Timestamp,
}

pub async fn all(tx: &mut SystemTx<'_>) -> Result<Vec<SigningKey>, StoreError> {
    let keys = sqlx::query_as!(
        SigningKey,
        "select kid, private_pem, created_at from signing_key order by created_at desc, kid",
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(keys)
}

/// Adds the first key. When two gateways start at once, the second one's is not needed.
pub async fn add_first(
    tx: &mut SystemTx<'_>,
    kid: &str,
    private_pem: &str,
) -> Result<(), StoreError> {
    // one at a time, so that both cannot find the table empty
    sqlx::query!("lock table signing_key in share row exclusive mode").execute(tx.conn()).await?;
    sqlx::query!(
        "insert into signing_key (kid, private_pem)
         select $1, $2 where not exists (select from signing_key)",
        kid,
        private_pem,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One more.
pub async fn add(
    tx: &mut SystemTx<'_>,
    kid: &str,
    private_pem: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into signing_key (kid, private_pem, created_at) values ($1, $2, $3)",
        kid,
        private_pem,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn forget(tx: &mut SystemTx<'_>, kids: &[String]) -> Result<(), StoreError> {
    sqlx::query!("delete from signing_key where kid = any($1)", kids).execute(tx.conn()).await?;
    Ok(())
}

//! The keys that sign access tokens and models' manifests, newest first.

use domain::Timestamp;

use crate::{StoreError, SystemTx, Tx, tenant_keys::WrappedKey};

#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    pub purpose: Purpose,
    pub private: Private,
    pub created_at: Timestamp,
}

/// What a key signs, and that alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Token,
    Manifest,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Manifest => "manifest",
        }
    }
}

/// The private half.
#[derive(Clone)]
pub enum Private {
    /// There was no master key.
    Pem(String),
    Wrapped(WrappedKey),
}

impl Private {
    fn columns(&self) -> (Option<&str>, Option<&str>, Option<&[u8]>) {
        match self {
            Self::Pem(pem) => (Some(pem), None, None),
            Self::Wrapped(WrappedKey { master, bytes }) => (None, Some(master), Some(bytes)),
        }
    }
}

pub async fn all(tx: &mut SystemTx<'_>) -> Result<Vec<SigningKey>, StoreError> {
    let rows = sqlx::query!(
        "select kid, purpose, private_pem, master, wrapped, created_at from signing_key
         order by created_at desc, kid",
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let private = match (row.private_pem, row.master.zip(row.wrapped)) {
                (Some(pem), None) => Private::Pem(pem),
                (None, Some((master, bytes))) => Private::Wrapped(WrappedKey { master, bytes }),
                _ => {
                    let why = "kept in no way, or in two";
                    return Err(StoreError::corrupt("signing_key", "private_pem", why));
                }
            };
            let purpose = if row.purpose == "token" { Purpose::Token } else { Purpose::Manifest };
            Ok(SigningKey { kid: row.kid, purpose, private, created_at: row.created_at })
        })
        .collect()
}

/// Adds the first key of its purpose. When two gateways start at once, the second one's is not needed.
pub async fn add_first(
    tx: &mut SystemTx<'_>,
    purpose: Purpose,
    kid: &str,
    private: &Private,
) -> Result<(), StoreError> {
    // one at a time, so that both cannot find the table empty
    sqlx::query!("lock table signing_key in share row exclusive mode").execute(tx.conn()).await?;
    let (pem, master, wrapped) = private.columns();
    sqlx::query!(
        "insert into signing_key (kid, private_pem, master, wrapped, purpose)
         select $1, $2, $3, $4, $5
         where not exists (select from signing_key where purpose = $5)",
        kid,
        pem,
        master,
        wrapped,
        purpose.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One more.
pub async fn add(
    tx: &mut SystemTx<'_>,
    purpose: Purpose,
    kid: &str,
    private: &Private,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (pem, master, wrapped) = private.columns();
    sqlx::query!(
        "insert into signing_key (kid, private_pem, master, wrapped, created_at, purpose)
         values ($1, $2, $3, $4, $5, $6)",
        kid,
        pem,
        master,
        wrapped,
        now,
        purpose.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The same key, kept otherwise.
pub async fn keep_as(
    tx: &mut SystemTx<'_>,
    kid: &str,
    private: &Private,
) -> Result<(), StoreError> {
    let (pem, master, wrapped) = private.columns();
    sqlx::query!(
        "update signing_key set private_pem = $2, master = $3, wrapped = $4 where kid = $1",
        kid,
        pem,
        master,
        wrapped,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn forget(tx: &mut SystemTx<'_>, kids: &[String]) -> Result<(), StoreError> {
    sqlx::query!("delete from signing_key where kid = any($1)", kids).execute(tx.conn()).await?;
    Ok(())
}

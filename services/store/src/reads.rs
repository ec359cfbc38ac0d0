//! Who asks, and what they ask for, in one round trip: a message of several statements, which the database runs
//! as one transaction. The first looks up the credential, as it stands at this moment, and names its tenant; from
//! there on row-level security shows that tenant's rows alone. A credential that is good for nothing names no
//! tenant, and nothing is found.
//!
//! The statements are prepared, by name, on each connection that is asked for the first time. Such a message has
//! no parameters: what is put into it are ids, digests, names and moments, which have no quotes.

use domain::{ApiKeyId, Digest, JobId, SessionId, Timestamp, access::Credential, name::Name};
use futures::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Either, FromRow, PgConnection,
    postgres::{PgQueryResult, PgRow},
};

use crate::{
    Store, StoreError,
    datasets::{self, Dataset},
    in_time,
    jobs::{self, Job},
    keys,
    principals::{self, Principal},
};

const AS_TENANT: &str = "set local role cupola_tenant";
/// How the database calls a prepared statement that it does not have.
const NOT_PREPARED: &str = "26000";

/// What somebody has shown of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A key, of which the database has this.
    Secret(Digest),
    /// A token that was made from this key.
    Key(ApiKeyId),
    /// A token that was made in this session, now.
    Session(SessionId, Timestamp),
}

impl Shown {
    fn statement(&self) -> String {
        match self {
            Self::Secret(digest) => format!("execute principal_of_key(null, '\\x{digest}')"),
            Self::Key(id) => format!("execute principal_of_key('{}', null)", id.uuid()),
            Self::Session(id, now) => {
                format!("execute principal_of_session('{}', '{}')", id.uuid(), now.to_rfc3339())
            }
        }
    }
}

/// Something of a tenant that is read by itself.
pub trait Wanted {
    type Found;
    #[doc(hidden)]
    fn statement(&self) -> String;
    #[doc(hidden)]
    fn found(row: &PgRow) -> Result<Self::Found, StoreError>;
}

impl Wanted for JobId {
    type Found = Job;

    fn statement(&self) -> String {
        format!("execute one_job('{}')", self.uuid())
    }

    fn found(row: &PgRow) -> Result<Job, StoreError> {
        jobs::Row::from_row(row)?.try_into()
    }
}

/// A dataset, by its name.
impl Wanted for Name {
    type Found = Dataset;

    fn statement(&self) -> String {
        // letters, digits, `-`, `_` and `.`
        format!("execute one_dataset('{self}')")
    }

    fn found(row: &PgRow) -> Result<Dataset, StoreError> {
        Ok(datasets::DatasetRow::from_row(row)?.into())
    }
}

impl Store {
    /// Who it is, if the credential is good.
    pub async fn principal(&self, shown: &Shown) -> Result<Option<Principal>, StoreError> {
        let rows = self.ask(&self.looked_up(shown)).await?;
        self.used(rows.first().map(|(_, row)| row)).await
    }

    /// And what they ask for, if they have it.
    pub async fn read<W: Wanted>(
        &self,
        shown: &Shown,
        wanted: &W,
    ) -> Result<Option<(Principal, Option<W::Found>)>, StoreError> {
        let (who, what) = (self.looked_up(shown), wanted.statement());
        let rows = self.ask(&format!("{who}; {AS_TENANT}; {what}")).await?;
        let of = |statement| rows.iter().find(|(n, _)| *n == statement).map(|(_, row)| row);
        let Some(principal) = self.used(of(1)).await? else { return Ok(None) };
        Ok(Some((principal, of(3).map(W::found).transpose()?)))
    }

    fn looked_up(&self, shown: &Shown) -> String {
        format!("set local role {}; {}", self.role, shown.statement())
    }

    /// Remembers when a key is used, at most once a minute.
    async fn used(&self, row: Option<&PgRow>) -> Result<Option<Principal>, StoreError> {
        let Some(row) = row.map(principals::Row::from_row).transpose()? else { return Ok(None) };
        let is_due = row.is_due;
        let principal = Principal::try_from(row)?;
        if let Credential::Key(id) = principal.credential
            && is_due
        {
            let mut tx = self.begin().await?;
            keys::touch(&mut tx, id).await?;
            tx.commit().await?;
        }
        Ok(Some(principal))
    }

    /// The rows, each with the number of its statement.
    async fn ask(&self, message: &str) -> Result<Vec<(usize, PgRow)>, StoreError> {
        in_time(async {
            let mut connection = self.pool.acquire().await?;
            match rows(&mut connection, message).await {
                Err(sqlx::Error::Database(error))
                    if error.code().is_some_and(|code| code == NOT_PREPARED) =>
                {
                    prepare(&mut connection).await?;
                    rows(&mut connection, message).await
                }
                answer => answer,
            }
        })
        .await
    }
}

async fn rows(
    connection: &mut PgConnection,
    message: &str,
) -> Result<Vec<(usize, PgRow)>, sqlx::Error> {
    let mut answers = sqlx::raw_sql(AssertSqlSafe(message)).fetch_many(connection);
    let (mut rows, mut statement) = (Vec::new(), 0);
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(PgQueryResult { .. }) => statement += 1,
            Either::Right(row) => rows.push((statement, row)),
        }
    }
    Ok(rows)
}

async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (of_key, of_session) = (principals::OF_KEY, principals::OF_SESSION);
    let (job, dataset) = (jobs::one(), datasets::ONE);
    let all = format!(
        "prepare principal_of_key (uuid, bytea) as {of_key};
         prepare principal_of_session (uuid, timestamptz) as {of_session};
         prepare one_job (uuid) as {job};
         prepare one_dataset (text) as {dataset}"
    );
    sqlx::raw_sql(AssertSqlSafe(all)).execute(connection).await?;
    Ok(())
}

//! Who asks, and what they ask for. The first time that a credential is shown, it is looked up; from then on it is
//! known whose it is, which never changes, and what is read by it is one statement, which also finds out whether it
//! is still good and what it may do, as that stands at this moment. So nothing is found by one that has been taken
//! away, and a process that has not heard of it is not asked to.
//!
//! What a lookup says is prepared, by name, on each connection that is asked for the first time. Such a message has
//! no parameters: what is put into it are ids, digests and moments, which have no quotes.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use domain::{
    ApiKeyId, Digest, JobId, SessionId, TenantId, Timestamp, access::Credential, name::Name,
};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Row, postgres::PgRow};
use tokio::task::JoinError;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    datasets::{self, Dataset},
    in_time,
    jobs::{self, Job},
    keys,
    principals::{self, Principal, Rights},
    readers::Query,
};

/// How the database calls a prepared statement that it does not have.
const NOT_PREPARED: &str = "26000";
/// Before what is known is forgotten, and found out again.
const MOST_KNOWN: usize = 10_000;

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
    fn lookup(&self) -> String {
        match self {
            Self::Secret(digest) => format!("execute principal_of_key(null, '\\x{digest}')"),
            Self::Key(id) => format!("execute principal_of_key('{}', null)", id.uuid()),
            Self::Session(id, now) => {
                format!("execute principal_of_session('{}', '{}')", id.uuid(), now.to_rfc3339())
            }
        }
    }

    const fn without_moment(&self) -> Said {
        match *self {
            Self::Secret(digest) => Said::Secret(digest),
            Self::Key(id) => Said::Key(id),
            Self::Session(id, _) => Said::Session(id),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Said {
    Secret(Digest),
    Key(ApiKeyId),
    Session(SessionId),
}

/// Whose a credential is, by what is shown of it. Of the rest of a principal, what it may do, nothing is used again.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<Said, Principal>>);

impl Known {
    fn get(&self, said: Said) -> Option<Principal> {
        self.all().get(&said).cloned()
    }

    fn remember(&self, said: Said, principal: &Principal) {
        let mut all = self.all();
        if all.len() >= MOST_KNOWN {
            all.clear();
        }
        all.insert(said, principal.clone());
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Said, Principal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something of a tenant that is read by itself.
pub trait Wanted {
    type Found;
    #[doc(hidden)]
    fn statements() -> &'static Statements;
    #[doc(hidden)]
    fn bind(&self, query: Query) -> Query;
    #[doc(hidden)]
    fn found(row: &PgRow) -> Result<Self::Found, StoreError>;
}

/// By a key and by a session. `$1` is what is wanted, `$2` the tenant, `$3` the credential and `$4`, of a session,
/// the moment.
pub struct Statements {
    of_key: String,
    of_session: String,
}

impl Statements {
    /// `one` has a column `id`.
    ///
    /// Row-level security shows the rows of the tenant that the statement names first, until it ends. What is read
    /// needs a row of that first part, and so comes after it: `offset` keeps the two apart. If it came before,
    /// nothing would be shown.
    fn of(one: &str) -> Self {
        let after_rights = |rights: &str| {
            format!(
                "select it.*
                 from (select set_config('app.tenant_id', $2, true)::uuid as tenant_id) whose
                 cross join lateral (
                     select rights.*, one.*
                     from ({rights}) rights left join lateral ({one}) one on true
                     offset 0) it"
            )
        };
        let (of_key, of_session) = (principals::RIGHTS_OF_KEY, principals::RIGHTS_OF_SESSION);
        Self { of_key: after_rights(of_key), of_session: after_rights(of_session) }
    }

    fn asked(
        &'static self,
        (tenant, of): (TenantId, Credential),
        shown: &Shown,
        wanted: &impl Wanted,
    ) -> Query {
        let by = |statement: &'static str| {
            let id = match of {
                Credential::Key(id) => id.uuid(),
                Credential::Session(id) => id.uuid(),
            };
            wanted.bind(sqlx::query(statement)).bind(tenant.uuid().to_string()).bind(id)
        };
        match shown {
            Shown::Secret(_) | Shown::Key(_) => by(&self.of_key),
            Shown::Session(_, now) => by(&self.of_session).bind(*now),
        }
    }
}

impl Wanted for JobId {
    type Found = Job;

    fn statements() -> &'static Statements {
        static ALL: LazyLock<Statements> = LazyLock::new(|| Statements::of(&jobs::one()));
        &ALL
    }

    fn bind(&self, query: Query) -> Query {
        query.bind(self.uuid())
    }

    fn found(row: &PgRow) -> Result<Job, StoreError> {
        jobs::Row::from_row(row)?.try_into()
    }
}

/// A dataset, by its name.
impl Wanted for Name {
    type Found = Dataset;

    fn statements() -> &'static Statements {
        static ALL: LazyLock<Statements> = LazyLock::new(|| Statements::of(datasets::ONE));
        &ALL
    }

    fn bind(&self, query: Query) -> Query {
        query.bind(self.as_str().to_owned())
    }

    fn found(row: &PgRow) -> Result<Dataset, StoreError> {
        Ok(datasets::DatasetRow::from_row(row)?.into())
    }
}

impl Store {
    /// Who it is, if the credential is good.
    pub async fn principal(&self, shown: &Shown) -> Result<Option<Principal>, StoreError> {
        let lookup = format!("set local role {}; {}", self.role, shown.lookup());
        let Some(row) = self.look_up(&lookup).await? else { return Ok(None) };
        let row = principals::Row::from_row(&row)?;
        let is_due = row.rights.is_due;
        let principal = Principal::try_from(row)?;
        self.used(&principal, is_due).await?;
        Ok(Some(principal))
    }

    /// And what they ask for, if they have it.
    pub async fn read<W: Wanted>(
        &self,
        shown: &Shown,
        wanted: &W,
    ) -> Result<Option<(Principal, Option<W::Found>)>, StoreError> {
        let Some(known) = self.known_as(shown).await? else { return Ok(None) };
        let Some((tenant, _)) = known.tenant else { return Ok(Some((known, None))) };
        let query = W::statements().asked((tenant, known.credential), shown, wanted);
        let Some(row) = self.row_for_tenant(query).await? else { return Ok(None) };
        let rights = Rights::from_row(&row)?;
        let is_due = rights.is_due;
        let principal = known.with(rights)?;
        self.used(&principal, is_due).await?;
        let is_found = row.try_get::<Option<Uuid>, _>("id")?.is_some();
        Ok(Some((principal, is_found.then(|| W::found(&row)).transpose()?)))
    }

    async fn known_as(&self, shown: &Shown) -> Result<Option<Principal>, StoreError> {
        let said = shown.without_moment();
        if let Some(known) = self.known.get(said) {
            return Ok(Some(known));
        }
        let principal = self.principal(shown).await?;
        if let Some(principal) = principal.as_ref().filter(|principal| principal.tenant.is_some()) {
            self.known.remember(said, principal);
        }
        Ok(principal)
    }

    /// In a task of its own: who leaves meanwhile leaves no connection in the middle of an answer.
    async fn row_for_tenant(&self, query: Query) -> Result<Option<PgRow>, StoreError> {
        let readers = Arc::clone(&self.readers);
        let answer = tokio::spawn(async move { in_time(readers.row(query)).await });
        answer.await.unwrap_or_else(|error| Err(gone(error)))
    }

    /// Remembers when a key is used, at most once a minute.
    async fn used(&self, principal: &Principal, is_due: bool) -> Result<(), StoreError> {
        if let Credential::Key(id) = principal.credential
            && is_due
        {
            let mut tx = self.begin().await?;
            keys::touch(&mut tx, id).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn look_up(&self, message: &str) -> Result<Option<PgRow>, StoreError> {
        in_time(async {
            let mut connection = self.pool.acquire().await?;
            match row(&mut connection, message).await {
                Err(sqlx::Error::Database(error))
                    if error.code().is_some_and(|code| code == NOT_PREPARED) =>
                {
                    prepare(&mut connection).await?;
                    row(&mut connection, message).await
                }
                answer => answer,
            }
        })
        .await
    }
}

fn gone(error: JoinError) -> StoreError {
    sqlx::Error::Io(std::io::Error::other(error)).into()
}

async fn row(connection: &mut PgConnection, message: &str) -> Result<Option<PgRow>, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(message)).fetch_optional(connection).await
}

async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (of_key, of_session) = (principals::OF_KEY, principals::OF_SESSION);
    let all = format!(
        "prepare principal_of_key (uuid, bytea) as {of_key};
         prepare principal_of_session (uuid, timestamptz) as {of_session}"
    );
    sqlx::raw_sql(AssertSqlSafe(all)).execute(connection).await?;
    Ok(())
}

//! One opaque error for what no caller can mend, with the two questions callers do ask of it.

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database refused or did not answer")]
    Database(#[from] sqlx::Error),
    #[error("the database could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row that our own code should not have written.
    #[error("{table}.{column} holds what it should not: {why}")]
    Corrupt { table: &'static str, column: &'static str, why: String },
}

impl StoreError {
    pub(crate) fn corrupt(
        table: &'static str,
        column: &'static str,
        why: impl std::fmt::Display,
    ) -> Self {
        Self::Corrupt { table, column, why: why.to_string() }
    }

    /// The constraint that a statement violated, by name.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }

    /// Text that Postgres does not take: a NUL character, as it is or in JSON.
    pub fn is_bad_text(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| code == "22021" || code == "22P05")
    }

    /// The database is away or busy, not wrong: asking again later may do.
    pub fn is_unavailable(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => true,
            // connection trouble, too many connections, shutting down or starting, deadlock, or a
            // transaction in which we were silent for too long
            sqlx::Error::Database(e) => e.code().is_some_and(|code| {
                code.starts_with("08")
                    || code.starts_with("53")
                    || code.starts_with("57P")
                    || code == "25P03"
                    || code == "40P01"
                    || code == "40001"
            }),
            _ => false,
        }
    }
}

//! The two kinds of transaction. Dropping one without `commit` rolls it back.

use domain::TenantId;
use sqlx::{PgConnection, Postgres, Transaction};

use crate::StoreError;

/// Sees one tenant's rows and what is public; a visitor's the latter alone.
#[derive(Debug)]
pub struct TenantTx<'a> {
    pub(crate) tx: Transaction<'a, Postgres>,
    pub(crate) tenant: TenantId,
}

/// Sees the rows of every tenant.
#[derive(Debug)]
pub struct SystemTx<'a> {
    pub(crate) tx: Transaction<'a, Postgres>,
}

/// Either of the two, for statements that both may run.
pub trait Tx {
    #[doc(hidden)]
    fn conn(&mut self) -> &mut PgConnection;

    /// Commits.
    fn end(self) -> impl Future<Output = Result<(), StoreError>>;
}

impl Tx for TenantTx<'_> {
    fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    fn end(self) -> impl Future<Output = Result<(), StoreError>> {
        self.commit()
    }
}

impl Tx for SystemTx<'_> {
    fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    fn end(self) -> impl Future<Output = Result<(), StoreError>> {
        self.commit()
    }
}

impl TenantTx<'_> {
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }
}

impl SystemTx<'_> {
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }
}

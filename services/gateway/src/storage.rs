//! Whether there is room for what a tenant sends. What its jobs make is kept in any case; the limit then holds for
//! whatever comes next.

use store::{
    TenantTx,
    storage::{Storage, taken_by_all},
};

use crate::{ApiError, Code};

/// What helps.
pub(crate) const REMEDY: &str = "delete versions of models, or results of jobs, that nobody needs, or ask the operator for more";

/// With what the transaction has added counted in: dropping the transaction takes it back.
pub(crate) async fn check_room(tx: &mut TenantTx<'_>, added: &str) -> Result<(), ApiError> {
    check(taken_by_all(tx).await?, added)
}

pub(crate) fn check(Storage { used, limit }: Storage, added: &str) -> Result<(), ApiError> {
    if used <= limit {
        return Ok(());
    }
    let why = format!(
        "with {added} the tenant's files would have {used} bytes of the {limit} that it may store \
         (`max_storage_bytes`); {REMEDY}"
    );
    Err(ApiError::new(Code::StorageFull, why))
}

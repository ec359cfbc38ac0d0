//! Which contents in the object store rows name, so that the others can be cleared away.

use std::collections::BTreeSet;

use domain::{Digest, TenantId};

use crate::{StoreError, SystemTx, Tx, datasets::digest};

/// Of `contents` those that a row of the tenant's names. A deleted version names its files no more, but while
/// a job that starts from it has not ended.
pub async fn named(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    contents: &[Digest],
) -> Result<BTreeSet<Digest>, StoreError> {
    let asked: Vec<Vec<u8>> = contents.iter().map(|sha256| sha256.as_bytes().to_vec()).collect();
    let rows = sqlx::query_scalar!(
        r#"with named as (
               select sha256 from dataset_version where tenant_id = $1
               union
               select sha256 from inquiry where tenant_id = $1 and sha256 is not null
               union
               select decode(file ->> 'sha256', 'hex')
               from model_version v, jsonb_array_elements(v.files) file
               where v.tenant_id = $1
                 and (v.state <> 'deleted' or exists (
                     select from evaluation e join job j on j.id = e.job_id
                     where j.finished_at is null
                       and ((e.a_model_id = v.model_id and e.a_number = v.number)
                         or (e.b_model_id = v.model_id and e.b_number = v.number))) or exists (
                     select from job j
                     where j.base_model_id = v.model_id and j.base_number = v.number
                       and j.finished_at is null))
           )
           select sha256 as "sha256!" from named where sha256 = any($2)"#,
        tenant.uuid(),
        &asked,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|bytes| digest(bytes, "model_version", "files")).collect()
}

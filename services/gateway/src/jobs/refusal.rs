//! What a client is told when its job is not taken: why, and what helps.

use domain::FieldErrors;
use store::{
    jobs::{NewJob, Refusal, Submitted},
    storage::Storage,
};

use crate::{ApiError, Code, storage::REMEDY};

const RETRY_QUEUE_FULL_SECS: u32 = 30;

/// An error unless it was accepted.
pub(crate) fn accepted_or(job: &NewJob, submitted: Submitted) -> Result<(), ApiError> {
    match submitted {
        Submitted::Accepted => Ok(()),
        Submitted::Refused(refusal) => Err(refused(job, refusal)),
        Submitted::UnknownDependency(id) => {
            Err(ApiError::field("after", format!("there is no job {id} to wait for")))
        }
        Submitted::ImpossibleDependency(id, status) => {
            let why =
                format!("{id} has {} already, so that this could never start", status.as_str());
            Err(ApiError::field("after", why))
        }
    }
}

/// Which hard cap it is beyond.
pub(crate) fn refused(job: &NewJob, refusal: Refusal) -> ApiError {
    let pool = job.spec.as_ref().map_or("", |spec| spec.pool.as_str());
    match refusal {
        Refusal::TenantClosed => {
            let why = "the tenant has been closed and runs nothing more; ask the operator";
            ApiError::new(Code::Forbidden, why)
        }
        Refusal::StorageFull(Storage { used, limit }) => {
            let why = format!(
                "the tenant's files have {used} bytes of the {limit} that it may store \
                 (`max_storage_bytes`), and no more jobs are taken; {REMEDY}"
            );
            ApiError::new(Code::StorageFull, why)
        }
        Refusal::QueueFull { limit } => {
            let why = format!(
                "{limit} jobs wait, as many as the tenant may have waiting (`max_queued_jobs`); \
                 submit again when some have started, or cancel one"
            );
            ApiError::new(Code::QueueFull, why).retry_after(RETRY_QUEUE_FULL_SECS)
        }
        Refusal::PoolQueueFull { limit } => {
            let why = format!(
                "{limit} jobs wait in pool `{pool}`, as many as the tenant's quota allows there \
                 (`max_queued`); submit again when some have started, cancel one, or name another pool"
            );
            ApiError::new(Code::QueueFull, why).retry_after(RETRY_QUEUE_FULL_SECS)
        }
        Refusal::TooLarge { resource, asked, most } => {
            let name = resource.as_str();
            let all = match job.workers {
                1 => String::new(),
                workers => format!(", for its {workers} workers together,"),
            };
            let why = format!(
                "{asked}{all} is more than one job may ask for in pool `{pool}`, {most} (`max_job` of the \
                 tenant's quota); ask for less, or name another pool"
            );
            let errors = FieldErrors::one(format!("resources.{name}"), &why).0;
            ApiError { errors, ..ApiError::new(Code::QuotaExceeded, why) }
        }
        Refusal::BeyondBudget { cost, left } => {
            let why = format!(
                "it may cost {cost}, and {left} are left of the tenant's budget; a shorter \
                 `max_runtime` or smaller `resources` cost less"
            );
            ApiError::new(Code::BudgetExceeded, why)
        }
    }
}

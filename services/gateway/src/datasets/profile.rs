//! Waiting for a worker's profile of a version. Each look is a transaction of its own, so that no
//! connection is held while nothing happens.

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use domain::{TenantId, name::Name};
use store::datasets::{self, ProfileState, Version};
use tokio::time::{Instant, sleep};

use crate::{ApiError, App};

/// The longest that `Prefer: wait=N` waits.
const MAX_WAIT_SECS: u64 = 30;
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The version once its profile job has ended, or as it is after `patience`.
pub(crate) async fn settled_version(
    app: &App,
    tenant: TenantId,
    name: &Name,
    number: Option<u32>,
    patience: Duration,
) -> Result<Option<Version>, ApiError> {
    let until = Instant::now() + patience;
    let mut number = number;
    loop {
        let mut tx = app.store.begin_for(tenant).await?;
        let found = datasets::version(&mut tx, name.as_str(), number).await?;
        tx.commit().await?;
        let pending = found.as_ref().filter(|v| matches!(v.profile, ProfileState::Pending));
        let Some(version) = pending else { return Ok(found) };
        if Instant::now() >= until {
            return Ok(found);
        }
        // the newest version stays the one that was the newest when asked
        number = Some(version.number);
        sleep(LOOK_EVERY).await;
    }
}

/// What `Prefer: wait=N` asks for (RFC 7240); a preference that is not understood is no error.
pub(crate) fn patience(headers: &HeaderMap, otherwise: Duration) -> Duration {
    let preferred: Option<u64> = headers
        .get_all("prefer")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .find_map(|word| word.trim().strip_prefix("wait=")?.parse().ok());
    preferred.map_or(otherwise, |secs| Duration::from_secs(secs.min(MAX_WAIT_SECS)))
}

//! From time to time: what lies in the object store and no row names goes ([`registry::Cleared`]). Every
//! gateway does it; what one has done another finds done.

use std::time::Duration;

use metrics::counter;
use tracing::{info, warn};

use crate::{ApiError, App};

pub(crate) const CLEAR_EVERY: Duration = Duration::from_secs(3_600);
pub(crate) const OBJECTS: &str = "cupola_cleared_objects_total";
pub(crate) const BYTES: &str = "cupola_cleared_bytes_total";

/// One pass. What goes wrong with one tenant's bytes does not keep another's.
pub async fn clear(app: &App) -> Result<(), ApiError> {
    let (now, after) = (app.clock.now(), app.config.clear_after);
    for tenant in app.blobs.tenants().await? {
        match app.blobs.clear(&app.store, tenant, now, after).await {
            Ok(cleared) if cleared == registry::Cleared::default() => {}
            Ok(cleared) => {
                counter!(OBJECTS).increment(cleared.deleted);
                counter!(BYTES).increment(cleared.deleted_bytes);
                let registry::Cleared { set_aside, put_back, deleted, deleted_bytes } = cleared;
                info!(tenant.id = %tenant, set_aside, put_back, deleted, deleted_bytes, "cleared away");
            }
            Err(error) => {
                warn!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "not cleared");
            }
        }
    }
    Ok(())
}

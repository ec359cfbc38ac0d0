//! Keeping the versions of some endpoints in memory while nobody calls, wherever they are asked for next: in every
//! gateway, or in the serving replica that answers for them. All others are loaded by a call, and make room when others need it.

use std::time::Duration;

use domain::registry::Reference;
use store::{endpoints, models};
use tracing::warn;

use crate::App;

pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Looks once. One that cannot be loaded does not keep the others from it.
pub async fn warm(app: &App) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut tx = app.store.begin().await?;
    let wanted = endpoints::kept_warm(&mut tx).await?;
    tx.commit().await?;
    for (tenant, model, number) in wanted {
        if app.predictor.is_loaded(model, number) {
            continue;
        }
        let mut tx = app.store.begin_for(tenant).await?;
        let found = models::version(&mut tx, model, &Reference::Number(number)).await?;
        tx.commit().await?;
        let Some(version) = found else { continue };
        if let Err(error) = app.predictor.warm(&version).await {
            let error = &error as &dyn std::error::Error;
            warn!(model.id = %model, model.version = number, error, "could not be loaded ahead");
        }
    }
    Ok(())
}

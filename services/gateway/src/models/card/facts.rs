//! What the platform knows of a version. Of its data and its job no more than counts go out, since who
//! reads the card may be anybody.

use store::{
    datasets::{self, ProfileState},
    models::{Model, ModelVersion},
    usage,
};

use crate::{ApiError, App};

pub(super) struct Facts {
    pub model: Model,
    pub version: ModelVersion,
    /// Rows and columns of what it was trained on, while that is there.
    pub data: Option<(u64, usize)>,
    pub cost: Option<Cost>,
}

/// Of all attempts of its job.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    pub attempts: usize,
    pub cpu_ms: u64,
    pub accelerator_ms: u64,
}

/// Read as its publisher, for whoever may see the version.
pub(super) async fn facts(
    app: &App,
    model: Model,
    version: ModelVersion,
) -> Result<Facts, ApiError> {
    let mut tx = app.store.begin_for(version.tenant).await?;
    let mut data = None;
    let mut cost = None;
    if let (Some(trained), Some(made)) = (&version.trained, &version.made) {
        let name = made.config.spec.dataset.name.as_str();
        let found = datasets::version(&mut tx, name, Some(trained.dataset_version)).await?;
        if let Some(ProfileState::Ready(profile)) = found.map(|found| found.profile) {
            data = Some((profile.rows, profile.columns.len()));
        }
        let attempts = usage::of_job(&mut tx, version.tenant, trained.job).await?;
        let used = attempts.iter().filter_map(|attempt| attempt.used);
        let start = Cost { attempts: attempts.len(), ..Cost::default() };
        cost = Some(used.fold(start, |sum, used| Cost {
            cpu_ms: sum.cpu_ms + used.resources.cpu_milli.saturating_mul(used.millis) / 1000,
            accelerator_ms: sum.accelerator_ms
                + used.resources.accelerator_milli.saturating_mul(used.millis) / 1000,
            ..sum
        }));
    }
    tx.commit().await?;
    Ok(Facts { model, version, data, cost })
}

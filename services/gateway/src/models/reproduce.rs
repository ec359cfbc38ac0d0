//! Making a version again: the same job, with the same data, settings and seed. What comes of it is a draft
//! beside the first one, and says whether its files are the same.

use actix_web::{HttpResponse, post, web};
use serde::Serialize;
use store::{
    jobs::NewJob,
    models::{BaseVersion, Made, Model, ModelVersion, Trained},
};
use utoipa::ToSchema;

use super::{aliases::own_model, known_version};
use crate::{
    ApiError, App, Caller, Code,
    auth::SubmitJobs,
    jobs::{JobView, base_again, find_pools, start},
};

/// What came of making a version again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reproduction {
    /// The version of the same model that was made again.
    pub version: u32,
    /// Whether `model.safetensors` is the same, to the byte.
    pub same_weights: bool,
    /// Whether `config.json` is, with its metrics and curves.
    pub same_config: bool,
}

impl Reproduction {
    pub fn of(version: &ModelVersion) -> Option<Self> {
        version.trained.as_ref()?;
        let made = version.made.as_ref()?;
        let BaseVersion { number, made: first, .. } = version.base.as_ref()?;
        let (weights, config) = first.as_ref()?;
        let trained_on_from = made.config.spec.base_model.as_ref();
        if trained_on_from.is_some_and(|base| base.config_sha256 == *config) {
            return None;
        }
        Some(Self {
            version: *number,
            same_weights: *weights == made.weights_sha256,
            same_config: *config == made.config_sha256,
        })
    }
}

/// Make a version again.
///
/// Submits the very job that made it. The job publishes a draft of the same model, whose `reproduces`
/// says whether the files are the same.
#[utoipa::path(
    operation_id = "reproduce_model_version",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses(
        (status = 202, body = JobView),
        (status = 409, description = "No job has made it"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[post("/v1/models/{tenant}/{model}/versions/{version}/reproduce")]
pub(super) async fn reproduce(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = own_model(&mut tx, &tenant, &name).await?;
    let version = known_version(&mut tx, &model, &named).await?;
    let number = version.number;
    let (Some(trained), Some(made)) = (version.trained, version.made) else {
        let why = format!("no job has made version {number}: there is nothing to do again");
        return Err(ApiError::new(Code::Conflict, why));
    };
    let base = base_again(&mut tx, &made).await?;
    tx.commit().await?;
    let mut job = [NewJob { base, ..again(&caller, (&model, number), &trained, made) }];
    find_pools(&app, caller.tenant(), &mut job).await?;
    start(&app, &caller, &job[0]).await
}

fn again(
    caller: &Caller<SubmitJobs>,
    (model, number): (&Model, u32),
    trained: &Trained,
    made: Made,
) -> NewJob {
    let spec = made.config.spec;
    let size = (spec.resources, spec.max_runtime);
    NewJob {
        workers: spec.workers,
        spec: Some(spec),
        reproduces: Some((model.id, number)),
        // its pool is looked up once a transaction is open
        ..NewJob::new(
            format!("reproduce {}:{number}", model.name),
            caller.user(),
            (trained.dataset, trained.dataset_version),
            size,
        )
    }
}

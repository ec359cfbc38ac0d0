//! The model that a training starts from: which version a name means at this moment, whether the tenant may
//! build upon it, and whether its tensors are those of the layers to be trained.

use domain::{
    FieldErrors, ModelId, TenantId,
    model::ModelConfig,
    name::Name,
    registry::{Reference, VersionState},
    spec::{BaseModel, TrainingSpec},
};
use store::{
    TenantTx,
    models::{self, Made, Model, ModelVersion},
};

use crate::{
    ApiError, App, Code,
    models::{licence_to_build_upon, sealed},
};

const FIELD: &str = "base_model";
/// So many tensors are named in an error.
const MOST_NAMED: usize = 10;

/// One that was found and may be built upon.
pub(super) struct Base {
    pub id: (ModelId, u32),
    pub named: BaseModel,
    pub config: Box<ModelConfig>,
}

/// `tenant/model`, `tenant/model:3` or `tenant/model@champion`.
pub(super) async fn find(app: &App, tenant: TenantId, named: &str) -> Result<Base, ApiError> {
    let mut tx = app.store.begin_for(tenant).await?;
    let (model, version) = look_up(&mut tx, named).await?;
    tx.commit().await?;
    licence_to_build_upon(&model, &version, tenant)?;
    // the manifest of what is trained names its base's
    let version = sealed(app, version).await?;
    let id = (version.model, version.number);
    let Some(made) = version.made else {
        let why = format!("`{named}` has no weights that can be trained on from here");
        return Err(ApiError::field(FIELD, why));
    };
    let named = BaseModel {
        model: format!("{}/{}", model.tenant_slug, model.name),
        version: id.1,
        weights_sha256: made.weights_sha256,
        config_sha256: made.config_sha256,
    };
    Ok(Base { id, named, config: Box::new(made.config) })
}

async fn look_up(tx: &mut TenantTx<'_>, named: &str) -> Result<(Model, ModelVersion), ApiError> {
    let shown: String = named.chars().take(200).collect();
    // the same for what is not there and for what the tenant may not see
    let unknown = || ApiError::field(FIELD, format!("there is no model version `{shown}`"));
    let (of, version) = named.split_once([':', '@']).unwrap_or((named, "latest"));
    let Some((publisher, name)) = of.split_once('/') else {
        let why =
            format!("`{shown}`: name it `tenant/model`, `tenant/model:3` or `tenant/model@alias`");
        return Err(ApiError::field(FIELD, why));
    };
    let publisher: Name = publisher.parse().map_err(|_| unknown())?;
    let name: Name = name.parse().map_err(|_| unknown())?;
    let reference: Reference = version.parse().map_err(|_| unknown())?;
    let model = models::get(tx, publisher.as_str(), name.as_str()).await?.ok_or_else(unknown)?;
    let version = models::version(tx, model.id, &reference).await?.ok_or_else(unknown)?;
    if version.state == VersionState::Deleted {
        return Err(ApiError::field(FIELD, format!("`{shown}` was deleted; name another version")));
    }
    Ok((model, version))
}

/// Of layers of the draft's own.
pub(super) fn fits(base: &Base, spec: &TrainingSpec) -> Result<(), FieldErrors> {
    let problems = engine::misfits(spec, &base.config);
    if problems.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = problems.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let (model, version) = (&base.named.model, base.named.version);
    let why = format!(
        "the layers are not those of `{model}:{version}`; leave out `model`, or change it: {}",
        named.join("; ")
    );
    Err(FieldErrors::one("model", why))
}

/// What a version was trained on from, for a job that makes it again.
pub(crate) async fn again(
    tx: &mut TenantTx<'_>,
    made: &Made,
) -> Result<Option<(ModelId, u32)>, ApiError> {
    let Some(base) = &made.config.spec.base_model else { return Ok(None) };
    let named = format!("{}:{}", base.model, base.version);
    let found = look_up(tx, &named).await.ok();
    let same = found.filter(|(_, version)| {
        let has = version.made.as_ref().map(|made| (made.weights_sha256, made.config_sha256));
        has == Some((base.weights_sha256, base.config_sha256))
    });
    let gone = || {
        let why =
            format!("it was trained on from `{named}`, which is gone or no longer shown to you");
        ApiError::new(Code::Conflict, why)
    };
    same.map(|(_, version)| Some((version.model, version.number))).ok_or_else(gone)
}

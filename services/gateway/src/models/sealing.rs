//! Giving each version its manifest, moments after it was published; and what others need to check it.

use std::{collections::HashSet, time::Duration};

use actix_web::{get, web};
use boot::ticker;
use domain::{
    Digest, ModelId,
    registry::{MANIFEST_FORMAT, Manifest, Source, SourceKind, TrainedFrom, VersionFile},
};
use jsonwebtoken::jwk::JwkSet;
use registry::Stored;
use store::{
    StoreError,
    models::{self, ModelVersion, Unsealed},
};
use tracing::warn;

use super::card::readme;
use crate::{ApiError, App};

const SEAL_EVERY: Duration = Duration::from_secs(1);
const MOST: i64 = 100;
const README_FILE: &str = "README.md";
/// So many looks pass until one that could not be sealed is tried again.
const LOOKS_APART: u32 = 60;

/// Several gateways look; it does not matter which one does it.
pub(crate) async fn keep_sealing_models(app: web::Data<App>) {
    let mut look = ticker(SEAL_EVERY);
    let mut failed = HashSet::new();
    let mut looks = 0;
    loop {
        look.tick().await;
        looks += 1;
        if looks % LOOKS_APART == 0 {
            failed.clear();
        }
        match waiting(&app).await {
            Ok(versions) => seal_each(&app, versions, &mut failed).await,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "could not look for new versions");
            }
        }
    }
}

async fn waiting(app: &App) -> Result<Vec<(ModelId, u32)>, StoreError> {
    let mut tx = app.store.begin().await?;
    let versions = models::unsealed(&mut tx, MOST).await?;
    tx.commit().await?;
    Ok(versions)
}

async fn seal_each(app: &App, versions: Vec<(ModelId, u32)>, failed: &mut HashSet<(ModelId, u32)>) {
    for version in versions {
        if failed.contains(&version) {
            continue;
        }
        if let Err(error) = seal(app, version).await {
            let (model, number) = version;
            warn!(model.id = %model, number, %error, "a version has no manifest yet");
            failed.insert(version);
        }
    }
}

/// Bytes first: how large each file is, where nobody has written it down.
async fn seal(app: &App, (model, number): (ModelId, u32)) -> Result<(), ApiError> {
    let mut tx = app.store.begin().await?;
    let found = models::to_seal(&mut tx, model, number).await?;
    tx.commit().await?;
    let Some(unsealed) = found else { return Ok(()) };
    let mut files = measured(app, &unsealed.version).await?;
    files.extend(card(app, &unsealed).await?);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let manifest = manifest(unsealed, files);
    let sealed = app.signer.seal(&manifest, app.clock.now());
    let (revision, jws) = sealed.map_err(|error| ApiError::internal(&error))?;
    let mut tx = app.store.begin().await?;
    models::seal(&mut tx, (model, number), &manifest.files, (&revision, &jws)).await?;
    Ok(tx.commit().await?)
}

async fn measured(app: &App, version: &ModelVersion) -> Result<Vec<VersionFile>, ApiError> {
    let mut files = version.files.clone();
    for file in files.iter_mut().filter(|file| file.bytes == 0) {
        file.bytes = app.blobs.verify(version.tenant, file.sha256).await?;
    }
    Ok(files)
}

/// Of a version that a job has made: its card at this moment, as a file beside the others.
async fn card(app: &App, unsealed: &Unsealed) -> Result<Option<VersionFile>, ApiError> {
    let Unsealed { version, model, .. } = unsealed;
    let (Some(made), Some(_), Some((publisher, name))) =
        (&version.made, &version.trained, model.split_once('/'))
    else {
        return Ok(None);
    };
    let mut tx = app.store.begin_for(version.tenant).await?;
    let model = models::get(&mut tx, publisher, name).await?;
    tx.commit().await?;
    let Some(model) = model else { return Ok(None) };
    let text = readme(&model, made);
    let Stored { sha256, bytes } = app.blobs.put_bytes(version.tenant, text.into()).await?;
    let path = README_FILE.parse().expect("our own names are paths");
    Ok(Some(VersionFile { path, sha256, bytes }))
}

fn manifest(unsealed: Unsealed, files: Vec<VersionFile>) -> Manifest {
    let Unsealed { version, model, dataset, base } = unsealed;
    let trained = version.trained.zip(version.made).zip(dataset);
    let source = match trained {
        Some(((trained, made), dataset)) => {
            let spec = &made.config.spec;
            let json = serde_json::to_vec(spec).expect("a specification is JSON");
            Source::Trained(TrainedFrom {
                dataset,
                dataset_version: trained.dataset_version,
                dataset_sha256: trained.dataset_sha256,
                spec_sha256: Digest::of(&json),
                seed: spec.seed,
            })
        }
        None if version.kind == SourceKind::Copied => Source::Copied,
        None => Source::Uploaded,
    };
    Manifest {
        format: MANIFEST_FORMAT,
        model,
        version: version.number,
        files,
        licence: version.licence,
        source,
        base,
        cupola: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: version.created_at,
    }
}

/// The version with its manifest, which is made now if it was published this very moment.
pub(crate) async fn sealed(app: &App, version: ModelVersion) -> Result<ModelVersion, ApiError> {
    if version.sealed.is_some() {
        return Ok(version);
    }
    let id = (version.model, version.number);
    if let Some(base) = &version.base {
        // a manifest names its base's
        seal(app, (base.model, base.number)).await?;
    }
    seal(app, id).await?;
    let mut tx = app.store.begin().await?;
    let named = domain::registry::Reference::Number(id.1);
    let found = models::version(&mut tx, id.0, &named).await?;
    tx.commit().await?;
    Ok(found.unwrap_or(version))
}

/// The public keys that verify manifests of models (RFC 7517). They stay for ever.
#[utoipa::path(
    operation_id = "get_manifest_keys", tag = "models", security(()),
    responses((status = 200, body = serde_json::Value)),
)]
#[get("/.well-known/manifest-keys.json")]
pub(super) async fn manifest_keys(app: web::Data<App>) -> web::Json<JwkSet> {
    web::Json(app.signer.manifest_keys())
}

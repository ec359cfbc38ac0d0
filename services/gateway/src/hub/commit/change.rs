//! What a commit changes, and what comes of it.

use std::collections::BTreeMap;

use domain::{
    TenantId,
    child::{CONFIG_FILE, WEIGHTS_FILE},
    model::ModelConfig,
    registry::{FilePath, VersionFile},
};
use serving::LoadError;
use store::models::{Made, ModelVersion};

use crate::{
    ApiError, App,
    hub::{card::Card, error::HubError},
};

/// So much of a configuration is read.
const MAX_CONFIG_BYTES: u64 = 64 << 20;

#[derive(Debug, Default)]
pub(super) struct Changes {
    /// What it was made upon, where the client says so.
    pub parent: Option<String>,
    pub operations: Vec<Operation>,
    /// Of a README.md among the files.
    pub card: Option<Card>,
}

#[derive(Debug)]
pub(super) enum Operation {
    Put(VersionFile),
    Delete(FilePath),
    DeleteBelow(String),
}

impl Changes {
    /// The files of the next version, by path.
    pub fn applied(&self, head: Option<&ModelVersion>) -> Result<Vec<VersionFile>, HubError> {
        let known = head.into_iter().flat_map(|head| head.files.iter().cloned());
        let mut files: BTreeMap<_, _> = known.map(|file| (file.path.clone(), file)).collect();
        for operation in &self.operations {
            match operation {
                Operation::Put(file) => {
                    files.insert(file.path.clone(), file.clone());
                }
                Operation::Delete(path) => {
                    files.remove(path).ok_or_else(|| nothing(path.as_str()))?;
                }
                Operation::DeleteBelow(folder) => {
                    let before = files.len();
                    let prefix = format!("{folder}/");
                    files.retain(|path, _| !path.as_str().starts_with(&prefix));
                    if files.len() == before {
                        return Err(nothing(folder));
                    }
                }
            }
        }
        Ok(files.into_values().collect())
    }
}

fn nothing(path: &str) -> HubError {
    HubError::entry(ApiError::not_found("file of the model", path))
}

/// What predictions need, if the files are a model of ours: the one that was there, or another one,
/// whose weights must be those that its configuration names, in name, shape and type. Nothing of it is
/// run to find that out.
pub(super) async fn made(
    app: &App,
    tenant: TenantId,
    files: &[VersionFile],
    head: Option<&ModelVersion>,
) -> Result<Option<Made>, HubError> {
    let file = |name: &str| files.iter().find(|file| file.path.as_str() == name);
    let (Some(config), Some(weights)) = (file(CONFIG_FILE), file(WEIGHTS_FILE)) else {
        return Ok(None);
    };
    let same = head.and_then(|head| head.made.as_ref()).filter(|made| {
        (made.config_sha256, made.weights_sha256) == (config.sha256, weights.sha256)
    });
    if let Some(same) = same {
        return Ok(Some(same.clone()));
    }
    if config.bytes > MAX_CONFIG_BYTES {
        return Ok(None);
    }
    let bytes = app.blobs.read_whole(tenant, config.sha256).await?;
    // another library's configuration says other things
    let Ok(parsed) = serde_json::from_slice::<ModelConfig>(&bytes) else { return Ok(None) };
    let made = Made {
        weights_sha256: weights.sha256,
        weights_bytes: weights.bytes,
        config_sha256: config.sha256,
        config: parsed,
    };
    match app.predictor.check(tenant, &made).await {
        Ok(()) => Ok(Some(made)),
        Err(LoadError::Engine(why)) => {
            Err(HubError::bad(format!("{WEIGHTS_FILE} is not what {CONFIG_FILE} describes: {why}")))
        }
        Err(LoadError::Blobs(error)) => Err(error.into()),
        Err(error) => Err(ApiError::internal(&error).into()),
    }
}

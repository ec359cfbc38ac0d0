//! A model's files, up and down.

use std::path::Path;

use bytes::Bytes;
use domain::{
    TenantId,
    child::{CONFIG_FILE, ONNX_FILE, PREPROCESSING_FILE, TOKENIZER_FILE, WEIGHTS_FILE},
    model::ModelConfig,
    registry::{FilePath, VersionFile},
};
use store::models::{Artifact, Made};

use crate::{BlobError, Blobs, Stored};

/// Uploads what an attempt left in its scratch folder. Content-addressed, so repeating it is harmless.
pub async fn upload_model(
    blobs: &Blobs,
    tenant: TenantId,
    scratch: &Path,
) -> Result<Artifact, BlobError> {
    let path = scratch.join(CONFIG_FILE);
    let config = blobs.put_file(tenant, &path).await?;
    let bytes = tokio::fs::read(&path).await.map_err(BlobError::file(&path))?;
    let parsed: ModelConfig = serde_json::from_slice(&bytes)
        .map_err(|error| BlobError::file(&path)(std::io::Error::other(error)))?;
    let weights = blobs.put_file(tenant, &scratch.join(WEIGHTS_FILE)).await?;
    let made = Made {
        weights_sha256: weights.sha256,
        weights_bytes: weights.bytes,
        config_sha256: config.sha256,
        config: parsed,
    };
    let mut files: Vec<_> = [(CONFIG_FILE, config), (WEIGHTS_FILE, weights)].map(of_version).into();
    for name in [ONNX_FILE, PREPROCESSING_FILE, TOKENIZER_FILE] {
        let path = scratch.join(name);
        if tokio::fs::try_exists(&path).await.map_err(BlobError::file(&path))? {
            files.push(of_version((name, blobs.put_file(tenant, &path).await?)));
        }
    }
    Ok(Artifact { made, files })
}

fn of_version((name, Stored { sha256, bytes }): (&str, Stored)) -> VersionFile {
    let path: FilePath = name.parse().expect("our own names are paths");
    VersionFile { path, sha256, bytes }
}

#[derive(Debug, Clone)]
pub struct ModelFiles {
    pub config: Bytes,
    pub weights: Bytes,
}

pub async fn load_model(
    blobs: &Blobs,
    tenant: TenantId,
    made: &Made,
) -> Result<ModelFiles, BlobError> {
    Ok(ModelFiles {
        config: blobs.read_whole(tenant, made.config_sha256).await?,
        weights: blobs.read_whole(tenant, made.weights_sha256).await?,
    })
}

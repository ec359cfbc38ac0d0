//! A model's two files, up and down.

use std::path::Path;

use bytes::Bytes;
use domain::{
    TenantId,
    child::{CONFIG_FILE, WEIGHTS_FILE},
    model::ModelConfig,
};
use store::models::{Artifact, ModelVersion};

use crate::{BlobError, Blobs};

/// Uploads what an attempt left in its scratch folder. Content-addressed, so repeating it is harmless.
pub async fn upload_model(
    blobs: &Blobs,
    tenant: TenantId,
    scratch: &Path,
) -> Result<Artifact, BlobError> {
    let weights = blobs.put_file(tenant, &scratch.join(WEIGHTS_FILE)).await?;
    let path = scratch.join(CONFIG_FILE);
    let config = blobs.put_file(tenant, &path).await?;
    let bytes = tokio::fs::read(&path).await.map_err(BlobError::file(&path))?;
    let parsed: ModelConfig = serde_json::from_slice(&bytes)
        .map_err(|error| BlobError::file(&path)(std::io::Error::other(error)))?;
    Ok(Artifact {
        weights_sha256: weights.sha256,
        weights_bytes: weights.bytes,
        config_sha256: config.sha256,
        config: parsed,
    })
}

#[derive(Debug, Clone)]
pub struct ModelFiles {
    pub config: Bytes,
    pub weights: Bytes,
}

pub async fn load_model(blobs: &Blobs, version: &ModelVersion) -> Result<ModelFiles, BlobError> {
    Ok(ModelFiles {
        config: blobs.read_whole(version.tenant, version.config_sha256).await?,
        weights: blobs.read_whole(version.tenant, version.weights_sha256).await?,
    })
}

//! Answers predictions: loads a published version on its first use, keeps it while there is room,
//! and computes away from the threads that serve sockets.
//!
//! A version never changes, so what is loaded never goes stale. When the models kept are larger than
//! the budget, those used longest ago are dropped.

mod cache;

use std::sync::Arc;

use domain::{
    FieldErrors, ModelId, TenantId,
    predict::{Prediction, Row},
};
use engine::{EngineError, Model};
use registry::{BlobError, Blobs};
use store::models::{Made, ModelVersion};
use tokio::sync::{Mutex, Semaphore};
use tracing::info;

use cache::Cache;

/// What a first use needs at the most is one load; those that come meanwhile wait for it.
#[derive(Clone)]
pub struct Predictor {
    blobs: Blobs,
    loaded: Arc<Mutex<Cache<Arc<Model>>>>,
    /// One computation per core at a time: the rest waits its turn instead of fighting for it.
    turns: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    #[error("{0}")]
    Rows(FieldErrors),
    #[error("the model's files cannot be read")]
    Blobs(#[from] BlobError),
    #[error("the model cannot be rebuilt")]
    Engine(#[from] EngineError),
    #[error("the version has no model that can be run here")]
    NotOurs,
    #[error("the computation broke off")]
    Broken(#[from] tokio::task::JoinError),
}

impl Predictor {
    pub fn new(blobs: Blobs, budget_bytes: usize, cores: usize) -> Self {
        let loaded = Arc::new(Mutex::new(Cache::new(budget_bytes)));
        Self { blobs, loaded, turns: Arc::new(Semaphore::new(cores.max(1))) }
    }

    pub async fn predict(
        &self,
        version: &ModelVersion,
        rows: Vec<Row>,
    ) -> Result<Vec<Prediction>, PredictError> {
        let model = self.model(version).await?;
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let answer = tokio::task::spawn_blocking(move || model.predict(&rows)).await?;
        answer.map_err(PredictError::Rows)
    }

    /// Loads it ahead of its first use.
    pub async fn warm(&self, version: &ModelVersion) -> Result<(), PredictError> {
        self.model(version).await.map(drop)
    }

    /// It counts as a use of it.
    pub async fn is_loaded(&self, model: ModelId, number: u32) -> bool {
        self.loaded.lock().await.get((model, number)).is_some()
    }

    /// Whether the files are those of a model that can be run here; nothing of it is kept.
    pub async fn check(&self, tenant: TenantId, made: &Made) -> Result<(), PredictError> {
        let files = registry::load_model(&self.blobs, tenant, made).await?;
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let load = move || Model::load(&files.config, &files.weights).map(drop);
        Ok(tokio::task::spawn_blocking(load).await??)
    }

    async fn model(&self, version: &ModelVersion) -> Result<Arc<Model>, PredictError> {
        let key = (version.model, version.number);
        let mut loaded = self.loaded.lock().await;
        if let Some(model) = loaded.get(key) {
            return Ok(model);
        }
        let made = version.made.as_ref().ok_or(PredictError::NotOurs)?;
        let files = registry::load_model(&self.blobs, version.tenant, made).await?;
        let model = tokio::task::spawn_blocking(move || {
            Model::load(&files.config, &files.weights).map(Arc::new)
        })
        .await??;
        let bytes = usize::try_from(model.memory_bytes()).unwrap_or(usize::MAX);
        info!(model.id = %version.model, model.version = version.number, bytes, "model loaded");
        loaded.put(key, Arc::clone(&model), bytes);
        Ok(model)
    }
}

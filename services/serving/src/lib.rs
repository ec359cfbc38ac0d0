//! Answers predictions: loads a published version on its first use, keeps it while there is room, and computes away
//! from the threads that serve sockets, what waits for one version together.
//!
//! A request goes through [`Loaded`](loaded::Loaded) to its version, then through the line of a pool of threads to
//! its turn. Rows go through one pool, texts of language models, which take seconds, through another, so that none
//! keeps the others waiting.

mod line;
mod loaded;
mod measured;
mod pool;
mod predictors;
mod replicas;
mod shelf;
mod source;
mod stats;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    FieldErrors, ModelId, TenantId,
    explain::Explain,
    predict::{Prediction, Row, moved},
    spec::Task,
};
use engine::Model;
use futures::future::try_join_all;
use registry::Blobs;
use serde::{Deserialize, Serialize};
use store::models::{Made, ModelVersion};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, unbounded_channel},
        oneshot,
    },
    time::timeout,
};

pub use line::Full;
pub use loaded::{Elsewhere, Hot, LoadError};
pub use measured::measured;
pub use pool::Piece;
pub use predictors::Predictors;
pub use replicas::{REFRESH_EVERY, Replica};
pub use source::Source;
pub use stats::{Calls, Counts, Histogram, Times};

use line::Waiting;
use loaded::Loaded;
use pool::{Pool, Reply, Work};

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// What loaded models may take together.
    pub memory_bytes: u64,
    /// Computations at the same time.
    pub cores: usize,
    /// Rows of requests that are computed together, and of one that is computed in parts.
    pub batch_rows: usize,
    /// For which a request waits for its version to be loaded, and then for its turn.
    pub patience: Duration,
}

impl Limits {
    pub const MEMORY_BYTES: u64 = 1 << 30;
    pub const BATCH_ROWS: usize = 256;
    pub const PATIENCE: Duration = Duration::from_secs(10);
}

#[derive(Clone)]
pub struct Predictor {
    blobs: Blobs,
    loaded: Arc<Loaded>,
    /// Rows, and texts that go on.
    pools: Arc<[Pool; 2]>,
    limits: Limits,
    /// One look at a model that is not kept at a time.
    looks: Arc<Semaphore>,
}

/// Who asks which version.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub tenant: TenantId,
    /// The tenant's name.
    pub caller: &'a str,
    /// `tenant/model`
    pub model: &'a str,
    pub version: Source,
    /// What each answer is made of is asked too.
    pub explain: Option<Explain>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Answered {
    pub predictions: Vec<Prediction>,
    /// Rows that were computed together.
    pub batch_rows: usize,
    pub waited: Duration,
    pub took: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    #[error("{0}")]
    Rows(FieldErrors),
    #[error(transparent)]
    Load(#[from] Arc<LoadError>),
    #[error("too many requests wait")]
    Full(Full),
    #[error("the request's turn did not come within {0:?}")]
    Late(Duration),
    /// It goes on being loaded.
    #[error("the version was not loaded within {0:?}")]
    Loading(Duration),
    #[error("the computation broke off")]
    Broken,
    #[error("the replica that was asked did not answer")]
    Unreached,
}

impl Predictor {
    pub fn new(blobs: Blobs, limits: Limits) -> Self {
        let loaded = Arc::new(Loaded::new(blobs.clone(), limits.memory_bytes));
        let rows = Pool::start("predict", limits.cores, limits.batch_rows);
        let texts = Pool::start("generate", limits.cores, 1);
        let pools = Arc::new([rows, texts]);
        Self { blobs, loaded, pools, limits, looks: Arc::new(Semaphore::new(1)) }
    }

    /// Many rows that stand alone are several requests, so that others have their turn between them; so is each that
    /// is to be explained, which takes as long as many.
    pub async fn predict(
        &self,
        asked: Asked<'_>,
        rows: Vec<Row>,
    ) -> Result<Answered, PredictError> {
        let hot = self.hot(asked).await?;
        let most = if asked.explain.is_some() { 1 } else { self.limits.batch_rows.max(1) };
        if rows.len() <= most || !hot.model.stand_alone(&rows) {
            return self.ask(asked, hot, rows).await;
        }
        let parts = rows.chunks(most).enumerate().map(|(part, rows)| {
            let answer = self.ask(asked, Arc::clone(&hot), rows.to_vec());
            async move {
                answer.await.map_err(|error| match error {
                    PredictError::Rows(errors) => PredictError::Rows(moved(errors, part * most)),
                    error => error,
                })
            }
        });
        let mut whole = Answered::nothing();
        for part in try_join_all(parts).await? {
            whole.add(part);
        }
        Ok(whole)
    }

    /// A language model's text, piece by piece. Who drops the receiver ends it.
    pub async fn generate(
        &self,
        asked: Asked<'_>,
        row: Row,
    ) -> Result<UnboundedReceiver<Piece>, PredictError> {
        let hot = self.hot(asked).await?;
        let (to, pieces) = unbounded_channel();
        let waiting = self.waiting(asked, hot, vec![row], Reply::Pieces(to));
        self.pools[1].enter(waiting)?;
        Ok(pieces)
    }

    /// Loads it ahead of its first use.
    pub async fn warm(&self, version: Source) -> Result<(), PredictError> {
        Ok(self.loaded.get(version).await.map(drop)?)
    }

    /// Or about to be; it counts as a use of it.
    pub fn is_loaded(&self, model: ModelId, number: u32) -> bool {
        self.loaded.is_there((model, number))
    }

    async fn hot(&self, asked: Asked<'_>) -> Result<Arc<Hot>, PredictError> {
        let within = self.limits.patience;
        let loaded = timeout(within, self.loaded.get(asked.version)).await;
        let hot = loaded.map_err(|_| PredictError::Loading(within))??;
        hot.name.get_or_init(|| asked.model.to_owned());
        Ok(hot)
    }

    /// Whether the files are those of a model that can be run here; nothing of it is kept.
    pub async fn check(&self, tenant: TenantId, made: &Made) -> Result<(), LoadError> {
        let files = registry::load_model(&self.blobs, tenant, made).await?;
        let _look = self.looks.acquire().await.expect("the semaphore is never closed");
        let load = move || Model::load(&files.config, &files.weights).map(drop);
        Ok(tokio::task::spawn_blocking(load).await??)
    }

    /// The versions that are loaded.
    pub fn loaded(&self) -> Vec<Arc<Hot>> {
        self.loaded.known()
    }

    /// What a version has done since it was loaded; nothing where it is not.
    pub fn counts(&self, (model, number): (ModelId, u32)) -> Counts {
        let loaded = self.loaded.known();
        let hot = loaded.iter().find(|hot| hot.key == (model, number));
        hot.map(|hot| hot.stats.counts()).unwrap_or_default()
    }

    /// What the models that are loaded, or are being loaded, take.
    pub fn loaded_bytes(&self) -> u64 {
        self.loaded.bytes()
    }

    async fn ask(
        &self,
        asked: Asked<'_>,
        hot: Arc<Hot>,
        rows: Vec<Row>,
    ) -> Result<Answered, PredictError> {
        let pool = &self.pools[usize::from(hot.model.generates())];
        let (to, answer) = oneshot::channel();
        pool.ask(self.waiting(asked, hot, rows, Reply::Whole(to)), answer).await
    }

    fn waiting(
        &self,
        asked: Asked<'_>,
        hot: Arc<Hot>,
        rows: Vec<Row>,
        reply: Reply,
    ) -> Waiting<Work> {
        let since = Instant::now();
        Waiting {
            tenant: asked.tenant,
            version: asked.version.key(),
            rows: rows.len(),
            since,
            until: since + self.limits.patience,
            work: Work {
                hot,
                caller: asked.caller.to_owned(),
                rows,
                explain: asked.explain,
                reply,
            },
        }
    }
}

impl Answered {
    const fn nothing() -> Self {
        let (waited, took) = (Duration::ZERO, Duration::ZERO);
        Self { predictions: Vec::new(), batch_rows: 0, waited, took }
    }

    /// Its next part.
    fn add(&mut self, part: Self) {
        self.predictions.extend(part.predictions);
        self.batch_rows = self.batch_rows.max(part.batch_rows);
        self.waited = self.waited.max(part.waited);
        self.took += part.took;
    }

    /// Of texts that a language model has made.
    pub fn tokens(&self) -> u64 {
        let tokens = self.predictions.iter().map(|prediction| match prediction {
            Prediction::Text { tokens, .. } => u64::from(*tokens),
            _ => 0,
        });
        tokens.sum()
    }
}

/// Whether the version's model answers with text that can be told as it comes.
pub fn generates(version: &ModelVersion) -> bool {
    version.made.as_ref().is_some_and(|made| made.config.task == Task::LanguageModeling)
}

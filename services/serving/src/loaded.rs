//! Versions that are loaded. A version never changes, so what is loaded never goes stale. Each is read once, however
//! many wait for it, and by a task of its own: who waits for one version does not wait for another, and one that
//! cannot be loaded fails those who waited for it; the next request tries again.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use engine::{Described, EngineError, Model};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use registry::{BlobError, Blobs};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, spawn_blocking};
use tracing::info;

use crate::{
    shelf::{Key, NoRoom, Shelf},
    source::Source,
    stats::Stats,
};

/// A model in memory, and what it has done since it is there.
pub struct Hot {
    pub model: Model,
    pub stats: Stats,
    pub key: Key,
    /// `tenant/model`, once it was asked by it.
    pub name: OnceLock<String>,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the version has no model that can be run here")]
    NotOurs,
    #[error(
        "the model takes {bytes} bytes of memory, more than the {budget_bytes} that models may take together; ask \
         the operator for a larger `CUPOLA_MODEL_MEMORY_BYTES`"
    )]
    TooLarge { bytes: u64, budget_bytes: u64 },
    #[error("too many models are being loaded to have room for this one; come again in a moment")]
    Crowded,
    #[error("the model's files cannot be read")]
    Blobs(#[from] BlobError),
    #[error("the model cannot be rebuilt")]
    Engine(#[from] EngineError),
    #[error("the loading broke off")]
    Broken(#[from] JoinError),
    /// In the process of a replica.
    #[error(transparent)]
    Elsewhere(Elsewhere),
}

/// What a replica tells of what no client can mend: for whose want, and its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Elsewhere {
    #[error("{0}")]
    KeyDestroyed(String),
    #[error("a replica: {0}")]
    Database(String),
    #[error("a replica: {0}")]
    ObjectStore(String),
    #[error("a replica: {0}")]
    Other(String),
}

impl From<NoRoom> for LoadError {
    fn from(no_room: NoRoom) -> Self {
        match no_room {
            NoRoom::TooLarge { bytes, budget_bytes } => Self::TooLarge { bytes, budget_bytes },
            NoRoom::Crowded => Self::Crowded,
        }
    }
}

type Outcome = Result<Arc<Hot>, Arc<LoadError>>;

enum Entry {
    Loading(Shared<BoxFuture<'static, Outcome>>),
    Ready(Arc<Hot>),
}

pub struct Loaded {
    blobs: Blobs,
    shelf: Mutex<Shelf<Entry>>,
}

impl Loaded {
    pub const fn new(blobs: Blobs, budget_bytes: u64) -> Self {
        Self { blobs, shelf: Mutex::new(Shelf::new(budget_bytes)) }
    }

    /// Loads it if it is not there.
    pub async fn get(self: &Arc<Self>, version: Source) -> Outcome {
        let key = version.key();
        let loading = {
            let mut shelf = self.shelf();
            match shelf.get(key) {
                Some(Entry::Ready(hot)) => return Ok(Arc::clone(hot)),
                Some(Entry::Loading(loading)) => loading.clone(),
                None => {
                    let files = version.files().map_err(Arc::new)?;
                    let place = (files.memory_bytes(), true);
                    let begin = || Entry::Loading(self.begin(version));
                    shelf.put(key, place, begin).map_err(|error| Arc::new(error.into()))?;
                    match shelf.get(key) {
                        Some(Entry::Loading(loading)) => loading.clone(),
                        _ => unreachable!("it was put there under the lock"),
                    }
                }
            }
        };
        loading.await
    }

    pub fn known(&self) -> Vec<Arc<Hot>> {
        let ready = |entry: &Entry| match entry {
            Entry::Ready(hot) => Some(Arc::clone(hot)),
            Entry::Loading(_) => None,
        };
        self.shelf().values().filter_map(ready).collect()
    }

    pub fn is_there(&self, key: Key) -> bool {
        self.shelf().get(key).is_some()
    }

    pub fn bytes(&self) -> u64 {
        self.shelf().bytes()
    }

    /// In a task of its own: it goes on when whoever asked first has left.
    fn begin(self: &Arc<Self>, version: Source) -> Shared<BoxFuture<'static, Outcome>> {
        let (this, key) = (Arc::clone(self), version.key());
        let after_panic = Arc::clone(self);
        let task = tokio::spawn(async move {
            let loaded = this.load(version).await;
            this.settle(key, loaded)
        });
        let ended = task.map(move |ended| {
            ended.unwrap_or_else(|error| after_panic.settle(key, Err(error.into())))
        });
        ended.boxed().shared()
    }

    async fn load(&self, version: Source) -> Result<Arc<Hot>, LoadError> {
        let files = version.files()?;
        let config = self.blobs.read_whole(version.tenant, files.config).await?;
        let described = spawn_blocking(move || Described::read(&config));
        let weights = self.blobs.read_whole(version.tenant, files.weights).await?;
        let described = described.await??;
        let model = spawn_blocking(move || described.with_weights(&weights)).await??;
        let (bytes, key) = (model.memory_bytes(), version.key());
        info!(model.id = %key.0, model.version = key.1, bytes, "model loaded");
        Ok(Arc::new(Hot { model, stats: Stats::default(), key, name: OnceLock::new(), bytes }))
    }

    fn settle(&self, key: Key, loaded: Result<Arc<Hot>, LoadError>) -> Outcome {
        let mut shelf = self.shelf();
        let kept = loaded.and_then(|hot| {
            let gone = shelf.put(key, (hot.bytes, false), || Entry::Ready(Arc::clone(&hot)))?;
            for (model, version) in gone {
                info!(model.id = %model, model.version = version, "model dropped for another one");
            }
            Ok(hot)
        });
        kept.map_err(|error| {
            shelf.remove(key);
            Arc::new(error)
        })
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<Entry>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What is loaded: a version, and where the bytes of its model are. It is all that a process has to be told of a
//! version to predict with it.

use domain::{Digest, ModelId, TenantId, child::CONFIG_FILE};
use serde::{Deserialize, Serialize};
use store::models::{Made, ModelVersion};

use crate::{LoadError, shelf::Key};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub model: ModelId,
    pub number: u32,
    /// Whose bytes they are.
    pub tenant: TenantId,
    /// None where it has no model that can be run here.
    files: Option<Files>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Files {
    pub weights: Digest,
    pub weights_bytes: u64,
    pub config: Digest,
    pub config_bytes: u64,
}

impl Source {
    pub const fn key(&self) -> Key {
        (self.model, self.number)
    }

    pub(crate) fn files(&self) -> Result<Files, LoadError> {
        self.files.ok_or(LoadError::NotOurs)
    }
}

impl Files {
    /// What the model will take, by what its row says of its files: about what [`engine::Model::memory_bytes`] will
    /// say.
    pub const fn memory_bytes(&self) -> u64 {
        self.weights_bytes.saturating_add(self.config_bytes.saturating_mul(3))
    }
}

impl From<&ModelVersion> for Source {
    fn from(version: &ModelVersion) -> Self {
        let config = version.files.iter().find(|file| file.path.as_str() == CONFIG_FILE);
        let files = |made: &Made| Files {
            weights: made.weights_sha256,
            weights_bytes: made.weights_bytes,
            config: made.config_sha256,
            config_bytes: config.map_or(0, |file| file.bytes),
        };
        Self {
            model: version.model,
            number: version.number,
            tenant: version.tenant,
            files: version.made.as_ref().map(files),
        }
    }
}

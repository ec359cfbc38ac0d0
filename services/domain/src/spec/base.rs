//! A training that starts from the weights of a model that is there.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The version whose weights a training starts from, by content: what the name says may change, this
/// does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BaseModel {
    /// Publisher and name.
    #[schema(examples("acme/reviews"))]
    pub model: String,
    pub version: u32,
    pub weights_sha256: Digest,
    pub config_sha256: Digest,
}

//! A cause as the API shows it: with what helps.

use domain::job::Cause;
use serde::Serialize;
use utoipa::ToSchema;

/// Why something ended or failed, in words that a person can act on.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseView {
    #[serde(flatten)]
    pub cause: Cause,
    /// What helps.
    pub remedy: Option<&'static str>,
}

impl From<Cause> for CauseView {
    fn from(cause: Cause) -> Self {
        Self { remedy: cause.remedy(), cause }
    }
}

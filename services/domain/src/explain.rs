//! Why a model answered as it did: what each feature of a row, or each token of a text, has added to the answer, and
//! what each feature is worth to a version on many rows.

use serde::{Deserialize, Serialize};

use crate::field::FieldErrors;

/// How predictions are to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    pub method: ExplainMethod,
    /// Places between the baseline and the row where slopes are taken; 50 if absent. The answer takes so many times
    /// longer than one without.
    #[serde(default = "Explain::usual_steps")]
    #[schema(minimum = 1, maximum = 500)]
    pub steps: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExplainMethod {
    /// Sundararajan, Taly and Yan, 2017.
    IntegratedGradients,
}

impl Explain {
    /// Of one request.
    pub const MAX_ROWS: usize = 32;
    pub const MAX_STEPS: u32 = 500;

    const fn usual_steps() -> u32 {
        50
    }

    /// Whether so many rows may be explained so at once.
    pub fn check(self, rows: usize) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        let most = Self::MAX_STEPS;
        if !(1..=most).contains(&self.steps) {
            let why = format!("is {}; use a number from 1 to {most}", self.steps);
            errors.add("explain.steps", why);
        }
        let most = Self::MAX_ROWS;
        if rows > most {
            let why =
                format!("has {rows} rows; send at most {most} at once to have them explained");
            errors.add("rows", why);
        }
        errors.into_result(())
    }
}

/// What an answer is made of: `value - baseline` is the sum of the attributions, but for `convergence_delta`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Explanation {
    /// Whose probability is explained; absent where the answer is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What the model answers to the baseline: a row of which nothing is known, a text of padding.
    pub baseline: f64,
    /// What it answers to the row: the probability of `class`, or the number in the target's own unit.
    pub value: f64,
    /// Of each feature, as the training data names them; of a text, of each token in their order.
    pub attributions: Vec<Attribution>,
    /// The sum of the attributions less `value - baseline`: what was lost by taking steps. More steps make it smaller.
    pub convergence_delta: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Attribution {
    Feature { feature: String, attribution: f64 },
    Token { token: String, attribution: f64 },
}

impl Attribution {
    pub const fn amount(&self) -> f64 {
        match self {
            Self::Feature { attribution, .. } | Self::Token { attribution, .. } => *attribution,
        }
    }
}

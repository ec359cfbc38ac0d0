//! What an endpoint is asked to be, checked as far as it can be by itself.

use std::sync::Arc;

use domain::{FieldErrors, endpoint::Split};
use serde::Deserialize;
use store::{
    TenantTx,
    endpoints::{NewTarget, Settings},
    models::ModelVersion,
};
use utoipa::ToSchema;

use crate::{
    ApiError, Code,
    models::{known_model, known_version},
};

const MAX_DESCRIPTION_CHARS: usize = 2_000;
const MAX_CONCURRENT: u32 = 10_000;
const DEFAULT_CONCURRENT: u32 = 100;
const MAX_PER_SECOND: u32 = 100_000;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEndpoint {
    #[serde(default)]
    description: String,
    /// The versions that answer, 1 to 10.
    traffic: Vec<NewTraffic>,
    /// A version that is given calls besides, whose answers nobody sees but as counts.
    shadow: Option<NewShadow>,
    /// Whether its versions stay in memory while nobody calls; false if absent.
    #[serde(default)]
    keep_warm: bool,
    /// The most calls being answered at once by one gateway; 100 if absent.
    max_concurrent: Option<u32>,
    /// The most calls in a second; if absent, as many as the tenant's own limits let through.
    requests_per_second: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTraffic {
    /// Publisher and name.
    #[schema(examples("acme/churn"))]
    model: String,
    /// A number, an alias or a revision, as it stands now; the newest that is published if absent.
    version: Option<String>,
    /// Its share is this in the sum of all.
    weight: u32,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewShadow {
    /// Publisher and name.
    model: String,
    version: Option<String>,
    /// Of a hundred calls, how many it is given; all if absent.
    percent: Option<u32>,
}

impl NewEndpoint {
    /// All that is wrong of what needs nothing else to be known.
    pub fn settings(&self) -> Result<Settings, FieldErrors> {
        let mut errors = FieldErrors::default();
        if self.description.chars().count() > MAX_DESCRIPTION_CHARS {
            errors.add("description", format!("has more than {MAX_DESCRIPTION_CHARS} characters"));
        }
        let mut within = |field: &str, given: u32, most: u32| {
            if !(1..=most).contains(&given) {
                errors.add(field, format!("is {given}; use 1 to {most}"));
            }
        };
        let max_concurrent = self.max_concurrent.unwrap_or(DEFAULT_CONCURRENT);
        within("max_concurrent", max_concurrent, MAX_CONCURRENT);
        if let Some(per_second) = self.requests_per_second {
            within("requests_per_second", per_second, MAX_PER_SECOND);
        }
        if let Some(percent) = self.shadow.as_ref().and_then(|shadow| shadow.percent) {
            within("shadow.percent", percent, 100);
        }
        let weights = self.traffic.iter().map(|target| target.weight).collect();
        if let Err(more) = Split::new(weights) {
            errors.0.extend(more.0);
        }
        errors.into_result(Settings {
            description: self.description.clone(),
            keep_warm: self.keep_warm,
            max_concurrent,
            per_second: self.requests_per_second,
        })
    }

    /// The versions that it names, as they stand now, each with where it is named.
    pub async fn targets(&self, tx: &mut TenantTx<'_>) -> Result<Vec<Named>, ApiError> {
        let mut named = Vec::new();
        for (n, target) in self.traffic.iter().enumerate() {
            let field = format!("traffic[{n}]");
            let version = find(tx, &field, &target.model, target.version.as_deref()).await?;
            named.push(Named::new(field, version, target.weight, false));
        }
        if let Some(shadow) = &self.shadow {
            let field = "shadow".to_owned();
            let version = find(tx, &field, &shadow.model, shadow.version.as_deref()).await?;
            named.push(Named::new(field, version, shadow.percent.unwrap_or(100), true));
        }
        Ok(named)
    }
}

/// A version and the field that names it.
pub(super) struct Named {
    pub field: String,
    pub version: Arc<ModelVersion>,
    pub target: NewTarget,
}

impl Named {
    fn new(field: String, version: ModelVersion, weight: u32, is_shadow: bool) -> Self {
        let (model, number) = (version.model, version.number);
        let target = NewTarget { model, version: number, weight, is_shadow };
        Self { field, version: Arc::new(version), target }
    }
}

async fn find(
    tx: &mut TenantTx<'_>,
    field: &str,
    model: &str,
    version: Option<&str>,
) -> Result<ModelVersion, ApiError> {
    let shown: String = model.chars().take(130).collect();
    let Some((tenant, name)) = model.split_once('/') else {
        let why = format!("`{shown}` is not a publisher and a name, as in acme/churn");
        return Err(ApiError::field(format!("{field}.model"), why));
    };
    let missing = |part: &str, error: ApiError| match error.code {
        Code::NotFound | Code::Gone => ApiError::field(format!("{field}.{part}"), error.detail),
        _ => error,
    };
    let model = known_model(tx, tenant, name).await.map_err(|error| missing("model", error))?;
    let version = known_version(tx, &model, version.unwrap_or("latest"));
    version.await.map_err(|error| missing("version", error))
}

//! From a draft to a job: the draft meets the dataset's profile, and what comes out is the resolved
//! specification or every error at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    FieldErrors, JobId, PoolId, TenantId, Timestamp, UserId,
    child::DataFile,
    dataset::Profile,
    name::Name,
    spec::{
        AfterCondition, AfterDraft, ConcurrencyDraft, DatasetRef, Limits, TestSet, TrainingDraft,
        TrainingSpec,
    },
    world::Concurrency,
};
use store::{
    TenantTx,
    datasets::{self, ProfileState, Version},
    jobs::NewJob,
    models, pools,
};

use super::base::{self, Base};
use crate::{
    ApiError, App, Code, datasets::settled_version, models::looks_like, people::check_label,
};

/// How long a submission waits for the profile of a dataset that was pushed a moment ago.
pub(crate) const PROFILE_PATIENCE: Duration = Duration::from_secs(10);
const RETRY_NOT_READY_SECS: u32 = 5;
const MAX_NAME_CHARS: usize = 100;
const MAX_PRIORITY: i64 = 100;
const MAX_AFTER: usize = 100;
const MAX_CONCURRENCY: i64 = 1_000_000;
const MAX_START_AFTER_SECS: u64 = 366 * 86_400;

/// The draft against its data, and the pool that it names.
pub(crate) async fn prepared(
    app: &App,
    (tenant, user): (TenantId, UserId),
    patience: Duration,
    draft: TrainingDraft,
) -> Result<NewJob, ApiError> {
    let data = Prepared::new(app, tenant, patience, &draft).await?;
    let mut job = [data.job(app, user, draft)?];
    find_pools(app, tenant, &mut job).await?;
    let [job] = job;
    Ok(job)
}

/// The data that drafts are checked against.
pub(crate) struct Prepared {
    version: Version,
    profile: Box<Profile>,
    test: Option<TestSet>,
    base: Option<Base>,
}

impl Prepared {
    pub async fn new(
        app: &App,
        tenant: TenantId,
        patience: Duration,
        draft: &TrainingDraft,
    ) -> Result<Self, ApiError> {
        let of = (draft.dataset.as_str(), draft.version);
        let (version, profile) = resolve(app, tenant, of, "dataset", patience).await?;
        let test = match &draft.test {
            Some(test) => {
                let of = (test.dataset.as_str(), test.version);
                let found = resolve(app, tenant, of, "test.dataset", patience).await?;
                Some(test_set(found, draft, &profile)?)
            }
            None => None,
        };
        let base = match &draft.base_model {
            Some(named) => Some(base::find(app, tenant, named).await?),
            None => None,
        };
        Ok(Self { version, profile, test, base })
    }

    /// In the default pool, until its own is looked up.
    pub fn job(&self, app: &App, user: UserId, draft: TrainingDraft) -> Result<NewJob, ApiError> {
        new_job(draft, user, self, &app.config.limits, app.clock.now())
    }
}

/// The pools that jobs name, if these have what the jobs ask for; and whether their models' names are
/// unlike those that there are.
pub(crate) async fn find_pools(
    app: &App,
    tenant: TenantId,
    jobs: &mut [NewJob],
) -> Result<(), ApiError> {
    let mut tx = app.store.begin_for(tenant).await?;
    let mut known: BTreeMap<String, (PoolId, Option<String>)> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for job in jobs {
        let Some(spec) = &job.spec else { continue };
        let model = &spec.registered_model_name;
        if names.insert(model.clone())
            && let Some(other) = models::looks_like(&mut tx, model).await?
        {
            return Err(looks_like(model, &other));
        }
        let name = spec.pool.as_str();
        if !known.contains_key(name) {
            known.insert(name.to_owned(), pool(&mut tx, name).await?);
        }
        let (id, accelerator) = &known[name];
        if job.resources.accelerator_milli > 0 && accelerator.is_none() {
            let why =
                format!("the workers of pool `{name}` have no accelerators; name another pool");
            return Err(ApiError::field("resources.accelerator_milli", why));
        }
        job.pool = *id;
    }
    Ok(tx.commit().await?)
}

async fn pool(tx: &mut TenantTx<'_>, name: &str) -> Result<(PoolId, Option<String>), ApiError> {
    if let Some(found) = pools::by_name(tx, name).await? {
        return Ok(found);
    }
    let names = pools::names(tx).await?.join(", ");
    let why = format!("there is no pool `{name}`; there are: {names}");
    Err(ApiError::field("resources.pool", why))
}

/// The version that a draft's `field` names, once its profile is there.
pub(crate) async fn resolve(
    app: &App,
    tenant: TenantId,
    (dataset, number): (&str, Option<u32>),
    field: &'static str,
    patience: Duration,
) -> Result<(Version, Box<Profile>), ApiError> {
    let no_dataset = || {
        let name: String = dataset.chars().take(80).collect();
        let why = format!(
            "there is no dataset `{name}`; push a file to `/v1/datasets/{{name}}/versions` first"
        );
        ApiError::field(field, why)
    };
    let name: Name = dataset.parse().map_err(|_| no_dataset())?;
    let found = settled_version(app, tenant, &name, number, patience).await?;
    let Some(mut version) = found else {
        return Err(match newest(app, tenant, &name).await? {
            Some(newest) => ApiError::field(
                if field == "dataset" { "version" } else { "test.version" },
                format!("dataset `{name}` has no such version; the newest is {newest}"),
            ),
            None => no_dataset(),
        });
    };
    match std::mem::replace(&mut version.profile, ProfileState::Pending) {
        ProfileState::Ready(profile) => Ok((version, profile)),
        ProfileState::Pending => {
            let why = format!(
                "no worker has read version {} of dataset `{name}` yet; submit again in a moment",
                version.number
            );
            Err(ApiError::new(Code::DatasetNotReady, why).retry_after(RETRY_NOT_READY_SECS))
        }
        ProfileState::Invalid(cause) => {
            let why = format!(
                "version {} of dataset `{name}` cannot be read: {}",
                version.number, cause.message
            );
            let errors = FieldErrors::one(field, &why).0;
            Err(ApiError { errors, ..ApiError::new(Code::DatasetInvalid, why) })
        }
    }
}

async fn newest(app: &App, tenant: TenantId, name: &Name) -> Result<Option<u32>, ApiError> {
    let mut tx = app.store.begin_for(tenant).await?;
    let found = datasets::version(&mut tx, name.as_str(), None).await?;
    tx.commit().await?;
    Ok(found.map(|version| version.number))
}

/// The test set has the columns that the model is trained on.
fn test_set(
    (version, profile): (Version, Box<Profile>),
    draft: &TrainingDraft,
    trained_on: &Profile,
) -> Result<TestSet, ApiError> {
    let wanted = |name: &&str| !draft.drop.iter().flatten().any(|dropped| dropped == name);
    let columns = trained_on.columns.iter().map(|column| column.name.as_str());
    let missing: Vec<&str> =
        columns.filter(wanted).filter(|name| profile.column(name).is_none()).collect();
    if !missing.is_empty() {
        let why = format!("it lacks columns that are trained on: {}", missing.join(", "));
        return Err(ApiError::field("test.dataset", why));
    }
    Ok(TestSet {
        dataset: DatasetRef {
            name: version.dataset_name.parse().map_err(|error: domain::name::NameError| {
                ApiError::field("test.dataset", error.to_string())
            })?,
            version: version.number,
            sha256: version.sha256,
        },
        data: DataFile {
            format: version.format,
            compression: version.compression,
            sha256: version.sha256,
            bytes: version.bytes,
        },
    })
}

fn new_job(
    draft: TrainingDraft,
    user: UserId,
    Prepared { version, profile, test, base }: &Prepared,
    limits: &Limits,
    now: Timestamp,
) -> Result<NewJob, ApiError> {
    let mut errors = FieldErrors::default();
    let name = draft.name.clone().unwrap_or_else(|| format!("train {}", version.dataset_name));
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        errors.add("name", format!("must be 1 to {MAX_NAME_CHARS} characters on one line"));
    }
    let priority = draft.priority.unwrap_or(0);
    if !(-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority) {
        errors.add(
            "priority",
            format!("{priority} is out of range; use -{MAX_PRIORITY} to {MAX_PRIORITY}"),
        );
    }
    let after = after(draft.after.as_deref().unwrap_or_default(), &mut errors);
    let concurrency = draft.concurrency.as_ref().map(|of| concurrency(of, &mut errors));
    let not_before = draft.start_after;
    if not_before.is_some_and(|at| at > now + Duration::from_secs(MAX_START_AFTER_SECS)) {
        errors.add("start_after", "it is more than a year ahead");
    }
    let dataset = DatasetRef {
        name: draft.dataset.parse().map_err(|error: domain::name::NameError| {
            ApiError::field("dataset", error.to_string())
        })?,
        version: version.number,
        sha256: version.sha256,
    };
    let parsed = match base {
        None => TrainingSpec::parse(draft, dataset, test.clone(), profile, limits),
        Some(base) => {
            let (named, data) = (base.named.clone(), (dataset, test.clone()));
            TrainingSpec::parse_upon(draft, (named, &base.config), data, profile, limits)
                .and_then(|spec| base::fits(base, &spec).map(|()| spec))
        }
    };
    let spec = match parsed {
        Ok(spec) => errors.into_result(spec)?,
        Err(more) => {
            errors.0.extend(more.0);
            return Err(errors.into());
        }
    };
    let size = (spec.resources, spec.max_runtime);
    Ok(NewJob {
        priority: i32::try_from(priority).unwrap_or(0),
        workers: spec.workers,
        spec: Some(spec),
        after,
        not_before,
        concurrency,
        base: base.as_ref().map(|base| base.id),
        // its pool is looked up once a transaction is open
        ..NewJob::new(name, user, (version.dataset, version.number), size)
    })
}

fn concurrency(draft: &ConcurrencyDraft, errors: &mut FieldErrors) -> Concurrency {
    check_label(errors, "concurrency.key", &draft.key);
    let limit = draft.limit.unwrap_or(1);
    if !(1..=MAX_CONCURRENCY).contains(&limit) {
        errors.add("concurrency.limit", format!("`{limit}`: use 1 to {MAX_CONCURRENCY}"));
    }
    Concurrency { key: draft.key.clone(), limit: u32::try_from(limit).unwrap_or(1) }
}

fn after(drafts: &[AfterDraft], errors: &mut FieldErrors) -> Vec<(JobId, AfterCondition)> {
    if drafts.len() > MAX_AFTER {
        errors.add("after", format!("{} jobs; wait for at most {MAX_AFTER}", drafts.len()));
    }
    let mut after = Vec::new();
    for (n, draft) in drafts.iter().take(MAX_AFTER).enumerate() {
        match draft.job.parse() {
            Ok(id) => after.push((id, draft.condition.unwrap_or_default())),
            Err(error) => {
                let error: domain::id::IdError = error;
                errors.add(format!("after[{n}].job"), error.to_string());
            }
        }
    }
    after
}

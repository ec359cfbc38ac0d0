//! Advice: what one could train on a dataset, and what to try after a run. What is said is decided by the
//! crate `advice`; here it gets what is known, and each specification is checked as a submission is.

use ::advice::{Curves, Finding, Run, Suggestion, judge, start};
use actix_web::{HttpRequest, post, web};
use domain::{
    JobId, TenantId,
    access::Permission,
    dataset::Profile,
    evaluation::{Evaluation, EvaluationSplit},
    job::{JobKind, JobStatus},
    name::Name,
    registry::Reference,
    spec::{Estimate, Family, Task, TrainingDraft},
    spend::Prices,
};
use serde::{Deserialize, Serialize, Serializer};
use store::{
    TenantTx,
    datasets::{self, ProfileState},
    events,
    jobs::{self, Job},
    models, pools,
};
use utoipa::ToSchema;

use crate::{
    ApiError, App, Body, Caller, Code, ServiceConfig,
    auth::ReadJobs,
    datasets::patience,
    jobs::{PROFILE_PATIENCE, Prepared, resolve},
    usage::SpendView,
};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(advise);
}

/// Either `dataset` or `job`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AdviceDraft {
    /// What could be trained on it.
    #[schema(examples("breast-cancer"))]
    dataset: Option<String>,
    /// Of the dataset; the newest if absent.
    version: Option<u32>,
    /// The column to predict; guessed if absent.
    target: Option<String>,
    /// A training that has ended: what its figures say, and what to try next.
    #[schema(value_type = Option<JobId>)]
    job: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum AdviceView {
    OfDataset(StartView),
    OfRun(RunView),
}

#[derive(Serialize, ToSchema)]
struct StartView {
    dataset: String,
    version: u32,
    /// The column that the suggestions predict; none of a plain text or of what somebody took.
    target: Option<String>,
    /// The best guess first.
    suggestions: Vec<SuggestionView>,
    /// What was left out of them, and what to look at, in words.
    notes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct SuggestionView {
    family: Family,
    task: Task,
    /// Why it fits.
    reason: String,
    /// Can be submitted as it is.
    #[serde(serialize_with = "brief")]
    spec: TrainingDraft,
    estimate: Estimate,
    /// In the pool that it names, if it takes as long as is estimated.
    costs_about: SpendView,
}

#[derive(Serialize, ToSchema)]
struct RunView {
    job: JobId,
    /// The most pressing first; none if the run went well.
    findings: Vec<FindingView>,
    /// The rule of the finding whose change to try next.
    next: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct FindingView {
    /// Of docs/ADVICE.md.
    rule: &'static str,
    /// What is seen, with its numbers.
    symptom: String,
    cause: &'static str,
    remedy: &'static str,
    change: Option<ChangeView>,
}

/// The one change.
#[derive(Serialize, ToSchema)]
struct ChangeView {
    /// Which, in words.
    what: String,
    /// The run's own specification with it. Can be submitted as it is.
    #[serde(serialize_with = "brief")]
    spec: TrainingDraft,
}

fn brief<S: Serializer>(draft: &TrainingDraft, serializer: S) -> Result<S::Ok, S::Error> {
    draft.brief().serialize(serializer)
}

/// What to train, or what to try next.
///
/// Of a dataset: which families fit it and why, each as a specification with what it is thought to take. Of
/// a training that has ended: what its figures say, and the specification changed for the next one. Nothing
/// is queued.
#[utoipa::path(
    operation_id = "advise",
    tag = "jobs",
    params(
        ("Prefer" = Option<String>, Header,
            description = "`wait=N`: wait up to N seconds for a profile that is being made; 10 if absent"),
    ),
    request_body = AdviceDraft,
    responses(
        (status = 200, body = AdviceView),
        (status = 409, description = "The dataset is still being profiled, or the job has not ended"),
    ),
)]
#[post("/v1/advice")]
async fn advise(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    request: HttpRequest,
    Body(asked): Body<AdviceDraft>,
) -> Result<web::Json<AdviceView>, ApiError> {
    let AdviceDraft { dataset, version, target, job } = asked;
    let view = match (dataset, job) {
        (Some(dataset), None) => {
            if !caller.may(Permission::ReadDatasets) {
                let why = "advice on a dataset is for those who may read datasets; use another key";
                return Err(ApiError::new(Code::Forbidden, why));
            }
            let patience = patience(request.headers(), PROFILE_PATIENCE);
            let of = (dataset.as_str(), version);
            let tenant = caller.tenant();
            let (version, profile) = resolve(&app, tenant, of, "dataset", patience).await?;
            let named = (version.dataset_name.as_str(), version.number);
            AdviceView::OfDataset(of_dataset(&app, named, &profile, target.as_deref()).await?)
        }
        (None, Some(job)) if version.is_none() && target.is_none() => {
            AdviceView::OfRun(of_run(&app, &caller, &job).await?)
        }
        (None, Some(_)) => {
            return Err(ApiError::field("job", "has its own dataset and target; leave them out"));
        }
        _ => return Err(ApiError::field("dataset", "name either a dataset or a job")),
    };
    Ok(web::Json(view))
}

async fn of_dataset(
    app: &App,
    (dataset, version): (&str, u32),
    profile: &Profile,
    target: Option<&str>,
) -> Result<StartView, ApiError> {
    let name: Name = dataset
        .parse()
        .map_err(|error: domain::name::NameError| ApiError::field("dataset", error.to_string()))?;
    let found = start((&name, Some(version)), profile, target, &app.config.limits)?;
    let mut tx = app.store.begin().await?;
    let prices = pools::list(&mut tx).await?;
    tx.commit().await?;
    let default = prices.iter().find(|pool| pool.name == domain::spec::DEFAULT_POOL);
    let prices = default.map_or_else(Prices::default, |pool| pool.prices);
    let view = |suggestion: Suggestion| {
        let Suggestion { family, task, reason, draft, resources, estimate } = suggestion;
        let millis = (estimate.seconds * 1e3).ceil() as u64;
        let costs_about = prices.rate(&resources).over_millis(millis).into();
        SuggestionView { family, task, reason, spec: draft, estimate, costs_about }
    };
    Ok(StartView {
        dataset: dataset.to_owned(),
        version,
        target: found.target,
        suggestions: found.suggestions.into_iter().map(view).collect(),
        notes: found.notes,
    })
}

/// What is known of a run when it is judged.
struct Known {
    job: Job,
    curves: Curves,
    profile: Option<Box<Profile>>,
    evaluation: Option<Evaluation>,
}

async fn of_run(app: &App, caller: &Caller<ReadJobs>, id: &str) -> Result<RunView, ApiError> {
    let known = known(app, caller.tenant(), caller.tenant_slug(), id).await?;
    let spec = known.job.spec.as_ref().expect("a training has one");
    let found = judge(&Run {
        spec,
        curves: &known.curves,
        profile: known.profile.as_deref(),
        evaluation: known.evaluation.as_ref(),
        cause: known.job.cause.as_ref().filter(|_| known.job.status == JobStatus::Failed),
    });
    // its data or its base may be gone since: then no change of it can be submitted
    let draft = TrainingDraft::from(spec);
    let nothing = std::time::Duration::ZERO;
    let data = Prepared::new(app, caller.tenant(), nothing, &draft).await.ok();
    let is_taken = |draft: &TrainingDraft| {
        data.as_ref().is_some_and(|data| data.job(app, caller.user(), draft.clone()).is_ok())
    };
    let view = |finding: Finding| {
        let Finding { rule, symptom, cause, remedy, change } = finding;
        let change = change.filter(|(_, draft)| is_taken(draft));
        let change = change.map(|(what, spec)| ChangeView { what, spec });
        FindingView { rule, symptom, cause, remedy, change }
    };
    let findings: Vec<_> = found.into_iter().map(view).collect();
    let next = findings.iter().find(|one| one.change.is_some()).map(|one| one.rule);
    Ok(RunView { job: known.job.id, findings, next })
}

async fn known(app: &App, tenant: TenantId, slug: &str, id: &str) -> Result<Known, ApiError> {
    let unknown = || ApiError::field("job", format!("there is no job `{id}`"));
    let id: JobId = id.parse().map_err(|_| unknown())?;
    let mut tx = app.store.begin_for(tenant).await?;
    let job = jobs::get(&mut tx, id).await?.ok_or_else(unknown)?;
    if job.kind != JobKind::Train {
        return Err(ApiError::field("job", format!("{id} trains nothing; name a training")));
    }
    if !job.status.is_final() {
        let why = format!("{id} has not ended; ask again when it has");
        return Err(ApiError::new(Code::Conflict, why));
    }
    let points = events::metrics(&mut tx, id).await?;
    let curves = Curves::new(points.into_iter().map(|point| (point.name, point.value)));
    let version = datasets::version(&mut tx, &job.dataset_name, Some(job.dataset_version)).await?;
    let profile = version.and_then(|version| match version.profile {
        ProfileState::Ready(profile) => Some(profile),
        ProfileState::Pending | ProfileState::Invalid(_) => None,
    });
    let evaluation = evaluation(&mut tx, slug, &job).await?;
    tx.commit().await?;
    Ok(Known { job, curves, profile, evaluation })
}

/// Of what it has published, on the rows that were held back.
async fn evaluation(
    tx: &mut TenantTx<'_>,
    slug: &str,
    job: &Job,
) -> Result<Option<Evaluation>, ApiError> {
    let Some((model, number)) = &job.published else { return Ok(None) };
    let Some(model) = models::get(tx, slug, model).await? else { return Ok(None) };
    let version = models::version(tx, model.id, &Reference::Number(*number)).await?;
    let made = version.and_then(|version| version.made);
    let all = made.map(|made| made.config.evaluations).unwrap_or_default();
    Ok(all.into_iter().find(|one| one.split == EvaluationSplit::Validation))
}

//! Trainings that are submitted by the clock: by a cron expression, in UTC.

mod fire;

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header, post, web};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use domain::{FieldErrors, JobId, ScheduleId, Timestamp, spec::TrainingDraft};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::cron::{self, Inserted, NewSchedule, Schedule};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

pub use self::fire::fire_due;
use crate::{
    ApiError, App, Body, Caller, Code, Listing,
    audit::Object,
    auth::{ReadJobs, SubmitJobs},
    datasets::patience,
    jobs::{PROFILE_PATIENCE, prepared},
    people::check_label,
};

const MOST: i64 = 100;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create).service(list).service(get).service(pause).service(resume).service(remove);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleDraft {
    /// 1 to 100 characters, among the tenant's schedules its own.
    name: String,
    /// Minute, hour, day of the month, month, day of the week, in UTC; or `@hourly`, `@daily`, `@weekly`,
    /// `@monthly`, `@yearly`.
    #[schema(examples("30 2 * * MON-FRI"))]
    cron: String,
    /// What is submitted each time: it is checked now, and again each time, with the data as they are then.
    spec: TrainingDraft,
    /// What becomes of a run while the one before has not ended.
    overlap: Option<Overlap>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Overlap {
    /// It is submitted all the same. The default.
    Allow,
    /// It is left out.
    Skip,
}

#[derive(Serialize, ToSchema)]
struct ScheduleView {
    id: ScheduleId,
    name: String,
    cron: String,
    overlap: Overlap,
    #[schema(value_type = Object)]
    spec: Value,
    paused: bool,
    /// Absent while it is paused.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_at: Option<Timestamp>,
    last_job: Option<JobId>,
    /// Why nothing was submitted the last time.
    problem: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Schedule> for ScheduleView {
    fn from(schedule: Schedule) -> Self {
        Self {
            id: schedule.id,
            name: schedule.name,
            cron: schedule.cron,
            overlap: if schedule.skip_overlap { Overlap::Skip } else { Overlap::Allow },
            spec: schedule.draft,
            paused: schedule.paused,
            next_at: Some(schedule.next_at).filter(|_| !schedule.paused),
            last_at: schedule.last_at,
            last_job: schedule.last_job,
            problem: schedule.problem,
            created_at: schedule.created_at,
        }
    }
}

/// The first time after `now` that an expression names.
fn next_time(expression: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let bad = |why: String| {
        let why = format!("`{}`: {why}", expression.chars().take(80).collect::<String>());
        ApiError::field("cron", why)
    };
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron: Cron = parser.parse(expression).map_err(|error| bad(error.to_string()))?;
    cron.find_next_occurrence(&now, false)
        .map_err(|_| bad("there is no such time; name a day that exists".to_owned()))
}

/// Submit a training whenever its time comes.
///
/// Times that pass while the platform is down are made up for by one run. Each run has its own job, whose
/// id is `last_job` until the next one.
#[utoipa::path(
    operation_id = "create_schedule", tag = "schedules",
    request_body = ScheduleDraft,
    responses(
        (status = 201, body = ScheduleView),
        (status = 409, description = "The name is taken, or there are too many"),
    ),
)]
#[post("/v1/schedules")]
async fn create(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    request: HttpRequest,
    Body(draft): Body<ScheduleDraft>,
) -> Result<HttpResponse, ApiError> {
    let mut errors = FieldErrors::default();
    check_label(&mut errors, "name", &draft.name);
    errors.into_result(())?;
    let next_at = next_time(&draft.cron, app.clock.now())?;
    let patience = patience(request.headers(), PROFILE_PATIENCE);
    let spec = serde_json::to_value(&draft.spec).map_err(|error| ApiError::internal(&error))?;
    prepared(&app, (caller.tenant(), caller.user()), patience, draft.spec).await?;
    let new = NewSchedule {
        id: ScheduleId::generate(),
        name: draft.name,
        created_by: caller.user(),
        cron: draft.cron,
        draft: without_nulls(spec),
        skip_overlap: draft.overlap == Some(Overlap::Skip),
        next_at,
    };
    let mut tx = caller.begin(&app).await?;
    match cron::insert(&mut tx, &new, MOST).await? {
        Inserted::Inserted => {}
        Inserted::NameTaken => {
            let why = format!("name: there is a schedule `{}` already; use another", new.name);
            return Err(ApiError::new(Code::Conflict, why));
        }
        Inserted::TooMany => {
            let why = format!("there are {MOST} schedules already; delete one first");
            return Err(ApiError::new(Code::Conflict, why));
        }
    }
    let made = cron::get(&mut tx, new.id).await?.ok_or_else(|| unknown(new.id))?;
    tx.done(Object::new("schedule", new.id)).await?;
    let location = (header::LOCATION, format!("/v1/schedules/{}", new.id));
    Ok(HttpResponse::Created().insert_header(location).json(ScheduleView::from(made)))
}

/// As the client wrote it.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let there = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(there.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
    }
}

/// The tenant's schedules by name.
#[utoipa::path(
    operation_id = "list_schedules", tag = "schedules",
    responses((status = 200, body = Listing<ScheduleView>)),
)]
#[get("/v1/schedules")]
async fn list(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
) -> Result<web::Json<Listing<ScheduleView>>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = cron::list(&mut tx).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(ScheduleView::from).collect())))
}

/// One schedule.
#[utoipa::path(
    operation_id = "get_schedule", tag = "schedules",
    params(("schedule" = ScheduleId, Path)),
    responses((status = 200, body = ScheduleView)),
)]
#[get("/v1/schedules/{schedule}")]
async fn get(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    id: web::Path<String>,
) -> Result<web::Json<ScheduleView>, ApiError> {
    let id = known_id(&id)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let schedule = cron::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    tx.commit().await?;
    Ok(web::Json(schedule.into()))
}

/// Submit nothing until it is resumed. Jobs that were submitted go on.
#[utoipa::path(
    operation_id = "pause_schedule", tag = "schedules",
    params(("schedule" = ScheduleId, Path)),
    responses((status = 200, body = ScheduleView)),
)]
#[post("/v1/schedules/{schedule}/pause")]
async fn pause(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<web::Json<ScheduleView>, ApiError> {
    set_paused(&app, &caller, &id, true).await
}

/// Go on with the next time from now.
#[utoipa::path(
    operation_id = "resume_schedule", tag = "schedules",
    params(("schedule" = ScheduleId, Path)),
    responses((status = 200, body = ScheduleView)),
)]
#[post("/v1/schedules/{schedule}/resume")]
async fn resume(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<web::Json<ScheduleView>, ApiError> {
    set_paused(&app, &caller, &id, false).await
}

async fn set_paused(
    app: &App,
    caller: &Caller<SubmitJobs>,
    id: &str,
    paused: bool,
) -> Result<web::Json<ScheduleView>, ApiError> {
    let id = known_id(id)?;
    let mut tx = caller.begin(app).await?;
    let schedule = cron::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    let next_at = next_time(&schedule.cron, app.clock.now())?;
    cron::set_paused(&mut tx, id, paused, next_at).await?;
    let schedule = cron::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    tx.done(Object::new("schedule", id)).await?;
    Ok(web::Json(schedule.into()))
}

/// Delete a schedule. Jobs that were submitted go on.
#[utoipa::path(
    operation_id = "delete_schedule", tag = "schedules",
    params(("schedule" = ScheduleId, Path)),
    responses((status = 204)),
)]
#[delete("/v1/schedules/{schedule}")]
async fn remove(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = known_id(&id)?;
    let mut tx = caller.begin(&app).await?;
    if !cron::delete(&mut tx, id).await? {
        return Err(unknown(id));
    }
    tx.done(Object::new("schedule", id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn known_id(text: &str) -> Result<ScheduleId, ApiError> {
    ApiError::known_id("schedule", text)
}

fn unknown(id: impl std::fmt::Display) -> ApiError {
    ApiError::not_found("schedule", id)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse::<DateTime<Utc>>().unwrap()
    }

    #[test]
    fn the_next_time_is_after_now() {
        let now = at("2028-02-28T02:30:00Z");
        for (cron, next) in [
            ("30 2 * * *", "2028-02-29T02:30:00Z"),
            ("* * * * *", "2028-02-28T02:31:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("@monthly", "2028-03-01T00:00:00Z"),
            ("0 9 * * SUN", "2028-03-05T09:00:00Z"),
        ] {
            assert_eq!(next_time(cron, now).unwrap(), at(next), "{cron}");
        }
    }

    #[test]
    fn what_never_comes_or_is_no_expression_is_refused() {
        let now = at("2028-02-28T02:30:00Z");
        for cron in ["0 0 30 2 *", "", "61 * * * *", "* * * *", "* * * * * *", "every day", "\0"] {
            let error = next_time(cron, now).unwrap_err();
            assert_eq!(error.errors[0].field, "cron", "{cron}");
        }
    }
}

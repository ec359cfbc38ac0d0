//! How a pool was shared over time, for those who run the platform: step by step what there was, what each tenant
//! used of its guarantee and what it had borrowed.

use actix_web::{get, web};
use chrono::{DurationRound, TimeDelta};
use domain::{FieldErrors, Timestamp, name::Name};
use serde::{Deserialize, Serialize};
use store::{
    pools,
    sharing::{self, Had, KEPT, Period, Step},
};
use utoipa::{IntoParams, ToSchema};

use crate::{ApiError, App, Caller, Params, ServiceConfig, auth::ReadTenants};

/// Of one answer.
const MOST_STEPS: i64 = 200;
/// Minutes; each is a multiple of those before it, and of what rows of its age are for.
const STEPS: [i32; 7] = [1, 10, 60, 180, 360, 720, 1_440];
const USUAL: TimeDelta = TimeDelta::hours(24);
/// What is that old has been merged by now, or will be at any moment.
const BY_MINUTES: TimeDelta = TimeDelta::hours(23);
const BY_TEN_MINUTES: TimeDelta = TimeDelta::hours(166);
const USUAL_TENANTS: u32 = 8;
const MOST_TENANTS: u32 = 50;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(shares);
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct SharesParams {
    /// The first moment; a day before the last one if absent. What is older than 90 days is not kept.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The first moment after the period; now if absent.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// The most tenants that are named, those that had most; 8 if absent.
    #[param(minimum = 1, maximum = 50)]
    tenants: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SharesView {
    pool: String,
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// For how long each step is; what it says are averages of looks a minute apart.
    step_seconds: u64,
    /// Those that had most in the period, the greatest first.
    tenants: Vec<String>,
    /// In their order; of times that nobody has looked at there are none.
    steps: Vec<SharesStepView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SharesStepView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    capacity_cpu_milli: u64,
    capacity_accelerator_milli: u64,
    /// All tenants together, also those that are not named.
    all: HadView,
    /// In the order of `tenants`.
    each: Vec<HadView>,
}

/// What was used of a guarantee, and beyond it.
#[derive(Debug, Default, Serialize, ToSchema)]
struct HadView {
    guaranteed_cpu_milli: u64,
    borrowed_cpu_milli: u64,
    guaranteed_accelerator_milli: u64,
    borrowed_accelerator_milli: u64,
}

impl From<Had> for HadView {
    fn from(Had { guaranteed, borrowed }: Had) -> Self {
        Self {
            guaranteed_cpu_milli: guaranteed.cpu_milli,
            borrowed_cpu_milli: borrowed.cpu_milli,
            guaranteed_accelerator_milli: guaranteed.accelerator_milli,
            borrowed_accelerator_milli: borrowed.accelerator_milli,
        }
    }
}

impl SharesParams {
    fn period(&self, now: Timestamp) -> Result<Period, FieldErrors> {
        let until = self.until.unwrap_or(now).min(now);
        let from = self.from.or_else(|| until.checked_sub_signed(USUAL)).unwrap_or(until);
        if from >= until {
            let why = format!("{from} is not before `until`, {until}; give an earlier one");
            return Err(FieldErrors::one("from", why));
        }
        let from = from.max(now - KEPT);
        let tenants = self.tenants.unwrap_or(USUAL_TENANTS);
        if !(1..=MOST_TENANTS).contains(&tenants) {
            let why = format!("is {tenants}; use a number from 1 to {MOST_TENANTS}");
            return Err(FieldErrors::one("tenants", why));
        }
        let minutes = step(from, until, now);
        let from = from.duration_trunc(TimeDelta::minutes(minutes.into())).unwrap_or(from);
        Ok(Period { from, until, minutes, tenants: tenants.into() })
    }
}

/// Minutes: the shortest that what is kept of that time allows, and that are not too many.
fn step(from: Timestamp, until: Timestamp, now: Timestamp) -> i32 {
    let age = now - from;
    let least = if age <= BY_MINUTES {
        1
    } else if age <= BY_TEN_MINUTES {
        10
    } else {
        60
    };
    let fits = |minutes: &i32| {
        *minutes >= least && (until - from).num_minutes() <= MOST_STEPS * i64::from(*minutes)
    };
    STEPS.into_iter().find(fits).unwrap_or(STEPS[STEPS.len() - 1])
}

/// Read how a pool was shared over time.
///
/// Looked at once a minute by the scheduler: by minutes for a day, by ten minutes for a week, by hours for 90 days.
#[utoipa::path(
    operation_id = "get_shares", tag = "pools",
    params(("pool" = Name, Path), SharesParams),
    responses((status = 200, body = SharesView)),
)]
#[get("/v1/pools/{pool}/shares")]
async fn shares(
    app: web::Data<App>,
    _caller: Caller<ReadTenants>,
    pool: web::Path<String>,
    params: Params<SharesParams>,
) -> Result<web::Json<SharesView>, ApiError> {
    let unknown = || ApiError::not_found("pool", pool.as_str());
    let name: Name = pool.parse().map_err(|_| unknown())?;
    let period = params.0.period(app.clock.now())?;
    let mut tx = app.store.begin().await?;
    let id = pools::id_of(&mut tx, name.as_str()).await?.ok_or_else(unknown)?;
    let steps = sharing::history(&mut tx, id, &period).await?;
    tx.commit().await?;
    let tenants = ranked(&steps);
    let view = |step: Step| SharesStepView {
        at: step.at,
        capacity_cpu_milli: step.capacity.cpu_milli,
        capacity_accelerator_milli: step.capacity.accelerator_milli,
        all: step.all.into(),
        each: tenants
            .iter()
            .map(|of| step.tenants.get(of).copied().unwrap_or_default().into())
            .collect(),
    };
    let steps = steps.into_iter().map(view).collect();
    Ok(web::Json(SharesView {
        pool: name.into(),
        from: period.from,
        until: period.until,
        step_seconds: u64::from(period.minutes.unsigned_abs()) * 60,
        tenants,
        steps,
    }))
}

fn ranked(steps: &[Step]) -> Vec<String> {
    let mut sums = std::collections::BTreeMap::<&str, (u64, u64)>::new();
    for (tenant, had) in steps.iter().flat_map(|step| &step.tenants) {
        let both = had.guaranteed.plus(had.borrowed);
        let sum = sums.entry(tenant).or_default();
        *sum = (sum.0 + both.cpu_milli, sum.1 + both.accelerator_milli);
    }
    let mut ranked: Vec<_> = sums.into_iter().collect();
    ranked.sort_by_key(|(tenant, sum)| (std::cmp::Reverse(*sum), *tenant));
    ranked.into_iter().map(|(tenant, _)| tenant.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn hours(hours: i64) -> Timestamp {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
    }

    #[test]
    fn steps_are_as_short_as_what_is_kept_and_never_too_many() {
        let now = hours(0);
        let cases = [(-1, 0, 1), (-3, 0, 1), (-4, 0, 10), (-24, 0, 10), (-26, -25, 10)];
        for (from, until, minutes) in cases {
            assert_eq!(step(hours(from), hours(until), now), minutes, "{from} to {until}");
        }
        let cases = [(-168, 0, 60), (-200, -199, 60), (-24 * 30, 0, 360), (-24 * 90, 0, 720)];
        for (from, until, minutes) in cases {
            assert_eq!(step(hours(from), hours(until), now), minutes, "{from} to {until}");
            assert!((until - from) * 60 / i64::from(minutes) <= MOST_STEPS);
        }
    }
}

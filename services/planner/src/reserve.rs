//! Room ahead of time (EASY backfill; Lifka 1995): the first job that finds none is promised a worker
//! from the time at which enough of its attempts must have ended, by their `max_runtime`. A job that
//! comes later may use that room only if it has ended by then, or leaves the promised job enough.

use chrono::Duration;
use domain::{JobId, Resources, Timestamp, WorkerId, world::PlannedJob};

use crate::{pool::Sight, room::Room};

#[derive(Debug, Clone)]
pub struct Reservation {
    pub job: JobId,
    pub worker: WorkerId,
    pub from: Timestamp,
    /// The worker's room at that time, with the job in it.
    pub room: Room,
}

/// A cohort's part, promised in the same way: from `from` on the job has what it needs of it, and
/// `spare` is left for others.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub job: JobId,
    pub from: Timestamp,
    pub spare: Resources,
}

impl Held {
    /// Whether another job may use the cohort's part meanwhile.
    pub fn allows(&self, job: JobId, needs: &Resources, until: Timestamp) -> bool {
        self.job == job || until <= self.from || needs.within(&self.spare)
    }
}

/// When the cohort has as much to give, if all attempts of its members take as long as they may.
pub fn hold(sight: Sight, id: JobId, needs: &Resources, cohort: usize) -> Option<Held> {
    let Sight { pool, books, view } = sight;
    let allowed = pool.allowed(cohort);
    let mut used = pool.cohorts[cohort].used.plus(pool.cohorts[cohort].claimed);
    let mut from = view.now;
    let mut ends = pool.cohorts[cohort].ends.iter();
    while !used.plus(*needs).within(&allowed) {
        let (end, job) = ends.next()?;
        from = from.max(*end);
        used = used.minus(books.jobs.get(job).map_or(Resources::NONE, |job| job.needs));
    }
    Some(Held { job: id, from, spare: allowed.minus(used.plus(*needs)) })
}

/// The earliest; of equals, that on the worker with the lowest id.
pub fn reserve(sight: Sight, id: JobId, needs: &Resources) -> Option<Reservation> {
    let open =
        sight.pool.rooms.open().filter(|(_, room)| room.kept_for.is_none_or(|job| job == id));
    let mut earliest: Option<Reservation> = None;
    for (worker, room) in open.filter(|(_, room)| room.could_hold(needs)) {
        let by = earliest.as_ref().map_or(Timestamp::MAX_UTC, |found| found.from);
        if let Some((from, room)) = earliest_on(sight, worker, room, needs, by) {
            earliest = Some(Reservation { job: id, worker, from, room });
        }
    }
    earliest
}

/// When it fits on this worker, if that is before `by`, and the room then.
fn earliest_on(
    sight: Sight,
    worker: WorkerId,
    room: &Room,
    needs: &Resources,
    by: Timestamp,
) -> Option<(Timestamp, Room)> {
    let Sight { pool, books, view } = sight;
    let live = pool.live_on(worker).filter_map(|id| books.jobs.get(&id));
    let mut ends: Vec<_> =
        live.filter_map(|job| Some((ends_by(job, view.policy.grace, view.now)?, job))).collect();
    ends.sort_by_key(|(end, _)| *end);
    let (mut room, mut from) = (room.clone(), view.now);
    let mut ends = ends.into_iter();
    loop {
        if let Some(devices) = room.spot(needs) {
            room.take(needs, devices);
            return Some((from, room));
        }
        let (end, job) = ends.next()?;
        if end >= by {
            return None;
        }
        from = from.max(end);
        if let Some(live) = job.live() {
            room.give(&job.needs, live.devices);
        }
    }
}

/// When a live attempt has ended at the latest.
fn ends_by(job: &PlannedJob, grace: Duration, now: Timestamp) -> Option<Timestamp> {
    let live = job.live()?;
    let end = match live.stopping {
        Some(_) => now.checked_add_signed(grace).unwrap_or(Timestamp::MAX_UTC),
        None => live.deadline,
    };
    Some(end.max(now))
}

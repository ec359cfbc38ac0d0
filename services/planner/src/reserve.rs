//! Room ahead of time (EASY backfill; Lifka 1995): the first job that finds none is promised workers
//! from the time at which enough of their attempts must have ended, by their `max_runtime`. A job that
//! comes later may use that room only if it has ended by then, or leaves the promised job enough.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use domain::{
    JobId, Resources, Timestamp, WorkerId,
    world::{Devices, PlannedJob},
};

use crate::{pool::Sight, room::Room, shape::Shape};

#[derive(Debug, Clone)]
pub struct Reservation {
    pub job: JobId,
    pub from: Timestamp,
    /// Its workers' rooms at that time, with the job in them.
    pub rooms: BTreeMap<WorkerId, Room>,
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
    pub fn allows(&self, job: JobId, total: &Resources, until: Timestamp) -> bool {
        self.job == job || until <= self.from || total.within(&self.spare)
    }
}

/// When the cohort has as much to give, if all attempts of its members take as long as they may.
pub fn hold(sight: Sight, id: JobId, total: &Resources, cohort: usize) -> Option<Held> {
    let Sight { pool, books, view } = sight;
    let allowed = pool.allowed(cohort);
    let mut used = pool.cohorts[cohort].used.plus(pool.cohorts[cohort].claimed);
    let mut from = view.now;
    let mut ends = pool.cohorts[cohort].ends.iter();
    while !used.plus(*total).within(&allowed) {
        let (end, job) = ends.next()?;
        from = from.max(*end);
        used = used.minus(books.jobs.get(job).map_or(Resources::NONE, PlannedJob::total));
    }
    Some(Held { job: id, from, spare: allowed.minus(used.plus(*total)) })
}

/// The earliest: of each worker the times from which one, two, … of the job's workers fit there, and of
/// all these the first as many as it has. Of equals, those on the workers with the lowest ids.
pub fn reserve(sight: Sight, id: JobId, shape: &Shape) -> Option<Reservation> {
    let rooms = &sight.pool.rooms;
    let open = rooms.open().filter(|(_, room)| room.kept_for.is_none_or(|job| job == id));
    let mut earliest: BTreeSet<(Timestamp, WorkerId, usize)> = BTreeSet::new();
    for (worker, room) in open.filter(|(_, room)| room.could_hold(&shape.each, 1) > 0) {
        let last = earliest.last().filter(|_| earliest.len() == shape.count());
        let by = last.map_or(Timestamp::MAX_UTC, |(from, ..)| *from);
        let times = times_on(sight, worker, room, shape, by);
        earliest.extend(times.into_iter().enumerate().map(|(n, from)| (from, worker, n)));
        while earliest.len() > shape.count() {
            earliest.pop_last();
        }
    }
    let (from, ..) = *earliest.last().filter(|_| earliest.len() == shape.count())?;
    let mut reserved = BTreeMap::new();
    for (_, worker, _) in earliest {
        let then = || Some(room_at(sight, worker, rooms.get(worker)?, from));
        let room: &mut Room = match reserved.entry(worker) {
            btree_map::Entry::Occupied(entry) => entry.into_mut(),
            btree_map::Entry::Vacant(entry) => entry.insert(then()?),
        };
        let devices = room.spot(&shape.each)?;
        room.take(&shape.each, devices);
    }
    Some(Reservation { job: id, from, rooms: reserved })
}

/// From when on one, two, … fit on this worker, as far as that is before `by`.
fn times_on(
    sight: Sight,
    worker: WorkerId,
    room: &Room,
    shape: &Shape,
    by: Timestamp,
) -> Vec<Timestamp> {
    let (mut room, mut from, mut times) = (room.clone(), sight.view.now, Vec::new());
    let mut ends = ends_on(sight, worker, &room, by).into_iter();
    loop {
        while let Some(devices) = room.spot(&shape.each) {
            room.take(&shape.each, devices);
            times.push(from);
            if times.len() == shape.count() {
                return times;
            }
        }
        match ends.next() {
            Some((end, needs, devices)) if end < by => {
                from = from.max(end);
                room.give(&needs, devices);
            }
            _ => return times,
        }
    }
}

/// What is free of it once everything has ended that ends by then.
fn room_at(sight: Sight, worker: WorkerId, room: &Room, time: Timestamp) -> Room {
    let mut then = room.clone();
    let ends = ends_on(sight, worker, room, time).into_iter();
    for (_, needs, devices) in ends.take_while(|(end, ..)| *end <= time) {
        then.give(&needs, devices);
    }
    then
}

/// What is given back on a worker by then, by when at the latest, in that order.
fn ends_on(
    sight: Sight,
    worker: WorkerId,
    room: &Room,
    until: Timestamp,
) -> Vec<(Timestamp, Resources, Devices)> {
    let Sight { pool, books, view } = sight;
    let soon = view.now.checked_add_signed(view.policy.grace).unwrap_or(Timestamp::MAX_UTC);
    let leftover = room.leftover().map(|(needs, devices)| (soon, needs, devices));
    let mut ends: Vec<_> = leftover.collect();
    for (deadline, id) in pool.live_on(worker, until) {
        let Some(job) = books.jobs.get(&id) else { continue };
        let Some(live) = job.live() else { continue };
        let end = deadline.map_or(soon, |deadline| deadline.max(view.now));
        ends.extend(live.seats.on(worker).map(|seat| (end, job.needs, seat.devices)));
    }
    ends.sort_by_key(|(end, ..)| *end);
    ends
}

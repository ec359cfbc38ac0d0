//! What runs on each of a pool's machines: seats that attempts take and leave, and what a machine's state
//! means to them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, Timestamp, WorkerId,
    world::{Live, PlannedJob, Seats, WorkerView},
};

use crate::{
    books::Books,
    pool::{Pool, View},
    room::Room,
};

/// Live attempts by worker, whether it is known or not, in the order of their deadlines; those that are
/// stopping, which may end at any moment, have none and come first.
pub type LiveOn = BTreeMap<WorkerId, BTreeSet<(Option<Timestamp>, JobId)>>;

fn deadline(live: &Live) -> Option<Timestamp> {
    live.stopping.is_none().then_some(live.deadline)
}

impl Pool {
    pub fn take_seats(&mut self, id: JobId, job: &PlannedJob, live: &Live, books: &mut Books) {
        for seat in live.seats.iter() {
            self.rooms.change(seat.worker, |room| room.take(&job.needs, seat.devices));
            self.live_on.entry(seat.worker).or_default().insert((deadline(live), id));
        }
        self.watch(id, &live.seats, books);
    }

    pub fn leave_seats(&mut self, id: JobId, job: &PlannedJob, live: &Live) {
        for seat in live.seats.iter() {
            self.rooms.change(seat.worker, |room| room.give(&job.needs, seat.devices));
            if let Some(on) = self.live_on.get_mut(&seat.worker) {
                on.remove(&(deadline(live), id));
                if on.is_empty() {
                    self.live_on.remove(&seat.worker);
                }
            }
        }
    }

    /// Those that are stopping, and those whose deadline is not after `until`.
    pub fn live_on(
        &self,
        worker: WorkerId,
        until: Timestamp,
    ) -> impl Iterator<Item = (Option<Timestamp>, JobId)> {
        let on = self.live_on.get(&worker).into_iter().flatten().copied();
        on.take_while(move |(deadline, _)| deadline.is_none_or(|deadline| deadline <= until))
    }

    fn watch(&self, id: JobId, seats: &Seats, books: &mut Books) {
        let states = seats.iter().map(|seat| self.rooms.get(seat.worker).map(|room| room.state));
        books.watch(id, states);
    }

    pub fn set_room(
        &mut self,
        worker: WorkerId,
        described: Option<WorkerView>,
        books: &mut Books,
        view: View,
    ) {
        self.changed = true;
        self.futile.clear();
        let capacity = self.rooms.capacity();
        let kept_for = self.rooms.get(worker).and_then(|room| room.kept_for);
        let live: Vec<_> = self.live_on(worker, Timestamp::MAX_UTC).map(|(_, id)| id).collect();
        let room = described.map(|view| {
            let mut room = Room::of(view);
            room.kept_for = kept_for;
            for job in live.iter().filter_map(|id| books.jobs.get(id)) {
                for seat in job.live().into_iter().flat_map(|held| held.seats.on(worker)) {
                    room.take(&job.needs, seat.devices);
                }
            }
            room
        });
        self.rooms.set(worker, room);
        for id in live {
            let seats =
                books.jobs.get(&id).and_then(PlannedJob::live).map(|held| held.seats.clone());
            if let Some(seats) = seats {
                self.watch(id, &seats, books);
            }
        }
        if self.rooms.capacity() != capacity {
            self.touch_all(view);
        }
    }
}

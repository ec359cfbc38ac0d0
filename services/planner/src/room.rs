//! What is free on a worker, and where a job fits: best fit, which keeps large rooms whole for large
//! jobs. The workers of one job fill one room after another in that order.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use domain::{
    JobId, Resources, WorkerId,
    world::{Devices, Seat, Seats, WorkerState, WorkerView},
};

use crate::{reserve::Reservation, shape::Shape};

const WHOLE: u64 = 1_000;

#[derive(Debug, Clone)]
pub struct Room {
    pub capacity: Resources,
    pub state: WorkerState,
    used: Resources,
    /// Of each accelerator, the thousandths that are free.
    devices: Vec<u64>,
    /// Of that, held by what has ended and is yet to leave.
    leftover: Vec<(Resources, Devices)>,
    /// Attempts were stopped here for this job: nobody else gets the room meanwhile.
    pub kept_for: Option<JobId>,
}

impl Room {
    fn empty(capacity: Resources, state: WorkerState) -> Self {
        let devices = usize::try_from(capacity.accelerator_milli / WHOLE).unwrap_or(usize::MAX);
        let devices = vec![WHOLE; devices.min(Devices::MOST)];
        let (used, leftover) = (Resources::NONE, Vec::new());
        Self { capacity, state, used, devices, leftover, kept_for: None }
    }

    /// With what is left over in it, and nothing else.
    pub fn of(worker: WorkerView) -> Self {
        let mut room = Self::empty(worker.capacity, worker.state);
        worker.leftover.iter().for_each(|(needs, devices)| room.take(needs, *devices));
        Self { leftover: worker.leftover, ..room }
    }

    /// Whether that is what is known of the worker.
    pub fn is_of(&self, worker: &WorkerView) -> bool {
        (self.capacity, self.state, &self.leftover)
            == (worker.capacity, worker.state, &worker.leftover)
    }

    pub fn leftover(&self) -> impl Iterator<Item = (Resources, Devices)> {
        self.leftover.iter().copied()
    }

    pub fn free(&self) -> Resources {
        self.capacity.minus(self.used)
    }

    pub fn accepts(&self) -> bool {
        self.state == WorkerState::Up
    }

    /// The accelerators that each of at most so many such workers would hold here, of as many as fit.
    pub fn spots(&self, needs: &Resources, most: usize) -> Vec<Devices> {
        let (mut room, mut spots) = (Cow::Borrowed(self), Vec::new());
        while spots.len() < most
            && let Some(devices) = room.spot(needs)
        {
            spots.push(devices);
            if spots.len() < most {
                room.to_mut().take(needs, devices);
            }
        }
        spots
    }

    /// The accelerators that a job of these needs would hold here, if it fits: of those that can give
    /// it a part, the fullest; or as many free ones as it needs.
    pub fn spot(&self, needs: &Resources) -> Option<Devices> {
        if !needs.within(&self.free()) {
            return None;
        }
        let free = self.devices.iter().copied().enumerate();
        match needs.accelerator_milli {
            0 => Some(Devices::default()),
            part if part <= WHOLE => {
                let (n, _) = free.filter(|(_, f)| *f >= part).min_by_key(|(n, f)| (*f, *n))?;
                Some([n].into_iter().collect())
            }
            whole => {
                let count = usize::try_from(whole.div_ceil(WHOLE)).ok()?;
                let chosen = free.filter(|(_, f)| *f == WHOLE).map(|(n, _)| n).take(count);
                let devices: Devices = chosen.collect();
                (devices.iter().count() == count).then_some(devices)
            }
        }
    }

    pub fn take(&mut self, needs: &Resources, devices: Devices) {
        self.used = self.used.plus(*needs);
        let part = needs.accelerator_milli.min(WHOLE);
        for n in devices.iter() {
            if let Some(free) = self.devices.get_mut(n) {
                *free = free.saturating_sub(part);
            }
        }
    }

    pub fn give(&mut self, needs: &Resources, devices: Devices) {
        self.used = self.used.minus(*needs);
        let part = needs.accelerator_milli.min(WHOLE);
        for n in devices.iter() {
            if let Some(free) = self.devices.get_mut(n) {
                *free = (*free + part).min(WHOLE);
            }
        }
    }

    /// What is free both here and in `other`, a picture of the same worker at another time.
    pub fn common(&self, other: &Self) -> Self {
        let devices = self.devices.iter().zip(&other.devices).map(|(a, b)| *a.min(b)).collect();
        let free = self.free().least(other.free());
        Self { used: self.capacity.minus(free), devices, ..self.clone() }
    }

    /// How many of at most so many such workers would fit if nothing else were here.
    pub fn could_hold(&self, needs: &Resources, most: usize) -> usize {
        Self::empty(self.capacity, self.state).spots(needs, most).len()
    }
}

/// The workers of a pool.
#[derive(Debug, Clone, Default)]
pub struct Rooms {
    rooms: BTreeMap<WorkerId, Room>,
    /// Those that take new work: free accelerators, free CPU, id.
    by_free: BTreeSet<(u64, u64, WorkerId)>,
    /// What all of those have together.
    capacity: Resources,
    /// What all have that are there, also those that take no new work.
    present: Resources,
}

/// Where a job whose turn it is can go.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    At(Seats),
    /// There is room, kept for others.
    Kept,
    Nowhere,
}

impl Rooms {
    pub fn get(&self, worker: WorkerId) -> Option<&Room> {
        self.rooms.get(&worker)
    }

    pub fn iter(&self) -> impl Iterator<Item = (WorkerId, &Room)> {
        self.rooms.iter().map(|(id, room)| (*id, room))
    }

    pub fn open(&self) -> impl Iterator<Item = (WorkerId, &Room)> {
        self.iter().filter(|(_, room)| room.accepts())
    }

    pub const fn capacity(&self) -> Resources {
        self.capacity
    }

    pub const fn present(&self) -> Resources {
        self.present
    }

    fn key(worker: WorkerId, room: &Room) -> (u64, u64, WorkerId) {
        let free = room.free();
        (free.accelerator_milli, free.cpu_milli, worker)
    }

    /// Puts a worker's room in place of what was known of it.
    pub fn set(&mut self, worker: WorkerId, room: Option<Room>) {
        if let Some(before) = self.rooms.remove(&worker) {
            self.by_free.remove(&Self::key(worker, &before));
            if before.accepts() {
                self.capacity = self.capacity.minus(before.capacity);
            }
            if before.state != WorkerState::Gone {
                self.present = self.present.minus(before.capacity);
            }
        }
        if let Some(room) = room {
            if room.accepts() {
                self.by_free.insert(Self::key(worker, &room));
                self.capacity = self.capacity.plus(room.capacity);
            }
            if room.state != WorkerState::Gone {
                self.present = self.present.plus(room.capacity);
            }
            self.rooms.insert(worker, room);
        }
    }

    pub fn change(&mut self, worker: WorkerId, change: impl FnOnce(&mut Room)) {
        if let Some(room) = self.rooms.get_mut(&worker) {
            let before = Self::key(worker, room);
            change(room);
            let after = Self::key(worker, room);
            if before != after && self.by_free.remove(&before) {
                self.by_free.insert(after);
            }
        }
    }

    /// The workers on which the least would be left. `until` is when the job ends at the latest: it may
    /// use reserved room that it gives back in time.
    pub fn find(
        &self,
        job: JobId,
        shape: &Shape,
        until: domain::Timestamp,
        reserved: Option<&Reservation>,
    ) -> Found {
        let (mut seats, mut kept) = (Vec::new(), 0);
        let enough = (shape.each.accelerator_milli, shape.each.cpu_milli, WorkerId::NIL);
        for (.., worker) in self.by_free.range(enough..) {
            let Some(room) = self.rooms.get(worker) else { continue };
            let missing = shape.count() - seats.len();
            let here = room.spots(&shape.each, missing);
            if here.is_empty() {
                continue;
            }
            if room.kept_for.is_some_and(|other| other != job) {
                kept += here.len();
                continue;
            }
            let promised = reserved.filter(|r| r.job != job && until > r.from);
            let given = match promised.and_then(|r| r.rooms.get(worker)) {
                Some(then) => {
                    let given = room.common(then).spots(&shape.each, missing);
                    kept += here.len().saturating_sub(given.len());
                    given
                }
                None => here,
            };
            seats.extend(given.into_iter().map(|devices| Seat { worker: *worker, devices }));
            if seats.len() == shape.count() {
                break;
            }
        }
        let found = seats.len();
        match Seats::new(seats) {
            Some(seats) if found == shape.count() => Found::At(seats),
            _ if found + kept >= shape.count() => Found::Kept,
            _ => Found::Nowhere,
        }
    }

    /// How many of its workers would fit on those that are open, if nothing else ran.
    pub fn could_hold(&self, shape: &Shape) -> usize {
        sum_up_to(shape.count(), self.open(), |room, most| room.could_hold(&shape.each, most))
    }

    /// How many of them have room now.
    pub fn free_for(&self, job: JobId, shape: &Shape) -> usize {
        let open = self.open().filter(|(_, room)| room.kept_for.is_none_or(|other| other == job));
        sum_up_to(shape.count(), open, |room, most| room.spots(&shape.each, most).len())
    }

    /// Whether all of them would.
    pub fn could_ever_hold(&self, shape: &Shape) -> bool {
        self.could_hold(shape) == shape.count()
    }
}

fn sum_up_to<'a>(
    most: usize,
    rooms: impl Iterator<Item = (WorkerId, &'a Room)>,
    each: impl Fn(&Room, usize) -> usize,
) -> usize {
    let mut sum = 0;
    for (_, room) in rooms {
        if sum == most {
            break;
        }
        sum += each(room, most - sum);
    }
    sum
}

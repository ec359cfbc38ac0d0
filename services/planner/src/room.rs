//! What is free on a worker, and where a job fits: best fit, which keeps large rooms whole for large
//! jobs.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, Resources, WorkerId,
    world::{Devices, WorkerState},
};

use crate::reserve::Reservation;

const WHOLE: u64 = 1_000;

#[derive(Debug, Clone)]
pub struct Room {
    pub capacity: Resources,
    pub state: WorkerState,
    used: Resources,
    /// Of each accelerator, the thousandths that are free.
    devices: Vec<u64>,
    /// Attempts were stopped here for this job: nobody else gets the room meanwhile.
    pub kept_for: Option<JobId>,
}

impl Room {
    pub fn new(capacity: Resources, state: WorkerState) -> Self {
        let devices = usize::try_from(capacity.accelerator_milli / WHOLE).unwrap_or(usize::MAX);
        let devices = vec![WHOLE; devices.min(Devices::MOST)];
        Self { capacity, state, used: Resources::NONE, devices, kept_for: None }
    }

    pub fn free(&self) -> Resources {
        self.capacity.minus(self.used)
    }

    pub fn accepts(&self) -> bool {
        self.state == WorkerState::Up
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

    /// Whether it would fit if nothing else were here.
    pub fn could_hold(&self, needs: &Resources) -> bool {
        Self::new(self.capacity, self.state).spot(needs).is_some()
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
    At(WorkerId, Devices),
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

    /// The worker on which the least would be left. `until` is when the job ends at the latest: it
    /// may use reserved room that it gives back in time.
    pub fn find(
        &self,
        job: JobId,
        needs: &Resources,
        until: domain::Timestamp,
        reserved: Option<&Reservation>,
    ) -> Found {
        let mut kept = false;
        let enough = (needs.accelerator_milli, needs.cpu_milli, WorkerId::NIL);
        for (.., worker) in self.by_free.range(enough..) {
            let Some(room) = self.rooms.get(worker) else { continue };
            let Some(devices) = room.spot(needs) else { continue };
            if room.kept_for.is_some_and(|other| other != job) {
                kept = true;
                continue;
            }
            let devices = match reserved.filter(|r| r.worker == *worker && r.job != job) {
                Some(reserved) if until > reserved.from => room.common(&reserved.room).spot(needs),
                _ => Some(devices),
            };
            match devices {
                Some(devices) => return Found::At(*worker, devices),
                None => kept = true,
            }
        }
        if kept { Found::Kept } else { Found::Nowhere }
    }

    pub fn could_hold(&self, needs: &Resources) -> bool {
        self.open().any(|(_, room)| room.could_hold(needs))
    }
}

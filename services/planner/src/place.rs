//! Where a job fits: best fit by CPU, which keeps large rooms whole for large jobs.

use std::collections::BTreeMap;

use domain::{
    WorkerId,
    spec::Resources,
    world::{Phase, WaitReason, World},
};

/// The workers that take new work, with what is free on each.
pub struct Rooms(BTreeMap<WorkerId, Room>);

struct Room {
    capacity: Resources,
    free: Resources,
}

impl Rooms {
    /// Every live attempt holds its room, those that this plan ends too: they are over only once
    /// that has been carried out.
    pub fn of(world: &World) -> Self {
        let up = world.workers.iter().filter(|(_, view)| view.accepts && !view.gone);
        let room = |capacity| Room { capacity, free: capacity };
        let mut rooms = Self(up.map(|(id, view)| (*id, room(view.capacity))).collect());
        for job in world.jobs.values() {
            if let Phase::Live { worker, .. } = job.phase {
                rooms.take(worker, job.resources);
            }
        }
        rooms
    }

    pub fn take(&mut self, worker: WorkerId, taken: Resources) {
        if let Some(room) = self.0.get_mut(&worker) {
            room.free.cpu_milli = room.free.cpu_milli.saturating_sub(taken.cpu_milli);
            room.free.memory_bytes = room.free.memory_bytes.saturating_sub(taken.memory_bytes);
        }
    }

    /// Whether some worker would be large enough if it were empty.
    pub fn could_hold(&self, needs: Resources) -> Result<(), WaitReason> {
        let largest = largest(self.0.values().map(|room| room.capacity));
        let Some(largest) = largest else { return Err(WaitReason::NoWorkers) };
        if self.0.values().any(|room| fits(needs, room.capacity)) {
            Ok(())
        } else {
            Err(WaitReason::TooLarge { needs, largest })
        }
    }

    /// The worker on which the least CPU would be left; of equals, the one with the lowest id.
    pub fn find(&self, needs: Resources) -> Result<WorkerId, WaitReason> {
        let fitting = self.0.iter().filter(|(_, room)| fits(needs, room.free));
        if let Some((worker, _)) = fitting.min_by_key(|(id, room)| (room.free.cpu_milli, **id)) {
            return Ok(*worker);
        }
        let largest = largest(self.0.values().map(|room| room.free));
        Err(largest.map_or(WaitReason::NoWorkers, |largest_free| WaitReason::Resources {
            needs,
            largest_free,
        }))
    }
}

pub fn fits(needs: Resources, room: Resources) -> bool {
    needs.cpu_milli <= room.cpu_milli && needs.memory_bytes <= room.memory_bytes
}

fn largest(rooms: impl Iterator<Item = Resources>) -> Option<Resources> {
    rooms.max_by_key(|room| (room.cpu_milli, room.memory_bytes))
}

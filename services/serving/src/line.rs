//! Who is computed next, and with whom. The decision alone: what it is done with, and the time, are passed in.
//!
//! Whoever comes while nobody computes is computed at once and alone. Those who come meanwhile wait, and go
//! together: the turn is the tenant's that has had none for longest, its oldest request says of which version, and
//! what waits for that version goes along, one of each tenant after the other, while it fits. So a tenant with a
//! hundred times as many requests waits for itself.

use std::{collections::HashMap, time::Instant};

use domain::TenantId;
use serde::{Deserialize, Serialize};

use crate::shelf::Key;

/// Requests that wait for one version, and of them those of one tenant: a tenant alone fills no version's line.
const MOST_OF_VERSION: usize = 1_024;
const MOST_OF_TENANT: usize = MOST_OF_VERSION / 2;
/// Tenants whose last turn is known, before those who do not wait are forgotten.
const MOST_KNOWN: usize = 1_024;

pub struct Waiting<W> {
    pub tenant: TenantId,
    pub version: Key,
    pub rows: usize,
    pub since: Instant,
    /// It is not computed later.
    pub until: Instant,
    pub work: W,
}

/// A place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Full {
    /// The tenant has as many waiting as it may.
    OfTenant(usize),
    OfVersion(usize),
}

pub struct Line<W> {
    /// In the order in which they came.
    waiting: Vec<(Ticket, Waiting<W>)>,
    /// When a tenant had its last turn.
    served: HashMap<TenantId, u64>,
    turns: u64,
    tickets: u64,
}

/// What is to be done now.
pub struct Turn<W> {
    /// To be computed together; none if nobody waits.
    pub batch: Vec<Waiting<W>>,
    /// Those that waited too long.
    pub late: Vec<Waiting<W>>,
}

impl<W> Line<W> {
    pub fn new() -> Self {
        Self { waiting: Vec::new(), served: HashMap::new(), turns: 0, tickets: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn enter(&mut self, new: Waiting<W>) -> Result<Ticket, Full> {
        let (mut of_version, mut of_tenant) = (0, 0);
        for (_, other) in self.waiting.iter().filter(|(_, other)| other.version == new.version) {
            of_version += 1;
            of_tenant += usize::from(other.tenant == new.tenant);
        }
        if of_tenant >= MOST_OF_TENANT {
            return Err(Full::OfTenant(MOST_OF_TENANT));
        }
        if of_version >= MOST_OF_VERSION {
            return Err(Full::OfVersion(MOST_OF_VERSION));
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.push((ticket, new));
        Ok(ticket)
    }

    /// Whether it was still waiting.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(other, _)| *other != ticket);
        self.waiting.len() < before
    }

    /// A batch of at most so many rows, or one request of more. Those whose client `is_gone` are dropped.
    pub fn next(
        &mut self,
        now: Instant,
        most_rows: usize,
        is_gone: impl Fn(&W) -> bool,
    ) -> Turn<W> {
        self.waiting.retain(|(_, waiting)| !is_gone(&waiting.work));
        let late = self.waiting.extract_if(.., |(_, waiting)| waiting.until <= now);
        let late = late.map(|(_, waiting)| waiting).collect();
        let chosen = self.choose(most_rows);
        self.turns += 1;
        let mut batch = Vec::with_capacity(chosen.len());
        for (_, waiting) in self.waiting.extract_if(.., |(ticket, _)| chosen.contains(ticket)) {
            self.served.insert(waiting.tenant, self.turns);
            batch.push(waiting);
        }
        if self.served.len() > MOST_KNOWN {
            let waits = |tenant: &TenantId| self.waiting.iter().any(|(_, w)| w.tenant == *tenant);
            self.served.retain(|tenant, _| waits(tenant));
        }
        Turn { batch, late }
    }

    fn choose(&self, most_rows: usize) -> Vec<Ticket> {
        let last = |tenant: TenantId| self.served.get(&tenant).copied().unwrap_or(0);
        let first = self.waiting.iter().min_by_key(|(ticket, w)| (last(w.tenant), *ticket));
        let Some((_, first)) = first else { return Vec::new() };
        let mut nth = HashMap::<TenantId, u32>::new();
        let together = self.waiting.iter().filter(|(_, w)| w.version == first.version);
        let mut together: Vec<_> = together
            .map(|(ticket, w)| {
                let nth = nth.entry(w.tenant).or_default();
                *nth += 1;
                ((*nth, last(w.tenant), *ticket), w.rows)
            })
            .collect();
        together.sort_unstable();
        let mut rows = 0;
        let mut chosen = Vec::new();
        for ((.., ticket), more) in together {
            if chosen.is_empty() || rows + more <= most_rows {
                rows += more;
                chosen.push(ticket);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::ModelId;
    use uuid::Uuid;

    use super::*;

    /// A line whose clock stands at some moment.
    struct World {
        line: Line<&'static str>,
        start: Instant,
    }

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    impl World {
        fn new() -> Self {
            Self { line: Line::new(), start: Instant::now() }
        }

        fn at(&self, millis: u64) -> Instant {
            self.start + Duration::from_millis(millis)
        }

        /// Of a tenant for a version; waits for a second from 0 on.
        fn enter(&mut self, name: &'static str, who: u128, version: u32, rows: usize) -> Ticket {
            self.try_enter(name, who, version, rows).unwrap()
        }

        fn try_enter(
            &mut self,
            work: &'static str,
            who: u128,
            version: u32,
            rows: usize,
        ) -> Result<Ticket, Full> {
            self.line.enter(Waiting {
                tenant: tenant(who),
                version: (ModelId::from_uuid(Uuid::nil()), version),
                rows,
                since: self.start,
                until: self.at(1_000),
                work,
            })
        }

        fn next(&mut self, millis: u64) -> (Vec<&'static str>, Vec<&'static str>) {
            let turn = self.line.next(self.at(millis), 10, |work| work.starts_with("gone"));
            let names = |all: Vec<Waiting<_>>| all.into_iter().map(|w| w.work).collect();
            (names(turn.batch), names(turn.late))
        }

        fn batch(&mut self) -> Vec<&'static str> {
            self.next(0).0
        }
    }

    #[test]
    fn one_alone_goes_alone_and_those_who_wait_go_together_while_they_fit() {
        let mut world = World::new();
        assert!(world.batch().is_empty());
        world.enter("alone", 1, 1, 1);
        assert_eq!(world.batch(), ["alone"]);
        for (name, rows) in [("a", 4), ("b", 5), ("c", 2), ("d", 1), ("e", 1)] {
            world.enter(name, 1, 1, rows);
        }
        // c does not fit beside them, d does
        assert_eq!(world.batch(), ["a", "b", "d"]);
        assert_eq!(world.batch(), ["c", "e"]);
        world.enter("large", 1, 1, 1_000);
        world.enter("small", 1, 1, 1);
        assert_eq!(world.batch(), ["large"]);
        assert_eq!(world.batch(), ["small"]);
    }

    #[test]
    fn versions_are_not_mixed_and_take_turns_by_tenant() {
        let mut world = World::new();
        world.enter("a1", 1, 1, 1);
        world.enter("b2", 2, 2, 1);
        world.enter("c1", 3, 1, 1);
        assert_eq!(world.batch(), ["a1", "c1"]);
        assert_eq!(world.batch(), ["b2"]);
    }

    #[test]
    fn a_noisy_tenant_waits_for_itself() {
        let mut world = World::new();
        for _ in 0..100 {
            world.enter("noisy", 1, 1, 1);
        }
        assert_eq!(world.batch().len(), 10);
        world.enter("quiet", 2, 1, 1);
        world.enter("other", 3, 2, 1);
        // behind ninety of another's, and in the next turn; in the one after that, the other version
        let next = world.batch();
        assert_eq!((next.len(), next.contains(&"quiet")), (10, true));
        assert_eq!(world.batch(), ["other"]);
        // the same where its requests are for many versions
        for version in 10..60 {
            world.enter("noisy", 1, version, 1);
        }
        world.batch();
        world.enter("quiet", 2, 9, 1);
        assert_eq!(world.batch(), ["quiet"]);
    }

    #[test]
    fn who_waited_too_long_or_has_gone_is_not_computed() {
        let mut world = World::new();
        world.enter("gone away", 1, 1, 1);
        world.enter("stays", 1, 1, 1);
        assert_eq!(world.next(0), (vec!["stays"], vec![]));
        world.enter("late", 1, 1, 1);
        assert_eq!(world.next(1_000), (vec![], vec!["late"]));
        let ticket = world.enter("leaves", 1, 1, 1);
        assert!(world.line.leave(ticket));
        assert!(!world.line.leave(ticket), "it has left");
        assert!(world.batch().is_empty());
    }

    #[test]
    fn lines_are_bounded_and_one_tenant_fills_none() {
        let mut world = World::new();
        for _ in 0..MOST_OF_TENANT {
            world.enter("noisy", 1, 1, 1);
        }
        assert_eq!(world.try_enter("noisy", 1, 1, 1), Err(Full::OfTenant(MOST_OF_TENANT)));
        world.enter("noisy", 1, 2, 1);
        for who in 0..MOST_OF_VERSION - MOST_OF_TENANT {
            world.enter("others", 2 + who as u128, 1, 1);
        }
        let full = world.try_enter("one more", 9_999, 1, 1);
        assert_eq!(full, Err(Full::OfVersion(MOST_OF_VERSION)));
    }

    #[test]
    fn tenants_of_long_ago_are_forgotten() {
        let mut world = World::new();
        for who in 0..3 * MOST_KNOWN {
            world.enter("one", who as u128, 1, 1);
            world.batch();
        }
        assert!(world.line.served.len() <= MOST_KNOWN + 1);
    }
}

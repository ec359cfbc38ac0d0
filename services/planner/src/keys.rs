//! Concurrency keys: of a tenant's jobs with one key, as many as its limit allows are live. While it has
//! places, those stand in line that are next to have them, and some more, for the case that there is no
//! room for the first; the others wait beside the line, so that no plan looks at them. A sweep's points
//! share a key.

use std::collections::{BTreeMap, BTreeSet};

use domain::{JobId, TenantId, world::Concurrency};

use crate::account::Place;

/// More than there are places.
const LOOK_AHEAD: usize = 100;

#[derive(Debug, Clone, Default)]
pub struct Keys(BTreeMap<(TenantId, String), Key>);

#[derive(Debug, Clone, Default)]
pub struct Key {
    /// The limits that its jobs name, and how many name each.
    limits: BTreeMap<u32, usize>,
    live: BTreeSet<JobId>,
    in_line: BTreeSet<Place>,
    beside: BTreeSet<Place>,
}

/// Who comes into line, and who leaves it for one that goes first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moves {
    pub enter: Vec<Place>,
    pub leave: Vec<Place>,
}

impl Key {
    /// The smallest that any of its jobs names.
    pub fn limit(&self) -> u32 {
        self.limits.keys().next().copied().unwrap_or(u32::MAX)
    }

    pub fn live(&self) -> u32 {
        u32::try_from(self.live.len()).unwrap_or(u32::MAX)
    }

    pub fn is_full(&self) -> bool {
        self.live() >= self.limit()
    }

    pub fn is_beside(&self, place: &Place) -> bool {
        self.beside.contains(place)
    }

    fn settle(&mut self) -> Moves {
        let places = self.limit().saturating_sub(self.live()) as usize;
        let most = if places == 0 { 0 } else { places.saturating_add(LOOK_AHEAD) };
        let mut moves = Moves::default();
        loop {
            let (last, next) = (self.in_line.last().copied(), self.beside.first().copied());
            match (last, next) {
                (Some(last), _) if self.in_line.len() > most => self.step_out(last, &mut moves),
                (_, Some(next)) if self.in_line.len() < most => {
                    self.beside.remove(&next);
                    self.in_line.insert(next);
                    moves.enter.push(next);
                }
                (Some(last), Some(next)) if next < last => self.step_out(last, &mut moves),
                _ => return moves,
            }
        }
    }

    fn step_out(&mut self, last: Place, moves: &mut Moves) {
        self.in_line.remove(&last);
        self.beside.insert(last);
        moves.leave.push(last);
    }
}

impl Keys {
    pub fn get(&self, tenant: TenantId, of: &Concurrency) -> Option<&Key> {
        self.0.get(&(tenant, of.key.clone()))
    }

    /// A job that waits: beside the line, until the key is settled.
    pub fn wait(&mut self, tenant: TenantId, of: &Concurrency, place: Place) {
        let key = self.0.entry((tenant, of.key.clone())).or_default();
        *key.limits.entry(of.limit).or_default() += 1;
        key.beside.insert(place);
    }

    /// Whether it stood in line.
    pub fn unwait(&mut self, tenant: TenantId, of: &Concurrency, place: &Place) -> bool {
        let Some(key) = self.0.get_mut(&(tenant, of.key.clone())) else { return false };
        let stood = key.in_line.remove(place);
        key.beside.remove(place);
        self.forget(tenant, of);
        stood
    }

    pub fn hold(&mut self, tenant: TenantId, of: &Concurrency, job: JobId) {
        let key = self.0.entry((tenant, of.key.clone())).or_default();
        *key.limits.entry(of.limit).or_default() += 1;
        key.live.insert(job);
    }

    pub fn release(&mut self, tenant: TenantId, of: &Concurrency, job: JobId) {
        if let Some(key) = self.0.get_mut(&(tenant, of.key.clone())) {
            key.live.remove(&job);
            self.forget(tenant, of);
        }
    }

    /// One job fewer names this limit.
    fn forget(&mut self, tenant: TenantId, of: &Concurrency) {
        let name = (tenant, of.key.clone());
        let Some(key) = self.0.get_mut(&name) else { return };
        if let Some(count) = key.limits.get_mut(&of.limit) {
            *count -= 1;
            if *count == 0 {
                key.limits.remove(&of.limit);
            }
        }
        if key.limits.is_empty() {
            self.0.remove(&name);
        }
    }

    /// The first ones come into line.
    pub fn settle(&mut self, tenant: TenantId, of: &Concurrency) -> Moves {
        self.0.get_mut(&(tenant, of.key.clone())).map(Key::settle).unwrap_or_default()
    }

    /// Whose jobs there are beside the line; some more than once.
    pub fn tenants(&self) -> impl Iterator<Item = TenantId> {
        let keys = self.0.iter().filter(|(_, key)| !key.beside.is_empty());
        keys.map(|((tenant, _), _)| *tenant)
    }

    /// Of a tenant's jobs beside the line, the first `each` of each key.
    pub fn beside(&self, tenant: TenantId, each: usize) -> impl Iterator<Item = JobId> {
        let first = (tenant, String::new());
        let own = self.0.range(first..).take_while(move |((of, _), _)| *of == tenant);
        own.flat_map(move |(_, key)| key.beside.iter().take(each).map(|place| place.job))
    }
}

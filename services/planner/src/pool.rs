//! One pool: its workers' rooms, its tenants' accounts, and the orders that follow from both. Every
//! job enters and leaves by [`Pool::enter`] and [`Pool::leave`], which keep all of it in step.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, Resources, TenantId, Timestamp, WorkerId,
    world::{Live, Phase, PlannedJob, Quota, WorkerState},
};

use crate::{
    Order, Policy,
    account::{Account, Place},
    books::Books,
    cohort::{COMMON, Cohort},
    reserve::{Held, Reservation},
    room::{Room, Rooms},
};

/// What a change is seen with.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub policy: &'a Policy,
    pub now: Timestamp,
}

/// A job within its tenant's guarantee, for which borrowers are stopping.
#[derive(Debug, Clone)]
pub struct Claim {
    pub needs: Resources,
    pub cohort: usize,
    pub victims: BTreeSet<JobId>,
    /// Kept for it until it has started.
    pub workers: BTreeSet<WorkerId>,
}

#[derive(Debug, Clone)]
pub struct Pool {
    pub rooms: Rooms,
    pub accounts: BTreeMap<TenantId, Account>,
    pub cohorts: Vec<Cohort>,
    pub claims: BTreeMap<JobId, Claim>,
    /// Attempts that are stopping for a job, by that job.
    stopping_for: BTreeMap<JobId, BTreeMap<JobId, WorkerId>>,
    /// Tenants that use more than their limit, not counting what is stopping.
    pub over: BTreeSet<TenantId>,
    /// Live attempts by worker, whether it is known or not.
    live_on: BTreeMap<WorkerId, BTreeSet<JobId>>,
    /// What the last plan has promised: a worker's room, and parts of cohorts.
    pub reserved: Option<Reservation>,
    pub held: BTreeMap<usize, Held>,
    /// Something has changed since the last plan.
    pub changed: bool,
    /// Starts so far.
    pub served: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            rooms: Rooms::default(),
            accounts: BTreeMap::new(),
            cohorts: vec![Cohort::default()],
            claims: BTreeMap::new(),
            stopping_for: BTreeMap::new(),
            over: BTreeSet::new(),
            live_on: BTreeMap::new(),
            reserved: None,
            held: BTreeMap::new(),
            changed: true,
            served: 0,
        }
    }
}

impl Pool {
    pub fn enter(&mut self, id: JobId, job: &PlannedJob, books: &mut Books, view: View) {
        self.changed = true;
        self.open_account(job.tenant, books, view);
        match &job.phase {
            Phase::Waiting { not_before, .. } if *not_before > view.now => {
                books.begins.insert((*not_before, id));
            }
            Phase::Waiting { .. } => self.wait(id, job, view),
            Phase::Live(live) => self.hold(id, job, live, books, view),
        }
        self.touch(job.tenant, view);
    }

    pub fn leave(&mut self, id: JobId, job: &PlannedJob, books: &mut Books, view: View) {
        self.changed = true;
        match &job.phase {
            Phase::Waiting { not_before, .. } => {
                if !books.begins.remove(&(*not_before, id)) {
                    self.unwait(id, job, view);
                }
                self.drop_claim(id);
            }
            Phase::Live(live) => self.release(id, job, live, books, view),
        }
        self.touch(job.tenant, view);
    }

    fn wait(&mut self, id: JobId, job: &PlannedJob, view: View) {
        let Some(account) = self.accounts.get_mut(&job.tenant) else { return };
        account.wait(job.needs, Place::of(id, job, view.policy.order));
        self.cohorts[account.cohort].waits(job.needs);
        for (victim, worker) in self.stopping_for.get(&id).cloned().unwrap_or_default() {
            self.claim(id, job, victim, worker);
        }
    }

    fn unwait(&mut self, id: JobId, job: &PlannedJob, view: View) {
        let Some(account) = self.accounts.get_mut(&job.tenant) else { return };
        if account.unwait(job.needs, &Place::of(id, job, view.policy.order)) {
            self.cohorts[account.cohort].unwaits(job.needs);
        }
    }

    fn hold(&mut self, id: JobId, job: &PlannedJob, live: &Live, books: &mut Books, view: View) {
        let whole = self.rooms.capacity();
        if let Some(account) = self.accounts.get_mut(&job.tenant) {
            account.settle(&whole, view.policy.half_life, view.now);
            account.used = account.used.plus(job.needs);
            account.live.insert(id);
            if live.stopping.is_some() {
                account.leaving = account.leaving.plus(job.needs);
            }
            let cohort = &mut self.cohorts[account.cohort];
            cohort.used = cohort.used.plus(job.needs);
            cohort.ends.insert((live.deadline, id));
        }
        if let Some(tenant) = books.tenants.get_mut(&job.tenant) {
            tenant.live = tenant.live.saturating_add(1);
        }
        self.rooms.change(live.worker, |room| room.take(&job.needs, live.devices));
        self.live_on.entry(live.worker).or_default().insert(id);
        books.watch(id, self.rooms.get(live.worker).map(|room| room.state));
        let Some(stopping) = live.stopping else {
            books.deadlines.insert((live.deadline, id));
            return;
        };
        if let Some(claimant) = stopping.for_job {
            self.stopping_for.entry(claimant).or_default().insert(id, live.worker);
            if let Some(waiting) = books.jobs.get(&claimant)
                && matches!(waiting.phase, Phase::Waiting { .. })
            {
                self.claim(claimant, waiting, id, live.worker);
            }
        }
    }

    fn release(&mut self, id: JobId, job: &PlannedJob, live: &Live, books: &mut Books, view: View) {
        let whole = self.rooms.capacity();
        if let Some(account) = self.accounts.get_mut(&job.tenant) {
            account.settle(&whole, view.policy.half_life, view.now);
            account.used = account.used.minus(job.needs);
            account.live.remove(&id);
            if live.stopping.is_some() {
                account.leaving = account.leaving.minus(job.needs);
            }
            let cohort = &mut self.cohorts[account.cohort];
            cohort.used = cohort.used.minus(job.needs);
            cohort.ends.remove(&(live.deadline, id));
        }
        if let Some(tenant) = books.tenants.get_mut(&job.tenant) {
            tenant.live = tenant.live.saturating_sub(1);
        }
        self.rooms.change(live.worker, |room| room.give(&job.needs, live.devices));
        if let Some(on) = self.live_on.get_mut(&live.worker) {
            on.remove(&id);
            if on.is_empty() {
                self.live_on.remove(&live.worker);
            }
        }
        books.lost.remove(&id);
        books.moving.remove(&id);
        books.deadlines.remove(&(live.deadline, id));
        if let Some(claimant) = live.stopping.and_then(|stopping| stopping.for_job) {
            if let Some(victims) = self.stopping_for.get_mut(&claimant) {
                victims.remove(&id);
                if victims.is_empty() {
                    self.stopping_for.remove(&claimant);
                }
            }
            if let Some(claim) = self.claims.get_mut(&claimant) {
                claim.victims.remove(&id);
            }
        }
    }

    /// `victim` on `worker` is stopping for the job `id`: nobody else gets that worker meanwhile.
    fn claim(&mut self, id: JobId, job: &PlannedJob, victim: JobId, worker: WorkerId) {
        let Some(account) = self.accounts.get(&job.tenant) else { return };
        let (cohort, cohorts) = (account.cohort, &mut self.cohorts);
        let claim = self.claims.entry(id).or_insert_with(|| {
            cohorts[cohort].claimed = cohorts[cohort].claimed.plus(job.needs);
            let (victims, workers) = Default::default();
            Claim { needs: job.needs, cohort, victims, workers }
        });
        claim.victims.insert(victim);
        self.keep(id, worker);
    }

    /// Keeps `worker` for a job that has a claim, unless it is kept for another.
    pub fn keep(&mut self, id: JobId, worker: WorkerId) {
        if let Some(claim) = self.claims.get_mut(&id)
            && self.rooms.get(worker).is_some_and(|room| room.kept_for.is_none_or(|job| job == id))
        {
            claim.workers.insert(worker);
            self.rooms.change(worker, |room| room.kept_for = Some(id));
        }
    }

    pub fn drop_claim(&mut self, id: JobId) {
        let Some(claim) = self.claims.remove(&id) else { return };
        let cohort = &mut self.cohorts[claim.cohort];
        cohort.claimed = cohort.claimed.minus(claim.needs);
        for worker in claim.workers {
            self.rooms.change(worker, |room| room.kept_for = None);
        }
    }

    pub fn set_room(
        &mut self,
        worker: WorkerId,
        room: Option<(Resources, WorkerState)>,
        books: &mut Books,
        view: View,
    ) {
        self.changed = true;
        let capacity = self.rooms.capacity();
        let kept_for = self.rooms.get(worker).and_then(|room| room.kept_for);
        let live = self.live_on.get(&worker).cloned().unwrap_or_default();
        let room = room.map(|(capacity, state)| {
            let mut room = Room::new(capacity, state);
            room.kept_for = kept_for;
            for job in live.iter().filter_map(|id| books.jobs.get(id)) {
                if let Phase::Live(held) = &job.phase {
                    room.take(&job.needs, held.devices);
                }
            }
            room
        });
        let state = room.as_ref().map(|room| room.state);
        self.rooms.set(worker, room);
        live.into_iter().for_each(|id| books.watch(id, state));
        if self.rooms.capacity() != capacity {
            self.touch_all(view);
        }
    }

    pub fn open_account(&mut self, tenant: TenantId, books: &Books, view: View) {
        let full = books.is_full(tenant);
        let new = || Account::new(Quota::default(), COMMON, view.now);
        self.accounts.entry(tenant).or_insert_with(new).full = full;
    }

    pub fn set_quota(&mut self, tenant: TenantId, quota: Quota, books: &Books, view: View) {
        self.changed = true;
        self.open_account(tenant, books, view);
        let cohort = self.cohort_named(quota.cohort.as_deref());
        let Some(account) = self.accounts.get_mut(&tenant) else { return };
        let before = &mut self.cohorts[account.cohort];
        before.guaranteed = before.guaranteed.minus(account.quota.guaranteed);
        before.used = before.used.minus(account.used);
        before.borrowers.remove(&tenant);
        if let Some(turn) = account.turn.take() {
            before.entitled.remove(&turn);
            before.asking.remove(&turn);
        }
        let lines = account.lines.iter();
        let shapes: Vec<_> = lines.flat_map(|(needs, line)| line.iter().map(|_| *needs)).collect();
        shapes.iter().for_each(|needs| before.unwaits(*needs));
        let deadline = |id: &JobId| match books.jobs.get(id)?.phase {
            Phase::Live(live) => Some((live.deadline, *id)),
            Phase::Waiting { .. } => None,
        };
        let ends: Vec<_> = account.live.iter().filter_map(deadline).collect();
        before.ends.retain(|end| !ends.contains(end));
        let after = &mut self.cohorts[cohort];
        after.guaranteed = after.guaranteed.plus(quota.guaranteed);
        after.used = after.used.plus(account.used);
        shapes.iter().for_each(|needs| after.waits(*needs));
        after.ends.extend(ends);
        (account.cohort, account.quota) = (cohort, quota);
        let claims: Vec<_> = self.claims.keys().copied().collect();
        let own = |id: &JobId| books.jobs.get(id).is_some_and(|job| job.tenant == tenant);
        claims.iter().filter(|id| own(id)).for_each(|id| self.drop_claim(*id));
        self.touch(tenant, view);
    }

    fn cohort_named(&mut self, name: Option<&str>) -> usize {
        let Some(name) = name else { return COMMON };
        let known = self.cohorts.iter().position(|cohort| cohort.name.as_deref() == Some(name));
        known.unwrap_or_else(|| {
            self.cohorts.push(Cohort { name: Some(name.to_owned()), ..Cohort::default() });
            self.cohorts.len() - 1
        })
    }

    /// What the members of a cohort may use together.
    pub fn allowed(&self, cohort: usize) -> Resources {
        if cohort != COMMON {
            return self.cohorts[cohort].guaranteed;
        }
        let named = self.cohorts.iter().skip(COMMON + 1);
        let taken = named.fold(Resources::NONE, |sum, cohort| sum.plus(cohort.guaranteed));
        if taken == Resources::NONE {
            Resources::UNLIMITED
        } else {
            self.rooms.present().minus(taken)
        }
    }

    /// What is left of that, for a job without a claim.
    pub fn headroom(&self, cohort: usize) -> Resources {
        let Cohort { used, claimed, .. } = &self.cohorts[cohort];
        self.allowed(cohort).minus(used.plus(*claimed))
    }

    pub fn live_on(&self, worker: WorkerId) -> impl Iterator<Item = JobId> {
        self.live_on.get(&worker).into_iter().flatten().copied()
    }

    pub fn set_full(&mut self, tenant: TenantId, full: bool, view: View) {
        if let Some(account) = self.accounts.get_mut(&tenant)
            && account.full != full
        {
            account.full = full;
            self.changed = true;
            self.touch(tenant, view);
        }
    }

    /// Puts an account where it belongs in its cohort's orders.
    pub fn touch(&mut self, tenant: TenantId, view: View) {
        let whole = self.rooms.capacity();
        let Some(account) = self.accounts.get_mut(&tenant) else { return };
        let cohort = &mut self.cohorts[account.cohort];
        if let Some(turn) = account.turn.take() {
            cohort.entitled.remove(&turn);
            cohort.asking.remove(&turn);
        }
        account.turn = account.turn_at(tenant, &whole, view.policy, view.now);
        if let Some(turn) = account.turn {
            let guarantees = view.policy.order == Order::FairShare;
            if guarantees && account.may_start_within(&account.quota.guaranteed) {
                cohort.entitled.insert(turn);
            }
            if account.may_start_within(&account.quota.limit) {
                cohort.asking.insert(turn);
            }
        }
        if account.borrows() {
            cohort.borrowers.insert(tenant);
        } else {
            cohort.borrowers.remove(&tenant);
        }
        if account.used.minus(account.leaving).within(&account.quota.limit) {
            self.over.remove(&tenant);
        } else {
            self.over.insert(tenant);
        }
        if account.is_idle() {
            self.accounts.remove(&tenant);
        }
    }

    /// Time alone changes the order: usage decays.
    pub fn touch_all(&mut self, view: View) {
        let waiting = self.accounts.iter().filter(|(_, account)| !account.lines.is_empty());
        let tenants: Vec<_> = waiting.map(|(tenant, _)| *tenant).collect();
        tenants.into_iter().for_each(|tenant| self.touch(tenant, view));
    }
}

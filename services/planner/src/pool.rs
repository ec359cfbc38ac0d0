//! One pool: its workers' rooms, its tenants' accounts, and the orders that follow from both. Every
//! job enters and leaves by [`Pool::enter`] and [`Pool::leave`], which keep all of it in step.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, Resources, TenantId, Timestamp,
    spend::{Prices, Spend},
    world::{Live, Phase, PlannedJob, Quota, Seats},
};

use crate::{
    Order, Policy,
    account::{Account, Place},
    books::Books,
    claims::Claim,
    cohort::{COMMON, Cohort},
    machines::LiveOn,
    reserve::{Held, Reservation},
    room::Rooms,
    shape::Shape,
};

/// What a change is seen with.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub policy: &'a Policy,
    pub now: Timestamp,
}

/// What a question about one pool is answered from.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    pub pool: &'a Pool,
    pub books: &'a Books,
    pub view: View<'a>,
}

#[derive(Debug, Clone)]
pub struct Pool {
    pub rooms: Rooms,
    pub prices: Prices,
    pub accounts: BTreeMap<TenantId, Account>,
    pub cohorts: Vec<Cohort>,
    pub claims: BTreeMap<JobId, Claim>,
    /// Attempts that are stopping for a job, by that job.
    stopping_for: BTreeMap<JobId, BTreeMap<JobId, Seats>>,
    /// Tenants that use more than their limit, not counting what is stopping.
    pub over: BTreeSet<TenantId>,
    pub live_on: LiveOn,
    /// What the last plan has promised: workers' rooms, and parts of cohorts.
    pub reserved: Option<Reservation>,
    pub held: BTreeMap<usize, Held>,
    /// Cohorts and shapes for which there was nobody to stop, and when to look again.
    pub futile: BTreeMap<(usize, Shape), Timestamp>,
    /// Something has changed since the last plan.
    pub changed: bool,
    /// Starts so far.
    pub served: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            rooms: Rooms::default(),
            prices: Prices::default(),
            accounts: BTreeMap::new(),
            cohorts: vec![Cohort::default()],
            claims: BTreeMap::new(),
            stopping_for: BTreeMap::new(),
            over: BTreeSet::new(),
            live_on: LiveOn::default(),
            reserved: None,
            held: BTreeMap::new(),
            futile: BTreeMap::new(),
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
            Phase::Waiting { .. } => match &job.concurrency {
                None => self.wait(id, job, view),
                Some(of) => {
                    books.keys.wait(job.tenant, of, Place::of(id, job, view.policy.order));
                }
            },
            Phase::Live(live) => self.hold(id, job, live, books, view),
        }
        self.touch(job.tenant, view);
    }

    pub fn leave(&mut self, id: JobId, job: &PlannedJob, books: &mut Books, view: View) {
        self.changed = true;
        match &job.phase {
            Phase::Waiting { not_before, .. } => {
                let place = Place::of(id, job, view.policy.order);
                let in_line = match &job.concurrency {
                    _ if books.begins.remove(&(*not_before, id)) => false,
                    None => true,
                    Some(of) => books.keys.unwait(job.tenant, of, &place),
                };
                if in_line {
                    self.unwait(id, job, view);
                }
            }
            Phase::Live(live) => self.release(id, job, live, books, view),
        }
        self.touch(job.tenant, view);
    }

    /// Into line.
    pub fn wait(&mut self, id: JobId, job: &PlannedJob, view: View) {
        let Some(account) = self.accounts.get_mut(&job.tenant) else { return };
        account.wait(Shape::of(job), Place::of(id, job, view.policy.order));
        self.cohorts[account.cohort].waits(Shape::of(job));
        for (victim, seats) in self.stopping_for.get(&id).cloned().unwrap_or_default() {
            self.claim(id, job, victim, &seats);
        }
    }

    pub fn unwait(&mut self, id: JobId, job: &PlannedJob, view: View) {
        self.drop_claim(id);
        let Some(account) = self.accounts.get_mut(&job.tenant) else { return };
        if account.unwait(Shape::of(job), &Place::of(id, job, view.policy.order)) {
            self.cohorts[account.cohort].unwaits(Shape::of(job));
        }
    }

    fn hold(&mut self, id: JobId, job: &PlannedJob, live: &Live, books: &mut Books, view: View) {
        let (whole, total) = (self.rooms.capacity(), job.total());
        if let Some(account) = self.accounts.get_mut(&job.tenant) {
            account.settle(&whole, view.policy.half_life, view.now);
            account.used = account.used.plus(total);
            account.live.insert(id);
            if live.stopping.is_some() {
                account.leaving = account.leaving.plus(total);
            }
            let cohort = &mut self.cohorts[account.cohort];
            cohort.used = cohort.used.plus(total);
            cohort.ends.insert((live.deadline, id));
        }
        if let Some(tenant) = books.tenants.get_mut(&job.tenant) {
            tenant.add(job.reserved(live.rate));
        }
        if let Some(of) = &job.concurrency {
            books.keys.hold(job.tenant, of, id);
        }
        self.take_seats(id, job, live, books);
        let Some(stopping) = live.stopping else {
            books.deadlines.insert((live.deadline, id));
            return;
        };
        if let Some(claimant) = stopping.for_job {
            self.stopping_for.entry(claimant).or_default().insert(id, live.seats.clone());
            if let Some(waiting) = books.jobs.get(&claimant)
                && matches!(waiting.phase, Phase::Waiting { .. })
            {
                self.claim(claimant, waiting, id, &live.seats);
            }
        }
    }

    fn release(&mut self, id: JobId, job: &PlannedJob, live: &Live, books: &mut Books, view: View) {
        let (whole, total) = (self.rooms.capacity(), job.total());
        if let Some(account) = self.accounts.get_mut(&job.tenant) {
            account.settle(&whole, view.policy.half_life, view.now);
            account.used = account.used.minus(total);
            account.live.remove(&id);
            if live.stopping.is_some() {
                account.leaving = account.leaving.minus(total);
            }
            let cohort = &mut self.cohorts[account.cohort];
            cohort.used = cohort.used.minus(total);
            cohort.ends.remove(&(live.deadline, id));
        }
        if let Some(tenant) = books.tenants.get_mut(&job.tenant) {
            tenant.remove(job.reserved(live.rate));
        }
        if let Some(of) = &job.concurrency {
            books.keys.release(job.tenant, of, id);
        }
        self.leave_seats(id, job, live);
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

    pub fn open_account(&mut self, tenant: TenantId, books: &Books, view: View) {
        let new = || Account::new(Quota::default(), COMMON, view.now);
        let account = self.accounts.entry(tenant).or_insert_with(new);
        account.full = books.is_full(tenant) || account.places_left() == 0;
    }

    pub fn set_quota(&mut self, tenant: TenantId, quota: Quota, books: &Books, view: View) {
        self.changed = true;
        self.futile.clear();
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
        let shapes: Vec<_> = lines.flat_map(|(shape, line)| line.iter().map(|_| *shape)).collect();
        shapes.iter().for_each(|shape| before.unwaits(*shape));
        let deadline = |id: &JobId| Some((books.jobs.get(id)?.live()?.deadline, *id));
        let ends: Vec<_> = account.live.iter().filter_map(deadline).collect();
        before.ends.retain(|end| !ends.contains(end));
        let after = &mut self.cohorts[cohort];
        after.guaranteed = after.guaranteed.plus(quota.guaranteed);
        after.used = after.used.plus(account.used);
        shapes.iter().for_each(|shape| after.waits(*shape));
        after.ends.extend(ends);
        (account.cohort, account.quota) = (cohort, quota);
        account.full = books.is_full(tenant) || account.places_left() == 0;
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

    /// How many more of the tenant's jobs may run here.
    pub fn places_left(&self, tenant: TenantId, books: &Books) -> u32 {
        let here = self.accounts.get(&tenant).map_or(u32::MAX, Account::places_left);
        here.min(books.places_left(tenant))
    }

    pub fn update_full(&mut self, tenant: TenantId, books: &Books, view: View) {
        let full = self.places_left(tenant, books) == 0;
        if let Some(account) = self.accounts.get_mut(&tenant)
            && account.full != full
        {
            account.full = full;
            self.changed = true;
            self.touch(tenant, view);
        }
    }

    /// What an attempt of the job would cost at most, if it started now.
    pub fn cost(&self, job: &PlannedJob) -> Spend {
        job.reserved(self.prices.rate(&job.total()))
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

    /// Those with jobs in line.
    pub fn waiting_tenants(&self) -> impl Iterator<Item = TenantId> {
        let waiting = self.accounts.iter().filter(|(_, account)| !account.lines.is_empty());
        waiting.map(|(tenant, _)| *tenant)
    }

    /// The pool is another size: so is everybody's share of it.
    pub fn touch_all(&mut self, view: View) {
        let tenants: Vec<_> = self.waiting_tenants().collect();
        tenants.into_iter().for_each(|tenant| self.touch(tenant, view));
    }
}

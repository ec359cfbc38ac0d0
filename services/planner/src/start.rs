//! Who starts: first everybody within what is guaranteed to them, then whoever's weighted share is the
//! smallest, until nothing fits.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
    num::NonZeroU32,
    ops::Bound,
};

use domain::{
    JobId, TenantId, Timestamp,
    job::Attempt,
    world::{Command, Live, Phase, PlannedJob, PreemptReason, Seats},
};

use crate::{
    Order,
    account::{Account, Place, Turn},
    after,
    books::Books,
    enforce::preempt,
    keys::Key,
    pool::{Pool, Sight, View},
    queue::change,
    reclaim::{Victims, reclaim},
    reserve::{Held, Reservation, hold, reserve},
    room::Found,
    shape::Shape,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Guaranteed,
    Lending,
}

/// One plan's work on one pool.
pub struct Shift<'a> {
    pool: &'a mut Pool,
    books: &'a mut Books,
    view: View<'a>,
    left: &'a mut usize,
    commands: &'a mut Vec<Command>,
    /// What there is no room for in this plan: room only shrinks while it is made.
    nowhere: BTreeSet<Shape>,
    /// What is beyond what a cohort has left, and nobody can be stopped for.
    beyond: BTreeSet<(usize, Shape)>,
    reserved: Option<Reservation>,
    held: BTreeMap<usize, Held>,
    reclaims_left: usize,
    /// By cohort, once they are asked for.
    victims: BTreeMap<usize, Victims>,
    /// A job could not be given its guarantee yet: time alone may change that.
    look_again: bool,
}

enum Served {
    Started,
    Stuck,
    /// In a strict order nobody goes before the one whose turn it is.
    Closed,
}

enum Choice {
    Start(JobId, Seats),
    /// The first of the tenant's jobs that there is no room for, or not in its cohort.
    Blocked(JobId, Shape),
    Nothing,
}

impl<'a> Shift<'a> {
    pub fn new(
        pool: &'a mut Pool,
        books: &'a mut Books,
        view: View<'a>,
        left: &'a mut usize,
        commands: &'a mut Vec<Command>,
    ) -> Self {
        Self {
            pool,
            books,
            view,
            left,
            commands,
            nowhere: BTreeSet::new(),
            beyond: BTreeSet::new(),
            reserved: None,
            held: BTreeMap::new(),
            reclaims_left: view.policy.max_reclaims_per_plan,
            victims: BTreeMap::new(),
            look_again: false,
        }
    }

    /// Whether the next plan has to look at this pool even if nothing changes meanwhile.
    pub fn run(mut self) -> bool {
        self.pool.futile.retain(|_, until| *until > self.view.now);
        self.serve_claims();
        self.pass(Pass::Guaranteed);
        self.pass(Pass::Lending);
        self.pool.reserved = self.reserved.take();
        self.pool.held = std::mem::take(&mut self.held);
        *self.left == 0 || self.look_again
    }

    /// Those for whom others were stopped. Once all of them have, the job starts or has no claim.
    fn serve_claims(&mut self) {
        let claims: Vec<_> = self.pool.claims.keys().copied().collect();
        for id in claims {
            let Some(job) = self.books.jobs.get(&id) else { continue };
            let (shape, until) = (Shape::of(job), after(self.view.now, job.max_runtime_secs));
            let account = self.pool.accounts.get(&job.tenant);
            let may_run = !self.key_is_full(job)
                && self.pool.cost(job).within(&self.books.tenant(job.tenant).left());
            let entitled = account.is_some_and(|account| {
                may_run
                    && !account.full
                    && account.used.plus(shape.total()).within(&account.quota.guaranteed)
            });
            let headroom = self.pool.claims.get(&id).is_some_and(|claim| {
                let cohort = &self.pool.cohorts[claim.cohort];
                cohort.used.plus(shape.total()).within(&self.pool.allowed(claim.cohort))
            });
            let found = self.pool.rooms.find(id, &shape, until, None);
            match found {
                Found::At(seats) if entitled && headroom && *self.left > 0 => self.start(id, seats),
                _ if self.pool.claims.get(&id).is_some_and(|claim| claim.victims.is_empty()) => {
                    self.pool.drop_claim(id);
                }
                _ if !entitled => self.pool.drop_claim(id),
                _ => {}
            }
        }
    }

    /// Asks each account in its order once; one that starts a job comes back where it then belongs.
    fn pass(&mut self, pass: Pass) {
        let mut asked: Vec<Option<Turn>> = vec![None; self.pool.cohorts.len()];
        let mut again = None;
        while *self.left > 0 {
            let Some((cohort, turn)) = again.take().or_else(|| self.next(pass, &asked)) else {
                break;
            };
            asked[cohort] = asked[cohort].max(Some(turn));
            match self.serve(turn.tenant, pass) {
                Served::Started => {
                    let turn = self.pool.accounts.get(&turn.tenant).and_then(|a| a.turn);
                    // those that stand before it have all been asked, and room has not grown
                    again = turn.filter(|turn| Some(*turn) <= asked[cohort]).map(|t| (cohort, t));
                }
                Served::Stuck => {}
                Served::Closed => break,
            }
        }
    }

    fn next(&self, pass: Pass, asked: &[Option<Turn>]) -> Option<(usize, Turn)> {
        let cohorts = self.pool.cohorts.iter().zip(asked).enumerate();
        let first = cohorts.filter_map(|(n, (cohort, asked))| {
            let order = match pass {
                Pass::Guaranteed => &cohort.entitled,
                Pass::Lending => &cohort.asking,
            };
            let after = asked.map_or(Bound::Unbounded, Bound::Excluded);
            let turn = order.range((after, Bound::Unbounded)).next()?;
            let hopeless =
                |shape| self.nowhere.contains(shape) || self.beyond.contains(&(n, *shape));
            (!cohort.shapes.keys().all(hopeless)).then_some((*turn, n))
        });
        first.min().map(|(turn, cohort)| (cohort, turn))
    }

    fn serve(&mut self, tenant: TenantId, pass: Pass) -> Served {
        if self.pool.places_left(tenant, self.books) == 0 {
            self.pool.update_full(tenant, self.books, self.view);
            return Served::Stuck;
        }
        loop {
            match self.choose(tenant, pass) {
                Choice::Start(job, seats) => {
                    self.start(job, seats);
                    return Served::Started;
                }
                Choice::Blocked(..) if self.view.policy.order != Order::FairShare => {
                    return Served::Closed;
                }
                Choice::Blocked(job, shape) => self.make_way(tenant, job, shape, pass),
                Choice::Nothing => return Served::Stuck,
            }
        }
    }

    /// The first of the tenant's jobs that can be decided on.
    fn choose(&self, tenant: TenantId, pass: Pass) -> Choice {
        let Some(account) = self.pool.accounts.get(&tenant) else { return Choice::Nothing };
        let allowed = match pass {
            Pass::Guaranteed => account.quota.guaranteed,
            Pass::Lending => account.quota.limit,
        };
        let headroom = self.pool.headroom(account.cohort);
        let budget = self.books.tenant(tenant).left();
        let mut lines: Vec<_> = account
            .lines
            .iter()
            .filter(|(shape, _)| !self.nowhere.contains(shape))
            .filter(|(shape, _)| !self.beyond.contains(&(account.cohort, **shape)))
            .filter(|(shape, _)| account.used.plus(shape.total()).within(&allowed))
            .map(|(shape, line)| (shape, line.iter().peekable()))
            .collect();
        let mut looks_left = self.view.policy.backfill_depth;
        while let Some((shape, place)) = first_of(&mut lines) {
            if self.pool.claims.contains_key(&place.job) {
                continue;
            }
            let Some(job) = self.books.jobs.get(&place.job) else { continue };
            if self.key_is_full(job) {
                continue;
            }
            if !self.pool.cost(job).within(&budget) {
                if looks_left == 0 {
                    return Choice::Nothing;
                }
                looks_left -= 1;
                continue;
            }
            if !shape.total().within(&headroom) {
                return Choice::Blocked(place.job, shape);
            }
            let until = after(self.view.now, job.max_runtime_secs);
            let held = self.held.get(&account.cohort);
            let kept = held.is_some_and(|held| !held.allows(place.job, &shape.total(), until))
                || self.crowds_out(account, place.job, job, until);
            let found = if kept {
                Found::Kept
            } else {
                self.pool.rooms.find(place.job, &shape, until, self.reserved.as_ref())
            };
            match found {
                Found::At(seats) => return Choice::Start(place.job, seats),
                Found::Nowhere => return Choice::Blocked(place.job, shape),
                Found::Kept if looks_left == 0 => return Choice::Nothing,
                Found::Kept => looks_left -= 1,
            }
        }
        Choice::Nothing
    }

    /// Jobs that this plan has started may have taken its key's last place.
    fn key_is_full(&self, job: &PlannedJob) -> bool {
        let key = job.concurrency.as_ref().and_then(|of| self.books.keys.get(job.tenant, of));
        key.is_some_and(Key::is_full)
    }

    /// Whether it would take what its own tenant may still use away from a job that has a promise.
    fn crowds_out(&self, account: &Account, id: JobId, own: &PlannedJob, until: Timestamp) -> bool {
        let places = self.pool.places_left(own.tenant, self.books);
        let budget = self.books.tenant(own.tenant).left();
        let reserved = self.reserved.as_ref().map(|reserved| (reserved.job, reserved.from));
        let held = self.held.get(&account.cohort).map(|held| (held.job, held.from));
        reserved.into_iter().chain(held).any(|(promised, from)| {
            let job = self.books.jobs.get(&promised).filter(|job| job.tenant == own.tenant);
            let Some(job) = job.filter(|_| id != promised) else { return false };
            let both = account.used.plus(own.total()).plus(job.total());
            // what it costs stays spent when it has ended
            let costs = self.pool.cost(own).plus(self.pool.cost(job));
            !costs.within(&budget)
                || until > from && (places < 2 || !both.within(&account.quota.limit))
        })
    }

    /// There is no room for this job: stop borrowers for it, or promise it a place, if it is to have
    /// either; and ask no other job of the same shape.
    fn make_way(&mut self, tenant: TenantId, id: JobId, shape: Shape, pass: Pass) {
        let Some(cohort) = self.pool.accounts.get(&tenant).map(|account| account.cohort) else {
            return;
        };
        let short = !shape.total().within(&self.pool.headroom(cohort));
        let futile = self.pool.futile.get(&(cohort, shape));
        if pass == Pass::Guaranteed {
            self.look_again = true;
        }
        if pass == Pass::Guaranteed
            && self.reclaims_left > 0
            && futile.is_none_or(|until| *until <= self.view.now)
        {
            self.reclaims_left -= 1;
            let sight = Sight { pool: self.pool, books: self.books, view: self.view };
            let victims = self.victims.entry(cohort).or_insert_with(|| Victims::of(sight, cohort));
            if let Some(found) = reclaim(sight, victims, id, &shape, cohort)
                && !found.victims.is_empty()
            {
                victims.remove(&found.victims);
                let why = PreemptReason::Reclaimed { for_job: id };
                for victim in found.victims {
                    self.commands.extend(preempt(self.pool, self.books, self.view, victim, why));
                }
                found.workers.into_iter().for_each(|worker| self.pool.keep(id, worker));
                return;
            }
            let until = self.view.now.checked_add_signed(self.view.policy.reclaim_again);
            self.pool.futile.insert((cohort, shape), until.unwrap_or(Timestamp::MAX_UTC));
        }
        if short {
            self.beyond.insert((cohort, shape));
            if !self.held.contains_key(&cohort)
                && self.pool.rooms.could_ever_hold(&shape)
                && let Some(held) = hold(self.sight(), id, &shape.total(), cohort)
            {
                self.held.insert(cohort, held);
            }
        }
        let now = self.pool.rooms.find(id, &shape, Timestamp::MAX_UTC, None);
        if now != Found::Nowhere {
            return;
        }
        self.nowhere.insert(shape);
        if self.reserved.is_none() && self.pool.rooms.could_ever_hold(&shape) {
            self.reserved = reserve(self.sight(), id, &shape);
        }
    }

    fn sight(&self) -> Sight<'_> {
        Sight { pool: self.pool, books: self.books, view: self.view }
    }

    fn start(&mut self, id: JobId, seats: Seats) {
        let Some(job) = self.books.jobs.get(&id) else { return };
        let (tenant, max_runtime) = (job.tenant, job.max_runtime_secs);
        let Phase::Waiting { last_attempt, .. } = job.phase else { return };
        // It saturates: a job that has used every number is refused by its own state.
        let number = NonZeroU32::MIN.saturating_add(last_attempt);
        let (attempt, now) = (Attempt { job: id, number }, self.view.now);
        let rate = self.pool.prices.rate(&job.total());
        let live = Live {
            attempt,
            seats: seats.clone(),
            started_at: now,
            deadline: after(now, max_runtime),
            saved_at: now,
            rate,
            stopping: None,
        };
        self.pool.served += 1;
        if let Some(account) = self.pool.accounts.get_mut(&tenant) {
            account.last_served = self.pool.served;
        }
        change(self.pool, self.books, self.view, id, Phase::Live(Box::new(live)));
        self.follow_promises(tenant, id, &seats);
        self.commands.push(Command::Start { attempt, seats, rate });
        *self.left -= 1;
    }

    /// A job that stays beyond a promised time is counted in what is promised for then.
    fn follow_promises(&mut self, tenant: TenantId, id: JobId, seats: &Seats) {
        let Some(job) = self.books.jobs.get(&id) else { return };
        let until = after(self.view.now, job.max_runtime_secs);
        if let Some(reserved) = self.reserved.as_mut()
            && reserved.job != id
            && until > reserved.from
        {
            for seat in seats.iter() {
                if let Some(room) = reserved.rooms.get_mut(&seat.worker) {
                    room.take(&job.needs, seat.devices);
                }
            }
        }
        let cohort = self.pool.accounts.get(&tenant).map(|account| account.cohort);
        if let Some(held) = cohort.and_then(|cohort| self.held.get_mut(&cohort))
            && held.job != id
            && until > held.from
        {
            held.spare = held.spare.minus(job.total());
        }
    }
}

/// Takes the first place of all lines.
fn first_of<'a>(
    lines: &mut [(&Shape, Peekable<impl Iterator<Item = &'a Place>>)],
) -> Option<(Shape, Place)> {
    let heads = lines.iter_mut().enumerate();
    let (n, _) = heads
        .filter_map(|(n, (_, line))| line.peek().map(|place| (n, **place)))
        .min_by_key(|(_, place)| *place)?;
    let (shape, line) = &mut lines[n];
    line.next().map(|place| (**shape, *place))
}

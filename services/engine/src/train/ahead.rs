//! The batches of an epoch in their order, each made while the network is busy with the one before it.
//!
//! Making one is a task of the thread pool, for a thread that has nothing else to do; where there is
//! none, the thread that trains makes it between two steps. A batch depends on its place in the run
//! alone: it is the same whoever makes it and when.

use domain::child::Member;

use super::order;
use crate::{
    error::EngineError,
    network::Draws,
    samples::{Batch, Samples},
};

/// Rows cut into the pieces that go through the network at once.
pub(super) struct Batches<'a> {
    samples: &'a Samples,
    order: Vec<u32>,
    size: usize,
    epoch: u64,
    pace: Pace,
    member: Member,
    ahead: Ahead<Batch>,
}

/// What was made ahead, and its place. If something went wrong with it, that waits here for the step that
/// it belongs to.
struct Ahead<T>(Option<(usize, Result<T, EngineError>)>);

/// What the pieces are to the steps of a run, on which their draws of chance depend.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// Each piece makes a step, the first one of all members this step of the fit.
    Steps { seed: u64, first: u64 },
    /// All pieces of all members together make this step.
    OneStep { seed: u64, step: u64 },
}

impl<'a> Batches<'a> {
    /// A member's, of the `order` of all rows.
    pub fn new(
        samples: &'a Samples,
        order: Vec<u32>,
        size: usize,
        epoch: u64,
        pace: Pace,
        member: Member,
    ) -> Self {
        let size = size.max(1);
        let shared = match pace {
            Pace::Steps { .. } => size,
            Pace::OneStep { .. } => 1,
        };
        let order = order::share(order, shared, member);
        Self { samples, order, size, epoch, pace, member, ahead: Ahead(None) }
    }

    /// Rows of an epoch, one that is drawn several times counted as often.
    pub fn rows(&self) -> usize {
        self.order.len()
    }

    /// Of piece `i`.
    pub fn rows_of(&self, i: usize) -> usize {
        self.rows().saturating_sub(i * self.size).min(self.size)
    }

    pub fn len(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    /// Lets `learn` have piece `i` and its draws, and makes the next one meanwhile.
    pub fn with<T>(
        &mut self,
        i: usize,
        learn: impl FnOnce(Batch, Draws) -> T,
    ) -> Result<T, EngineError> {
        let next =
            if i + 1 < self.len() && self.samples.is_worth_a_task() { Some(i + 1) } else { None };
        let draws = self.draws(i);
        // out of its place while its owner is read from
        let mut ahead = std::mem::replace(&mut self.ahead, Ahead(None));
        let learned = ahead.with(i, next, |i| self.make(i), |batch| learn(batch, draws));
        self.ahead = ahead;
        learned
    }

    fn make(&self, i: usize) -> Result<Batch, EngineError> {
        let rows = &self.order[i * self.size..][..self.rows_of(i)];
        self.samples.batch(rows, self.epoch, Some(self.draws(i)))
    }

    fn draws(&self, i: usize) -> Draws {
        let Member { rank, of } = self.member;
        let i = u64::from(rank) + i as u64 * u64::from(of);
        match self.pace {
            Pace::Steps { seed, first } => Draws { seed, step: (first + i) << 16 },
            Pace::OneStep { seed, step } => Draws { seed, step: step << 16 | i },
        }
    }
}

impl<T: Send> Ahead<T> {
    /// Gives thing `i` to `take`, while `make` makes the `next` one.
    fn with<R>(
        &mut self,
        i: usize,
        next: Option<usize>,
        make: impl Fn(usize) -> Result<T, EngineError> + Sync,
        take: impl FnOnce(T) -> R,
    ) -> Result<R, EngineError> {
        let thing = match self.0.take() {
            Some((place, thing)) if place == i => thing?,
            _ => make(i)?,
        };
        let Some(next) = next else { return Ok(take(thing)) };
        let (place, make) = (&mut self.0, &make);
        Ok(rayon::in_place_scope(|scope| {
            scope.spawn(move |_| *place = Some((next, make(next))));
            take(thing)
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::text::Tokens;

    fn trouble(i: usize) -> EngineError {
        EngineError::NoRows(i.to_string())
    }

    #[test]
    fn each_is_made_once_and_a_trouble_comes_when_it_is_its_turn() {
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let made = Mutex::new(vec![]);
                let make = |i: usize| {
                    made.lock().unwrap().push(i);
                    if i == 3 { Err(trouble(i)) } else { Ok(i * 10) }
                };
                let mut ahead = Ahead(None);
                for i in 0..3 {
                    assert_eq!(ahead.with(i, Some(i + 1), make, |thing| thing).unwrap(), i * 10);
                }
                let error = ahead.with(3, Some(4), make, |_| panic!("there is none")).unwrap_err();
                assert_eq!(error.to_string(), trouble(3).to_string());
                assert_eq!(*made.lock().unwrap(), [0, 1, 2, 3]);
                // it goes on where it is asked to, whatever was made
                assert_eq!(ahead.with(7, Some(8), make, |thing| thing).unwrap(), 70);
                assert_eq!(ahead.with(5, None, make, |thing| thing).unwrap(), 50);
                assert_eq!(*made.lock().unwrap(), [0, 1, 2, 3, 7, 8, 5]);
            });
        }
    }

    #[test]
    fn batches_are_those_of_their_place_from_wherever_they_start() {
        let mut tokens = Tokens::default();
        (1..=23).for_each(|len| tokens.push(&vec![9; len]));
        let targets = (0..23).map(f64::from).collect();
        let samples = Samples::Text { tokens, targets, dropout: 0.3 };
        let order: Vec<u32> = (0..23).rev().collect();
        let pace = |one| match one {
            true => Pace::OneStep { seed: 4, step: 6 },
            false => Pace::Steps { seed: 4, first: 6 },
        };
        for (one, start) in [(false, 0), (false, 2), (true, 0)] {
            let mut batches = Batches::new(&samples, order.clone(), 5, 1, pace(one), Member::ALONE);
            assert_eq!((batches.len(), batches.rows(), batches.rows_of(4)), (5, 23, 3));
            for i in start..5 {
                let step = if one { 6 << 16 | i as u64 } else { (6 + i as u64) << 16 };
                let draws = Draws { seed: 4, step };
                let rows = &order[i * 5..(i * 5 + 5).min(23)];
                let alone = samples.batch(rows, 1, Some(draws)).unwrap();
                let drawn = |batch: Batch, draws: Draws| (batch, draws.step);
                let (batch, drawn) = batches.with(i, drawn).unwrap();
                let shown = |batch: &Batch| format!("{:?} {:?}", batch.inputs, batch.targets);
                assert_eq!((shown(&batch), drawn), (shown(&alone), step), "piece {i}");
            }
        }
    }
}

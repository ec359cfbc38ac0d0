//! Several workers that train one network: local SGD, or parallel SGD with periodic averaging
//! (Zinkevich and others, 2010; Stich, 2019; Lin and others, 2020). Each learns from its share of an
//! epoch's batches; then, in a *round*, weights, what layers keep and the optimizer's moments become the
//! mean of all workers', each counted by its rows, and all go on from the same bytes. What they bring to
//! a round are files that somebody else carries: no worker knows where the others are.
//!
//! What is read off an epoch and decided by it is the first worker's to say, so that two processors whose
//! sums differ in the last bit cannot part ways: the others take over where it stands, in each round and,
//! where an epoch decides something, after it.

use std::{fs, io, path::Path, thread, time::Duration};

use domain::{
    child::{Event, Member, round_file, verdict_file},
    spec::Curve,
};

use super::{StopFlag, session::Session};
use crate::{
    checkpoint::{self, Learned, Progress, Saved},
    error::EngineError,
    evaluation::kept_outputs,
    optimize::blend,
};

const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Session<'_> {
    /// The round at the end of an epoch. False if it was asked to stop.
    pub(super) fn meet(
        &mut self,
        stop: &StopFlag,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<bool, EngineError> {
        let Member { rank, of } = self.member;
        let round = u64::from(self.progress.epochs_done()) + 1;
        self.check_finite()?;
        let own = Learned { best: None, ..self.learned() };
        let path = |rank| self.run.scratch.join(round_file(round, rank));
        checkpoint::save(&path(rank), self.digest, &self.progress, Some(own))?;
        on_event(Event::Round { round });
        if !self.member.others().all(|other| wait_for(&path(other), stop)) {
            return Ok(false);
        }
        (0..of).try_for_each(|rank| self.take_in(round, rank))?;
        for rank in 0..of {
            remove(&self.run.scratch.join(round_file(round, rank)))?;
        }
        // taken by now, as what came after it was
        remove(&self.run.scratch.join(verdict_file(round - 1)))?;
        Ok(true)
    }

    /// Adds what one worker brings to the mean of those before it. All add the same in the same order,
    /// themselves too, so that all have the same bytes.
    fn take_in(&mut self, round: u64, rank: u32) -> Result<(), EngineError> {
        let bad = |why: String| EngineError::BadRound { round, rank, why };
        let path = self.run.scratch.join(round_file(round, rank));
        let spec = self.run.spec;
        let layers = self.prepared.fitted.layers(spec);
        let (network, optimizer, accumulation, progress) = self
            .read(&path)
            .and_then(|saved| saved.restore(spec, &layers, self.prepared.fitted.input.shape()))
            .map_err(bad)?;
        if u64::from(progress.epochs_done()) + 1 != round {
            return Err(bad(format!("it stands after {} epochs", progress.epochs_done())));
        }
        if rank == 0 {
            (self.network, self.optimizer, self.accumulation) = (network, optimizer, accumulation);
            self.take_over(progress);
            return Ok(());
        }
        let ledger = &mut self.progress.ledger;
        ledger.merge(&progress.ledger, self.head.outputs, kept_outputs(spec));
        let share = progress.ledger.rows as f64 / ledger.rows.max(1) as f64;
        for (mean, theirs) in self.network.arrays.iter_mut().zip(&network.arrays) {
            blend(&mut mean.values, &theirs.values, share);
        }
        self.optimizer.blend(&optimizer, share);
        Ok(())
    }

    /// Of the first worker, once it has judged the epoch.
    pub(super) fn tell_verdict(&self, on_event: &mut dyn FnMut(Event)) -> Result<(), EngineError> {
        if !self.decides() {
            return Ok(());
        }
        let round = u64::from(self.progress.epochs_done());
        let path = self.run.scratch.join(verdict_file(round));
        checkpoint::save(&path, self.digest, &self.progress, None)?;
        on_event(Event::Verdict { round });
        Ok(())
    }

    /// Of any other worker: goes on where the first one stands. False if it was asked to stop.
    pub(super) fn follow(
        &mut self,
        stop: &StopFlag,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<bool, EngineError> {
        self.progress.ledger = Default::default();
        self.progress.epoch += 1;
        self.progress.batch = 0;
        if self.decides() {
            let round = u64::from(self.progress.epochs_done());
            let path = self.run.scratch.join(verdict_file(round));
            on_event(Event::Verdict { round });
            if !wait_for(&path, stop) {
                return Ok(false);
            }
            let bad = |why| EngineError::BadRound { round, rank: 0, why };
            let verdict = self.read(&path).map_err(bad)?.progress();
            self.take_over(verdict);
            remove(&path)?;
        }
        Ok(true)
    }

    /// Whether something depends on what an epoch's figures are.
    fn decides(&self) -> bool {
        let spec = self.run.spec;
        let stops_early = spec.early_stopping.is_some() && !self.is_of_all_rows();
        stops_early || matches!(spec.schedule.curve, Curve::ReduceOnPlateau { .. })
    }

    fn take_over(&mut self, progress: Progress) {
        // which only the first worker has a use for
        let best = self.progress.best.take();
        self.rate.resume(progress.plateau.clone());
        self.progress = Progress { best, ..progress };
    }

    fn read(&self, path: &Path) -> Result<Saved, String> {
        let saved = checkpoint::read(path, self.digest).map_err(|error| error.to_string())?;
        saved.ok_or_else(|| "its file is gone".to_owned())
    }

    /// Others could not say of whose weights they are that are no numbers.
    fn check_finite(&self) -> Result<(), EngineError> {
        let mut values = self.network.arrays.iter().flat_map(|array| &array.values);
        match values.find(|value| !value.is_finite()) {
            Some(&value) => {
                let (step, loss) = (self.progress.step, value.into());
                Err(EngineError::LossNotFinite { step, loss })
            }
            None => Ok(()),
        }
    }
}

/// False if it was asked to stop before the file was there.
fn wait_for(path: &Path, stop: &StopFlag) -> bool {
    while !stop.is_set() {
        if path.exists() {
            return true;
        }
        thread::sleep(LOOK_EVERY);
    }
    false
}

fn remove(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(EngineError::io(path.display())(error))
        }
        _ => Ok(()),
    }
}

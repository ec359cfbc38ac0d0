//! What clients were told against what the database holds: every accepted job is there once and has
//! ended as it had to, nothing else is there, and whatever was done to a training, it gave the same
//! bytes as the others of its specification.

use std::collections::BTreeMap;

use domain::{Digest, job::JobStatus, spec::AfterCondition};
use store::invariants::{Training, Violation};

use super::load::Entry;

const NEVER_MET: &str = "dependency_never_met";

pub fn violations(ledger: &[Entry], trainings: &[Training]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut by_name: BTreeMap<_, Vec<&Training>> = BTreeMap::new();
    for training in trainings {
        by_name.entry(training.name.clone()).or_default().push(training);
    }
    let mut weights: BTreeMap<(u32, u32), (Digest, String)> = BTreeMap::new();
    for entry in ledger {
        let name = entry.order.name();
        let jobs = by_name.remove(&name).unwrap_or_default();
        let mut violated = |rule, detail: String| {
            found.push(Violation { rule, subject: name.clone(), detail });
        };
        for unexpected in &entry.unexpected {
            violated("a client is told what it can act on", unexpected.clone());
        }
        if let Some(wrong) = wrong_number(entry, &jobs) {
            violated("an accepted job is there, once", wrong);
        }
        let Some(training) = jobs.first() else { continue };
        if let Some(wrong) = wrong_end(entry, training, ledger, trainings) {
            violated("a job ends as it has to", wrong);
        }
        if let Some(digest) = training.weights {
            let like = (entry.order.epochs, entry.order.workers);
            let (first, of) = weights.entry(like).or_insert((digest, name.clone()));
            if *first != digest {
                violated(
                    "disturbed or not, a training gives the same bytes",
                    format!("published other weights than {of}"),
                );
            }
        }
    }
    found.extend(by_name.into_keys().map(|name| Violation {
        rule: "an accepted job is there, once",
        subject: name,
        detail: "was never submitted".to_owned(),
    }));
    found
}

fn wrong_number(entry: &Entry, jobs: &[&Training]) -> Option<String> {
    let there: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let mut told = entry.accepted.clone();
    told.dedup();
    let what = match (told.as_slice(), there.as_slice()) {
        ([told], [there]) if told == there => return None,
        ([], []) => match (&entry.refused, entry.order.after) {
            // what it would have waited for had ended before it came
            (Some(why), Some(_)) if why.contains("could never start") => return None,
            (why, _) => format!("was not accepted: {why:?}"),
        },
        _ => format!("was answered with {told:?}, and is there as {there:?}"),
    };
    Some(what)
}

fn wrong_end(
    entry: &Entry,
    training: &Training,
    ledger: &[Entry],
    trainings: &[Training],
) -> Option<String> {
    let code = training.cause.as_ref().map(|cause| cause.code.as_str());
    let is = format!("is {}, because of {code:?}", training.status.as_str());
    if !training.status.is_final() {
        return Some(is);
    }
    let awaited = entry.order.after.and_then(|(on, condition)| {
        let on = ledger.iter().find(|entry| entry.order.number == on)?;
        let on = trainings.iter().find(|training| Some(&training.id) == on.accepted.first())?;
        Some((on.status, condition))
    });
    let may_start = awaited.is_none_or(|(status, condition)| match condition {
        AfterCondition::Success => status == JobStatus::Succeeded,
        AfterCondition::Failure => status != JobStatus::Succeeded,
        AfterCondition::Any => true,
    });
    let gave_up = training.cause.as_ref().is_some_and(|cause| cause.retryable);
    let is_right = match training.status {
        _ if !may_start => code == Some(NEVER_MET),
        JobStatus::Succeeded => !entry.order.is_poisoned && training.weights.is_some(),
        // so unlucky that its tries are used up, which the invariants count
        JobStatus::Failed => gave_up,
        _ => false,
    };
    (!is_right).then_some(is)
}

#[cfg(test)]
mod tests {
    use domain::{JobId, job::Cause};

    use super::*;
    use crate::chaos::orders::{Order, orders};

    fn accepted(order: Order) -> (Entry, Training) {
        let id = JobId::generate();
        let training = Training {
            id,
            name: order.name(),
            status: JobStatus::Succeeded,
            cause: None,
            weights: Some(Digest::of(format!("{} by {}", order.epochs, order.workers).as_bytes())),
        };
        let (refused, unexpected) = (None, Vec::new());
        (Entry { order, accepted: vec![id, id], refused, unexpected }, training)
    }

    fn failed(training: &mut Training, code: &str, retryable: bool) {
        training.status = JobStatus::Failed;
        training.cause = Some(Cause { code: code.into(), message: code.into(), retryable });
        training.weights = None;
    }

    /// A dozen whose first was killed until it was given up, and whose third waited for its success.
    fn as_it_should_be() -> (Vec<Entry>, Vec<Training>) {
        let (ledger, mut trainings): (Vec<_>, Vec<_>) =
            orders(1, 12).into_iter().map(accepted).unzip();
        failed(&mut trainings[0], "child_crashed", true);
        failed(&mut trainings[2], NEVER_MET, false);
        (ledger, trainings)
    }

    /// The one thing that is wrong after a change.
    fn wrong(change: impl FnOnce(&mut Vec<Entry>, &mut Vec<Training>)) -> String {
        let (mut ledger, mut trainings) = as_it_should_be();
        change(&mut ledger, &mut trainings);
        let found = violations(&ledger, &trainings);
        assert_eq!(found.len(), 1, "{found:?}");
        format!("{} {}", found[0].subject, found[0].detail)
    }

    #[test]
    fn what_is_as_it_should_be_is_not_complained_of() {
        let (ledger, trainings) = as_it_should_be();
        assert_eq!(violations(&ledger, &trainings), []);
    }

    #[test]
    fn a_job_that_is_lost_doubled_or_of_nobody_is_found() {
        let lost = wrong(|_, trainings| drop(trainings.remove(11)));
        assert!(lost.starts_with("chaos 11 was answered with"), "{lost}");
        let doubled = wrong(|_, trainings| {
            trainings.push(Training { id: JobId::generate(), ..trainings[11].clone() });
        });
        assert!(doubled.starts_with("chaos 11 was answered with"), "{doubled}");
        let answered_twice = wrong(|ledger, _| ledger[11].accepted[1] = JobId::generate());
        assert!(answered_twice.starts_with("chaos 11 was answered with"), "{answered_twice}");
        let of_nobody = wrong(|_, trainings| {
            let name = "another".to_owned();
            trainings.push(Training { id: JobId::generate(), name, ..trainings[11].clone() });
        });
        assert_eq!(of_nobody, "another was never submitted");
    }

    #[test]
    fn an_end_that_cannot_be_is_found() {
        let open = wrong(|_, trainings| trainings[11].status = JobStatus::Queued);
        assert_eq!(open, "chaos 11 is queued, because of None");
        let fatal = wrong(|_, trainings| failed(&mut trainings[11], "internal_error", false));
        assert_eq!(fatal, "chaos 11 is failed, because of Some(\"internal_error\")");
        let immune = wrong(|ledger, _| ledger[11].order.is_poisoned = true);
        assert_eq!(immune, "chaos 11 is succeeded, because of None");
        let never_met = wrong(|_, trainings| {
            trainings[2].status = JobStatus::Succeeded;
            trainings[2].cause = None;
        });
        assert_eq!(never_met, "chaos 2 is succeeded, because of None");
    }

    #[test]
    fn other_bytes_are_found() {
        let (mut ledger, mut trainings) = as_it_should_be();
        ledger[10].order.epochs = 7;
        ledger[11].order.epochs = 7;
        trainings[10].weights = Some(Digest::of(b"one"));
        trainings[11].weights = Some(Digest::of(b"other"));
        let found = violations(&ledger, &trainings);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].detail, "published other weights than chaos 10");
    }
}

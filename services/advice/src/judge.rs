//! What a run's figures say, rule by rule, and for each the specification changed for the next run.

use domain::{
    dataset::{ColumnProfile, Profile},
    evaluation::Evaluation,
    job::Cause,
    spec::{Loss, Task, TrainingDraft, TrainingSpec},
};

use crate::{Curves, columns, rules::RULES};

/// A training that has ended, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub spec: &'a TrainingSpec,
    pub curves: &'a Curves,
    /// Of its data, if that is still there.
    pub profile: Option<&'a Profile>,
    /// Of its model, if it has made one.
    pub evaluation: Option<&'a Evaluation>,
    /// Why it has failed, if it has.
    pub cause: Option<&'a Cause>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub rule: &'static str,
    /// What is seen, with its numbers.
    pub symptom: String,
    pub cause: &'static str,
    pub remedy: &'static str,
    /// The one change, in words and as a specification; none where a person has to look first.
    pub change: Option<(String, TrainingDraft)>,
}

/// The most pressing first: the first one that has a change is what to try next.
pub fn judge(run: &Run<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in &RULES {
        let Some(symptom) = (rule.sees)(run) else { continue };
        let mut draft = TrainingDraft::from(run.spec);
        let change = (rule.change)(run, &mut draft).map(|words| (words, draft));
        let (cause, remedy) = (rule.cause, rule.remedy);
        found.push(Finding { rule: rule.name, symptom, cause, remedy, change });
        if rule.hides_others {
            break;
        }
    }
    found
}

impl<'a> Run<'a> {
    pub(crate) fn target(&self) -> Option<&'a ColumnProfile> {
        self.profile?.column(&self.spec.target)
    }

    /// Of each class, rarest last; empty where none are learned.
    pub(crate) fn shares(&self) -> Vec<(&'a str, f64)> {
        let learns = !self.spec.classes.is_empty();
        self.target().filter(|_| learns).map(columns::shares).unwrap_or_default()
    }

    /// The loss of who knows nothing but how frequent each class is, or the mean.
    pub(crate) fn chance(&self) -> Option<f64> {
        match (self.spec.task, self.spec.loss) {
            (Task::BinaryClassification | Task::MulticlassClassification, _) => {
                let shares = self.shares();
                let entropy = shares.iter().map(|(_, share)| -share * share.ln()).sum();
                (shares.len() >= 2).then_some(entropy)
            }
            // of a target that is standardised
            (Task::Regression, Loss::MeanSquaredError) => Some(1.0),
            _ => None,
        }
    }

    /// What says how the run went: of rows that were held back, if there are any.
    pub(crate) fn watched(&self) -> &'a [f64] {
        let name = if self.curves.judged() { "val_loss" } else { "loss" };
        self.curves.of(name)
    }

    /// Whether it trained for as many epochs as it was asked to.
    pub(crate) fn is_whole(&self) -> bool {
        self.cause.is_none() && self.curves.epochs() as u64 >= u64::from(self.spec.epochs)
    }
}

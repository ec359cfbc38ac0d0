//! Figures that count predicted classes. A ratio of nothing is 0, as with scikit-learn's
//! `zero_division=0`.

use domain::{evaluation::ClassReport, spec::Task};

use super::{Predictions, THRESHOLD, ratio};

/// A matrix of more classes is too large to read.
const MAX_MATRIX_CLASSES: usize = 100;

/// The index of the largest, the first of equals.
pub(super) fn best<T: PartialOrd>(values: &[T]) -> usize {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = i;
        }
    }
    best
}

/// True and predicted class of each row.
fn pairs<'a>(p: &'a Predictions) -> impl Iterator<Item = (usize, usize)> + 'a {
    let binary = p.task == Task::BinaryClassification;
    p.answers.chunks_exact(p.outputs).zip(p.targets).map(move |(answer, &target)| {
        let predicted = if binary { usize::from(answer[0] > THRESHOLD) } else { best(answer) };
        (target as usize, predicted)
    })
}

#[derive(Debug, Clone, Copy, Default)]
struct ClassCounts {
    true_positive: u64,
    predicted: u64,
    support: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Scores {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
}

impl ClassCounts {
    fn scores(&self) -> Scores {
        Scores {
            precision: ratio(self.true_positive, self.predicted),
            recall: ratio(self.true_positive, self.support),
            f1: ratio(2 * self.true_positive, self.predicted + self.support),
        }
    }
}

pub(super) struct Counts(Vec<ClassCounts>);

impl Counts {
    pub fn of(p: &Predictions) -> Self {
        let mut counts = vec![ClassCounts::default(); p.classes()];
        for (truth, predicted) in pairs(p) {
            counts[truth].support += 1;
            counts[predicted].predicted += 1;
            counts[truth].true_positive += u64::from(truth == predicted);
        }
        Self(counts)
    }

    pub fn accuracy(&self) -> f64 {
        let correct = self.0.iter().map(|c| c.true_positive).sum();
        ratio(correct, self.0.iter().map(|c| c.support).sum())
    }

    /// Of the positive class, or the unweighted mean over the classes that are among truths or
    /// predictions (`average='macro'`).
    pub fn overall(&self, task: Task) -> Scores {
        if task == Task::BinaryClassification {
            return self.0[1].scores();
        }
        let seen: Vec<Scores> = self
            .0
            .iter()
            .filter(|c| c.support + c.predicted > 0)
            .map(ClassCounts::scores)
            .collect();
        let mean = |score: fn(&Scores) -> f64| {
            seen.iter().map(score).sum::<f64>() / seen.len().max(1) as f64
        };
        Scores { precision: mean(|s| s.precision), recall: mean(|s| s.recall), f1: mean(|s| s.f1) }
    }

    pub fn report(&self, classes: &[String]) -> Vec<ClassReport> {
        let class = |(name, counts): (&String, &ClassCounts)| {
            let Scores { precision, recall, f1 } = counts.scores();
            ClassReport { class: name.clone(), precision, recall, f1, support: counts.support }
        };
        classes.iter().zip(&self.0).map(class).collect()
    }
}

/// Rows of each true class (first index) by predicted class.
pub(super) fn confusion_matrix(p: &Predictions) -> Option<Vec<Vec<u64>>> {
    let classes = p.classes();
    if classes > MAX_MATRIX_CLASSES {
        return None;
    }
    let mut matrix = vec![vec![0; classes]; classes];
    for (truth, predicted) in pairs(p) {
        matrix[truth][predicted] += 1;
    }
    Some(matrix)
}

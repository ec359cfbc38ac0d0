//! Two models judged on the same rows of one file, and by how much they differ there. Each reads the file as
//! it has learned to; rows that one of them cannot read are an error, since figures of different rows say
//! nothing of the models.

use std::{collections::BTreeSet, path::Path};

use domain::{
    child::{DATA_FILE, DataFile},
    comparison::{ComparedMetric, Comparison, Side},
    dataset::ReadLimits,
    evaluation::EvaluationSplit,
    interval,
    spec::{Metric, Task, TrainingSpec},
};

use crate::{
    base::Base,
    error::EngineError,
    ops,
    samples::Samples,
    source::{Part, Source},
    table::Room,
    train::{Verdict, judge},
};

/// What is to be compared; the scratch folder holds the data and the files of both sides.
#[derive(Debug, Clone, Copy)]
pub struct Comparing<'a> {
    pub data: &'a DataFile,
    pub limits: &'a ReadLimits,
    pub scratch: &'a Path,
    /// On the rows that this side's training held back; on all of them if absent.
    pub held_back_by: Option<Side>,
    pub memory_bytes: u64,
}

struct Model {
    base: Base,
    /// As it was trained, with what is asked of both.
    spec: TrainingSpec,
}

pub fn compare(comparing: Comparing<'_>) -> Result<Comparison, EngineError> {
    ops::allocator::keep_freed_memory();
    ops::denormals::flush_denormals_in_pool();
    let mut models = [read(comparing, Side::A)?, read(comparing, Side::B)?];
    let [a, b] = &models;
    if (a.spec.task, &a.spec.classes) != (b.spec.task, &b.spec.classes) {
        let why = "their tasks or classes differ".to_owned();
        return Err(EngineError::NotComparable(why));
    }
    let asked = asked(a, b);
    let held_back = comparing.held_back_by.map(|side| match side {
        Side::A => a.spec.clone(),
        Side::B => b.spec.clone(),
    });
    for model in &mut models {
        model.spec.metrics.clone_from(&asked);
    }
    let [a, b] = &models;
    let (of_a, of_b) =
        (verdict(comparing, a, held_back.as_ref())?, verdict(comparing, b, held_back.as_ref())?);
    compared((a, &of_a), (b, &of_b))
}

fn read(comparing: Comparing<'_>, side: Side) -> Result<Model, EngineError> {
    let file = |name: &str| {
        let path = comparing.scratch.join(name);
        std::fs::read(&path).map_err(EngineError::io(path.display()))
    };
    let (config, weights) = side.files();
    let base = Base::of(&file(config)?, file(weights)?)?;
    let mut spec = base.config.spec.clone();
    spec.resources.memory_bytes = comparing.memory_bytes;
    Ok(Model { base, spec })
}

/// What either was judged by, what is usual, and what is a mean over rows.
fn asked(a: &Model, b: &Model) -> Vec<Metric> {
    let task = a.spec.task;
    let of_rows =
        [Metric::Accuracy, Metric::LogLoss, Metric::MeanSquaredError, Metric::MeanAbsoluteError];
    let wanted = |metric: &Metric| {
        metric.fits(task)
            && (a.spec.metrics.contains(metric)
                || b.spec.metrics.contains(metric)
                || Metric::usual(task).contains(metric)
                || of_rows.contains(metric))
    };
    Metric::ALL.into_iter().filter(wanted).collect()
}

fn verdict(
    comparing: Comparing<'_>,
    model: &Model,
    held_back: Option<&TrainingSpec>,
) -> Result<Verdict, EngineError> {
    let Comparing { data, limits, scratch, memory_bytes, .. } = comparing;
    let mut spec = model.spec.clone();
    let room = Room { bytes: memory_bytes / 4, folder: scratch.to_owned() };
    let file = scratch.join(DATA_FILE);
    let source = Source::read(&file, data, limits, &spec, Part::Training, room)?;
    let samples: Samples = match held_back {
        Some(of) => {
            spec.validation_split = of.validation_split;
            let split = source.split(of, source.fits(of)? - 1)?;
            source.prepare(&spec, split, Some(&model.base))?.validation
        }
        None => {
            let fitted = source.fitted_as(&model.base)?;
            source.all(&spec, &fitted)?
        }
    };
    if samples.rows() == 0 {
        let why = "there are no rows to judge them on".to_owned();
        return Err(EngineError::NotComparable(why));
    }
    let network = model.base.network(&model.base.config.layers)?;
    judge(&network, &model.base.head, &samples, &spec)
}

fn compared(
    (a, of_a): (&Model, &Verdict),
    (b, of_b): (&Model, &Verdict),
) -> Result<Comparison, EngineError> {
    let split = EvaluationSplit::Test;
    let (in_a, in_b) = (
        of_a.evaluation(split, &a.base.head, &a.spec),
        of_b.evaluation(split, &b.base.head, &b.spec),
    );
    let texts = a.spec.task == Task::LanguageModeling;
    if in_a.rows != in_b.rows && !texts {
        let (a, b) = (in_a.rows, in_b.rows);
        return Err(EngineError::NotComparable(format!(
            "one reads {a} rows of the data, the other {b}; leave out rows with missing values"
        )));
    }
    let names: BTreeSet<_> = in_a.metrics.keys().chain(in_b.metrics.keys()).collect();
    let metrics = names.into_iter().map(|name| {
        let (a_has, b_has) = (in_a.metrics.get(name).copied(), in_b.metrics.get(name).copied());
        let metric = Metric::ALL.into_iter().find(|metric| metric.as_str() == name);
        let differences = metric.and_then(|metric| {
            let a = of_a.scores(metric, &a.base.head)?;
            let b = of_b.scores(metric, &b.base.head)?;
            (a.len() == b.len()).then(|| b.iter().zip(a).map(|(b, a)| b - a).collect::<Vec<_>>())
        });
        ComparedMetric {
            name: name.clone(),
            a: a_has,
            b: b_has,
            difference: a_has.zip(b_has).map(|(a, b)| b - a),
            interval: differences.and_then(|each| interval::of_mean(&each)),
        }
    });
    Ok(Comparison { rows: in_a.rows, metrics: metrics.collect() })
}

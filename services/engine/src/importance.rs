//! Permutation importance (Breiman, 2001; as scikit-learn's `permutation_importance` has it): each feature's values
//! are dealt out anew among the rows, and by how much the metric gets worse is what the feature is worth to the model.
//! Features that say the same stand in for each other, so that each of them may seem worth little.

use domain::{
    child::{CONFIG_FILE, DATA_FILE, WEIGHTS_FILE},
    importance::{Importance, Importances, Shuffling},
    model::FittedInput,
    spec::{Metric, TrainingSpec},
};

use crate::{
    base::Base,
    batch::Asking,
    chance::{Chance, Purpose},
    error::EngineError,
    network::Network,
    samples::Samples,
    source::{Part, Source},
    table::{Encoders, Room, TableSamples},
    train::judge,
};

pub fn importance(
    asking: Asking<'_>,
    how: Shuffling,
    memory_bytes: u64,
) -> Result<Importances, EngineError> {
    let file = |name: &str| {
        let path = asking.scratch.join(name);
        std::fs::read(&path).map_err(EngineError::io(path.display()))
    };
    let base = Base::of(&file(CONFIG_FILE)?, file(WEIGHTS_FILE)?)?;
    let FittedInput::Table { columns } = &base.config.input else {
        let why = "the model does not read a table: its input has no features to shuffle";
        return Err(EngineError::NotExplainable(why.to_owned()));
    };
    let encoders = Encoders::new(columns);
    let mut spec = base.config.spec.clone();
    spec.metrics = vec![how.metric];
    let (values, targets) = rows(asking, &base, &spec, how.held_back, memory_bytes)?;
    let rows = targets.len();
    if rows < 2 {
        let why = format!("there are {rows} rows to judge it on, of which none can be exchanged");
        return Err(EngineError::NotExplainable(why));
    }
    let judged = Judged { network: base.network(&base.config.layers)?, base: &base, spec: &spec };
    let width = encoders.width();
    let baseline_score = judged.score(values.clone(), &targets, how.metric)?;
    let mut features = vec![];
    for (place, (name, span)) in encoders.spans().enumerate() {
        let mut importances = vec![];
        for repeat in 0..how.n_repeats {
            let order = order(how.seed, place, repeat, rows);
            let mut shuffled = values.clone();
            for (row, from) in order.iter().enumerate() {
                let from = &values[*from as usize * width..][span.clone()];
                shuffled[row * width..][span.clone()].copy_from_slice(from);
            }
            let score = judged.score(shuffled, &targets, how.metric)?;
            let worse = score - baseline_score;
            importances.push(if how.metric.is_error() { worse } else { 0.0 - worse });
        }
        features.push(Importance::of(name.to_owned(), importances));
    }
    Ok(Importances { rows: rows as u64, baseline_score, features })
}

/// Where each row's value comes from.
fn order(seed: u64, feature: usize, repeat: u32, rows: usize) -> Vec<u32> {
    let mut chance = Chance::new(seed, Purpose::Shuffling, feature as u64, u64::from(repeat));
    chance.permutation(rows as u32)
}

/// All in memory, as they are to be exchanged.
fn rows(
    asking: Asking<'_>,
    base: &Base,
    spec: &TrainingSpec,
    held_back: bool,
    memory_bytes: u64,
) -> Result<(Vec<f32>, Vec<f64>), EngineError> {
    let Asking { data, limits, scratch } = asking;
    let room = Room { bytes: memory_bytes / 4, folder: scratch.to_owned() };
    let source = Source::read(&scratch.join(DATA_FILE), data, limits, spec, Part::Training, room)?;
    let samples = if held_back {
        let split = source.split(spec, source.fits(spec)? - 1)?;
        source.prepare(spec, split, Some(base))?.validation
    } else {
        source.all(spec, &source.fitted_as(base)?)?
    };
    let Samples::Table(table) = samples else { unreachable!("a table's model reads a table") };
    let bytes = table.rows() as u64 * (4 * table.width() as u64 + 8);
    if 3 * bytes > memory_bytes {
        let why = format!(
            "its {} rows need {} MiB of memory three times over, and there are {} MiB; name a \
             dataset with fewer rows",
            table.rows(),
            bytes >> 20,
            memory_bytes >> 20
        );
        return Err(EngineError::NotExplainable(why));
    }
    table.batch(&(0..table.rows() as u32).collect::<Vec<_>>())
}

struct Judged<'a> {
    network: Network,
    base: &'a Base,
    spec: &'a TrainingSpec,
}

impl Judged<'_> {
    fn score(&self, values: Vec<f32>, targets: &[f64], metric: Metric) -> Result<f64, EngineError> {
        let samples = Samples::Table(TableSamples::encoded(values, targets.to_vec()));
        let verdict = judge(&self.network, &self.base.head, &samples, self.spec)?;
        let metrics = verdict.metrics(&self.base.head, self.spec, "");
        metrics.get(metric.as_str()).copied().filter(|score| score.is_finite()).ok_or_else(|| {
            let why = format!("`{}` is not defined on these rows", metric.as_str());
            EngineError::NotExplainable(why)
        })
    }
}

//! What one could train on a dataset: for each family that reads it the specification, checked as a
//! submission would be, with the reason and what it is thought to take.

use domain::{
    Digest, FieldErrors, Resources,
    dataset::{ColumnProfile, ColumnType, Profile},
    name::Name,
    spec::{
        ClassWeight, DatasetRef, Estimate, Family, Input, Limits, ResourcesDraft, Task,
        TrainingDraft, TrainingSpec, ValidationDraft,
    },
};

use crate::{
    columns,
    families::{self, Candidate},
    kind::{self, Kind},
    words::{many, named, percent},
};

/// The rarest class has less than this share of what it would have were all as frequent.
pub(crate) const RARE: f64 = 0.2;
/// Rows for each weight of a linear model (ten events per variable: Peduzzi et al., 1996).
const ROWS_PER_WEIGHT: u64 = 10;
/// Room for what an estimate does not know.
const MEMORY_MARGIN: u64 = 2;
const TIME_MARGIN: f64 = 3.0;
const MIB: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The column to predict: the one that was asked for, or the one that is guessed.
    pub target: Option<String>,
    /// The best guess first.
    pub suggestions: Vec<Suggestion>,
    /// What was left out of them, and what to look at, in words.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    pub family: Family,
    pub task: Task,
    pub reason: String,
    /// As it can be submitted.
    pub draft: TrainingDraft,
    pub resources: Resources,
    pub estimate: Estimate,
}

/// # Errors
/// Where no family can learn `target` of this data, and why.
pub fn start(
    (dataset, version): (&Name, Option<u32>),
    profile: &Profile,
    target: Option<&str>,
    limits: &Limits,
) -> Result<Start, FieldErrors> {
    let kind = kind::of(profile, target);
    let mut notes = Vec::new();
    let base = TrainingDraft {
        dataset: dataset.to_string(),
        version,
        target: target.map(str::to_owned),
        drop: dropped(&kind, profile, &mut notes),
        seed: Some(7),
        registered_model_name: Some(dataset.to_string()),
        ..TrainingDraft::default()
    };
    let mut suggestions = Vec::new();
    let mut refusals = Vec::new();
    for candidate in families::of(&kind, profile.rows, &base) {
        match checked(candidate, (dataset, version), profile, limits) {
            Ok(suggestion) => suggestions.push(suggestion),
            Err(errors) => refusals.push(errors),
        }
    }
    let Some(first) = suggestions.first() else { return Err(refusals.swap_remove(0)) };
    let target = first.draft.target.clone();
    let target = target.or_else(|| matches!(kind, Kind::Images).then(|| "label".to_owned()));
    look_at(target.as_deref().and_then(|name| profile.column(name)), profile, &mut notes);
    if matches!(kind, Kind::Table { .. }) {
        linear_first(&mut suggestions, profile);
    }
    Ok(Start { target, suggestions, notes })
}

/// Columns that a table's model is better without.
fn dropped(kind: &Kind<'_>, profile: &Profile, notes: &mut Vec<String>) -> Option<Vec<String>> {
    let Kind::Table { target, .. } = kind else { return None };
    let others = profile.columns.iter().filter(|column| column.name != *target);
    let why = |column: &ColumnProfile| match columns::useless(column, profile.rows) {
        Some(why) => Some(why),
        None if column.kind == ColumnType::Text => {
            Some("free text, which a table's model cannot read")
        }
        None => None,
    };
    let found: Vec<_> = others.filter_map(|column| Some((column, why(column)?))).collect();
    notes.extend(
        found
            .iter()
            .map(|(column, why)| format!("column {} is left out: {why}", named(&[&column.name]))),
    );
    (!found.is_empty()).then(|| found.into_iter().map(|(column, _)| column.name.clone()).collect())
}

/// What the target and the other columns say before anything is trained.
fn look_at(target: Option<&ColumnProfile>, profile: &Profile, notes: &mut Vec<String>) {
    let Some(target) = target else { return };
    if let Some(twin) = columns::twin(target, profile.columns.iter()) {
        notes.push(format!(
            "column {} is spread exactly as {} is: if it is known only once the answer is, add it to `drop`",
            named(&[&twin.name]),
            named(&[&target.name])
        ));
    }
    let shares = columns::shares(target);
    if let Some((rarest, share)) = rare(&shares) {
        notes.push(format!(
            "{} is {} in only {} of the rows: rows of rare classes count more (`class_weight`)",
            named(&[&target.name]),
            named(&[rarest]),
            percent(share)
        ));
    }
}

/// The rarest class, if it is rare among so many.
pub(crate) fn rare<'a>(shares: &[(&'a str, f64)]) -> Option<(&'a str, f64)> {
    let (name, share) = *shares.last()?;
    (shares.len() >= 2 && share < RARE / shares.len() as f64).then_some((name, share))
}

/// The candidate, made ready for its data, and parsed as a submission is.
fn checked(
    Candidate { family, reason, mut draft }: Candidate,
    (dataset, version): (&Name, Option<u32>),
    profile: &Profile,
    limits: &Limits,
) -> Result<Suggestion, FieldErrors> {
    // content names it once it is submitted; nothing here depends on it
    let of = || DatasetRef {
        name: dataset.clone(),
        version: version.unwrap_or(1),
        sha256: Digest::of(&[]),
    };
    let parse =
        |draft: &TrainingDraft| TrainingSpec::parse(draft.clone(), of(), None, profile, limits);
    // with all the room that there may be, to see how much it takes
    let roomy = ResourcesDraft {
        memory_bytes: i64::try_from(limits.max_resources.memory_bytes).ok(),
        ..ResourcesDraft::default()
    };
    let spec = parse(&TrainingDraft { resources: Some(roomy), ..draft.clone() })?;
    balance(&spec, profile, &mut draft);
    let spec = match parse(&draft) {
        Ok(spec) => spec,
        Err(_) => {
            draft.resources = Some(room(&spec));
            parse(&draft)?
        }
    };
    if spec.estimate.seconds * TIME_MARGIN > spec.max_runtime as f64 {
        let seconds = (spec.estimate.seconds * TIME_MARGIN).ceil() as i64;
        draft.max_runtime = Some(seconds.min(limits.max_runtime_secs));
    }
    draft.task = Some(spec.task);
    let spec = parse(&draft)?;
    let TrainingSpec { task, resources, estimate, .. } = spec;
    Ok(Suggestion { family, task, reason, draft, resources, estimate })
}

/// Classes have the same shares in what is held back, and rare ones count more.
fn balance(spec: &TrainingSpec, profile: &Profile, draft: &mut TrainingDraft) {
    if spec.classes.is_empty() || spec.validation_split == 0.0 {
        return;
    }
    let split = Some(spec.validation_split);
    draft.validation = Some(ValidationDraft { split, folds: None, stratified: Some(true) });
    let target = profile.column(&spec.target);
    if target.is_some_and(|target| rare(&columns::shares(target)).is_some()) {
        draft.class_weight = Some(ClassWeight::Balanced);
    }
}

fn room(spec: &TrainingSpec) -> ResourcesDraft {
    let bytes = spec.estimate.memory_bytes.saturating_mul(MEMORY_MARGIN).next_multiple_of(MIB);
    ResourcesDraft { memory_bytes: i64::try_from(bytes).ok(), ..ResourcesDraft::default() }
}

/// Of few rows the model with the fewest weights.
fn linear_first(suggestions: &mut [Suggestion], profile: &Profile) {
    let Some(place) = suggestions.iter().position(|one| one.family == Family::Linear) else {
        return;
    };
    let linear = &mut suggestions[place];
    let target = linear.draft.target.as_deref().and_then(|name| profile.column(name));
    let Some(target) = target else { return };
    let known = profile.rows.saturating_sub(target.missing);
    // of two classes, the rarer one is what there is to learn from
    let events = match (linear.task, target.values.as_deref().and_then(<[_]>::last)) {
        (Task::BinaryClassification, Some(rarer)) => rarer.rows,
        _ => known,
    };
    let weights = linear.estimate.parameters;
    if events >= ROWS_PER_WEIGHT.saturating_mul(weights) {
        return;
    }
    let rarer = if linear.task == Task::BinaryClassification { " of the rarer class" } else { "" };
    linear.reason = format!(
        "{}{rarer} for the {weights} weights of a linear model are few (ten for each are a rule of thumb): \
         anything larger learns them by heart. {}",
        many(events, "row"),
        linear.reason
    );
    suggestions[..=place].rotate_right(1);
}

/// The columns that a specification reads, where it reads a table.
pub(crate) fn features(spec: &TrainingSpec) -> Vec<&str> {
    match &spec.input {
        Input::Table { features, .. } => features.iter().map(|one| one.name.as_str()).collect(),
        _ => Vec::new(),
    }
}

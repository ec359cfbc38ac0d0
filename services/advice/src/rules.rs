//! The rules, as a table: what each sees, what it comes from, what helps, and the change to the
//! specification. docs/ADVICE.md has them with the reason of every threshold; each is tried on a run that
//! shows it (`tests/runs.rs`), and none speaks of a run that went well.

use domain::spec::{Input, Task, TrainingDraft};

use crate::{
    Run, change, columns,
    curves::least,
    start::{features, rare},
    words::{named, number, percent},
};

pub struct Rule {
    pub name: &'static str,
    /// What is seen, in words with its numbers; none if it is not.
    pub sees: fn(&Run<'_>) -> Option<String>,
    pub cause: &'static str,
    pub remedy: &'static str,
    /// Makes the one change, and says which.
    pub change: fn(&Run<'_>, &mut TrainingDraft) -> Option<String>,
    /// What else there is to see comes from this.
    pub hides_others: bool,
}

/// A loss this much above knowing nothing, or above its own least, has gone the wrong way.
const DIVERGED: f64 = 1.5;
const RISEN: f64 = 2.0;
/// At least so good on at least so many rows is too good to be true.
const TOO_GOOD: f64 = 0.999;
const TOO_GOOD_R2: f64 = 0.9995;
const TOO_GOOD_ROWS: u64 = 200;
/// With a column that is spread as the target is, this is enough.
const GOOD_WITH_A_TWIN: f64 = 0.98;
/// Of the rows of a class, that many found are too few.
const FOUND: f64 = 0.5;
/// Of accuracy: no better than always naming the most frequent class.
const NO_BETTER: f64 = 0.01;
/// The validation loss ends so far above its least.
const OVERFITTED: f64 = 1.1;
/// Or training is so much better than validation, by accuracy or R².
const GAP: f64 = 0.1;
/// Of an epoch's loss: less is a crawl.
const CRAWL: f64 = 0.01;
/// Of its epochs, so many went down: noise does not.
const STEADY: f64 = 0.8;
/// What the second half of a run still gained, of what the first did: a curve that has flattened gains less.
const STILL: f64 = 0.5;
/// In the last quarter of its epochs the loss still fell by so much.
const FALLING: f64 = 0.03;
/// Of the loss of knowing nothing: with less, there is little left to gain.
const LEARNED: f64 = 0.05;
/// With more, hardly anything was learned.
const UNLEARNED: f64 = 0.8;
const LEAST_ROWS_TO_HOLD_BACK: u64 = 10;

pub const RULES: [Rule; 10] = [
    Rule {
        name: "out_of_memory",
        sees: |run| failed_with(run, "out_of_memory"),
        cause: "The run asked for less memory than its rows, weights and batches take.",
        remedy: "Ask for more memory in `resources`, or take a smaller batch or network.",
        change: change::more_memory,
        hides_others: true,
    },
    Rule {
        name: "out_of_time",
        sees: |run| failed_with(run, "max_runtime_exceeded"),
        cause: "The run takes longer than it may: the machine is slower than was thought, or there is more to do.",
        remedy: "Let it run longer (`max_runtime`), or train fewer epochs.",
        change: change::more_time,
        hides_others: true,
    },
    Rule {
        name: "diverging",
        sees: diverging,
        cause: "Steps are so large that each one overshoots: the learning rate is too high for this network and data.",
        remedy: "Lower the learning rate tenfold. If that is not enough, clip the gradient, and look for values far from all others.",
        change: change::smaller_steps,
        hides_others: true,
    },
    Rule {
        name: "leakage",
        sees: leakage,
        cause: "A column may hold the answer: known only afterwards, made from the target, or the target itself in other words.",
        remedy: "Leave the column out, and see whether the figures stay. If it is known before the answer is, all is well.",
        change: without_the_twin,
        hides_others: false,
    },
    Rule {
        name: "no_validation",
        sees: no_validation,
        cause: "All rows were trained on, so that nothing tells learning from learning by heart.",
        remedy: "Hold back a fifth of the rows.",
        change: change::hold_back,
        hides_others: false,
    },
    Rule {
        name: "class_imbalance",
        sees: imbalance,
        cause: "One class is so rare that hardly anything is lost by never naming it.",
        remedy: "Let rows of rare classes count more (`class_weight`), and judge by recall and F1, not by accuracy.",
        change: change::balance,
        hides_others: false,
    },
    Rule {
        name: "overfitting",
        sees: overfitting,
        cause: "The network has begun to learn the training rows by heart: it is large for so few rows, or trains too long.",
        remedy: "Keep the best epoch (`early_stopping`); then hold it back: dropout, L2, augmentation, fewer weights, or more rows.",
        change: change::hold_it_back,
        hides_others: false,
    },
    Rule {
        name: "slow",
        sees: slow,
        cause: "Steps are so small that it hardly gets anywhere: the learning rate is too low.",
        remedy: "Raise the learning rate tenfold.",
        change: change::larger_steps,
        hides_others: true,
    },
    Rule {
        name: "too_few_epochs",
        sees: too_few_epochs,
        cause: "It was still learning when it ended.",
        remedy: "Train for more epochs; the best one is published if rows are held back and `early_stopping` watches.",
        change: change::more_epochs,
        hides_others: true,
    },
    Rule {
        name: "underfitting",
        sees: underfitting,
        cause: "The network cannot express what is asked of it, is held back too much, or the columns do not say it.",
        remedy: "Take a larger network or another family, or less dropout and regularisation; else look for columns that say more.",
        change: change::grow,
        hides_others: false,
    },
];

fn failed_with(run: &Run<'_>, code: &str) -> Option<String> {
    run.cause.filter(|cause| cause.code == code).map(|cause| cause.message.clone())
}

fn diverging(run: &Run<'_>) -> Option<String> {
    if let Some(said) = failed_with(run, "loss_not_finite") {
        return Some(said);
    }
    let losses = run.curves.of("loss");
    let last = *losses.last()?;
    let chance = run.chance();
    let judged = run.curves.last("val_loss").unwrap_or(last);
    let worse = chance.filter(|chance| last.min(judged) > DIVERGED * chance);
    // what begins badly and gets better is slow
    if let Some(chance) = worse.filter(|_| falls_in(losses) < STEADY) {
        return Some(format!(
            "after {} epochs the loss is {}, and knowing nothing has {}",
            losses.len(),
            number(last),
            number(chance)
        ));
    }
    let (place, best) = least(losses)?;
    let high = chance.is_none_or(|chance| last > STILL * chance);
    (last > RISEN * best && high).then(|| {
        let (last, best) = (number(last), number(best));
        format!("the training loss fell to {best} in epoch {}, and rose to {last} again", place + 1)
    })
}

/// What it is judged by, from 0 to 1, and what that is called.
fn score(run: &Run<'_>) -> Option<(&'static str, f64, f64)> {
    let (name, shown) = match run.spec.task {
        Task::BinaryClassification | Task::MulticlassClassification => ("accuracy", "accuracy"),
        Task::Regression => ("r2", "R²"),
        _ => return None,
    };
    let validation = run.curves.last(&format!("val_{name}"))?;
    Some((shown, run.curves.last(name)?, validation))
}

/// The column that is spread as the target is, among those that the run reads.
fn twin<'a>(run: &Run<'a>) -> Option<&'a str> {
    let (target, profile) = (run.target()?, run.profile?);
    let read = features(run.spec);
    let read = profile.columns.iter().filter(|column| read.contains(&column.name.as_str()));
    columns::twin(target, read).map(|column| column.name.as_str())
}

fn leakage(run: &Run<'_>) -> Option<String> {
    let (what, _, judged) = score(run)?;
    let shown = if what == "accuracy" { percent(judged) } else { number(judged) };
    if let Some(twin) = twin(run).filter(|_| judged >= GOOD_WITH_A_TWIN) {
        return Some(format!(
            "{what} of {shown} on rows that were held back, and column {} is spread exactly as {} is",
            named(&[twin]),
            named(&[&run.spec.target])
        ));
    }
    let rows = run.evaluation.map_or(0, |evaluation| evaluation.rows);
    let enough = if what == "accuracy" { TOO_GOOD } else { TOO_GOOD_R2 };
    let easy = run.shares().first().is_some_and(|(_, share)| *share >= GOOD_WITH_A_TWIN);
    (judged >= enough && rows >= TOO_GOOD_ROWS && !easy).then(|| {
        format!(
            "{what} of {shown} on {rows} rows that were held back is too good for most questions"
        )
    })
}

fn without_the_twin(run: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    change::without(draft, twin(run)?)
}

fn no_validation(run: &Run<'_>) -> Option<String> {
    let rows = run.profile.map_or(0, |profile| profile.rows);
    let by_place = matches!(run.spec.input, Input::Series(_));
    let nothing = run.spec.validation_split == 0.0 && run.spec.cross_validation.is_none();
    (nothing && !by_place && rows >= LEAST_ROWS_TO_HOLD_BACK)
        .then(|| format!("none of the {rows} rows was held back"))
}

fn imbalance(run: &Run<'_>) -> Option<String> {
    if run.spec.class_weight.is_some() || run.spec.oversample {
        return None;
    }
    let shares = run.shares();
    let (rarest, share) = rare(&shares)?;
    let is = format!(
        "{} is {} in {} of the rows",
        named(&[&run.spec.target]),
        named(&[rarest]),
        percent(share)
    );
    let reports = run.evaluation.and_then(|evaluation| evaluation.per_class.as_deref());
    let of_rarest = reports.and_then(|reports| reports.iter().find(|one| one.class == rarest));
    if let Some(report) = of_rarest {
        let few = report.support > 0 && report.recall < FOUND;
        let (found, of) = (report.recall * report.support as f64, report.support);
        return few
            .then(|| format!("{is}, and of {of} that were held back the model finds {found:.0}"));
    }
    let (_, majority) = *shares.first()?;
    let accuracy = run.curves.last("val_accuracy")?;
    (accuracy <= majority + NO_BETTER).then(|| {
        let (accuracy, majority) = (percent(accuracy), percent(majority));
        format!("{is}; {accuracy} are told right, and always naming the most frequent class has {majority}")
    })
}

fn overfitting(run: &Run<'_>) -> Option<String> {
    let (training, judged) = (run.curves.of("loss"), run.curves.of("val_loss"));
    let (place, best) = least(judged)?;
    let last = *judged.last()?;
    let still_falls = training.last() < training.get(place);
    let keeps_best = run.spec.early_stopping.as_ref().is_some_and(|rule| rule.restore_best_weights);
    if !keeps_best && still_falls && last >= OVERFITTED * best {
        return Some(format!(
            "the validation loss was least in epoch {}, {}, and rose to {} by epoch {}, while the training loss fell on",
            place + 1,
            number(best),
            number(last),
            judged.len()
        ));
    }
    let (what, trained, validated) = score(run)?;
    // who has learned nothing yet has learned nothing by heart
    let learned = run.chance().is_none_or(|chance| training.last() < Some(&(UNLEARNED * chance)));
    (trained - validated >= GAP && learned && training.last() < training.first()).then(|| {
        format!(
            "{what} is {} on the rows that were trained on and {} on those held back",
            number(trained),
            number(validated)
        )
    })
}

/// The share of its epochs in which a curve went down.
fn falls_in(losses: &[f64]) -> f64 {
    let down = losses.windows(2).filter(|pair| pair[1] < pair[0]).count();
    down as f64 / losses.len().saturating_sub(1).max(1) as f64
}

fn slow(run: &Run<'_>) -> Option<String> {
    let losses = run.curves.of("loss");
    let (first, last) = (*losses.first()?, *losses.last()?);
    let steps = losses.len().checked_sub(1).filter(|steps| *steps >= 2)?;
    let middle = losses[losses.len() / 2];
    let chance = run.chance();
    let far = chance.is_none_or(|chance| last > STILL * chance);
    let each = (first - last) / first / steps as f64;
    let steady = falls_in(losses) >= STEADY;
    let straight = middle - last >= STILL * (first - middle);
    (far && steady && straight && each > 0.0 && each < CRAWL).then(|| {
        format!(
            "in {} epochs the loss went from {} to {}, steadily and by {} an epoch",
            losses.len(),
            number(first),
            number(last),
            percent(each)
        )
    })
}

fn too_few_epochs(run: &Run<'_>) -> Option<String> {
    let watched = run.watched();
    let last = *watched.last()?;
    if !run.is_whole() || run.chance().is_some_and(|chance| last < LEARNED * chance) {
        return None;
    }
    if watched.len() < 2 {
        return Some(format!("one epoch, with a loss of {}: there is no curve yet", number(last)));
    }
    let back = watched.len().div_ceil(4);
    let earlier = watched[watched.len() - 1 - back.min(watched.len() - 1)];
    let fell = (earlier - last) / earlier;
    let (place, _) = least(watched)?;
    (place + 1 == watched.len() && fell >= FALLING).then(|| {
        format!(
            "the loss fell by {} in the last {}, to {}, and was least in the last one",
            percent(fell),
            if back == 1 { "epoch".to_owned() } else { format!("{back} epochs") },
            number(last)
        )
    })
}

fn underfitting(run: &Run<'_>) -> Option<String> {
    let (chance, losses) = (run.chance()?, run.watched());
    let (_, best) = least(losses)?;
    let (_, trained) = least(run.curves.of("loss"))?;
    (best.min(trained) >= UNLEARNED * chance).then(|| {
        format!(
            "after {} epochs the least loss is {}, and knowing nothing has {}",
            losses.len(),
            number(best.min(trained)),
            number(chance)
        )
    })
}

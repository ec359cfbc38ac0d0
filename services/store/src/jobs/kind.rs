//! A job's kind as its row has it.

use domain::job::JobKind;

pub(super) const fn kind_str(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Profile => "profile",
        JobKind::Train => "train",
        JobKind::Evaluate => "evaluate",
        JobKind::Predict => "predict",
        JobKind::Importance => "importance",
    }
}

pub(crate) fn kind_of(text: &str) -> JobKind {
    match text {
        "train" => JobKind::Train,
        "evaluate" => JobKind::Evaluate,
        "predict" => JobKind::Predict,
        "importance" => JobKind::Importance,
        _ => JobKind::Profile,
    }
}

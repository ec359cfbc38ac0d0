//! The way from a question to an answer in six steps, shown above each of them.

use maud::{Markup, html};

#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(in crate::pages) enum Step {
    Question,
    Data,
    Model,
    Training,
    Judging,
    Use,
}

const STEPS: [(Step, &str); 6] = [
    (Step::Question, "What to predict"),
    (Step::Data, "Which data"),
    (Step::Model, "What with"),
    (Step::Training, "Train"),
    (Step::Judging, "Judge"),
    (Step::Use, "Use it"),
];

pub(in crate::pages) fn road(at: Step) -> Markup {
    html! {
        ol.road aria-label="The way from a question to an answer" {
            @for (step, name) in STEPS {
                li.past[step < at] aria-current=[(step == at).then_some("step")] { (name) }
            }
        }
    }
}

/// What people want to know, what it takes, and an example.
pub(super) const QUESTIONS: [(&str, &str, &str); 6] = [
    (
        "Which kind is it?",
        "A table: a row for each thing, a column with the kind.",
        "customers, and whether each has left",
    ),
    (
        "How much, how many?",
        "A table: a row for each thing, a column with the number.",
        "houses, and what each was sold for",
    ),
    (
        "What does the text say?",
        "A table with a column of texts and one with what each says.",
        "reviews, and whether each is good",
    ),
    (
        "What is in the picture?",
        "A zip of folders of images, each folder named by what it shows.",
        "digits, in folders 0 to 9",
    ),
    (
        "How does it go on?",
        "A table with a column of dates and one of numbers; or a plain text.",
        "passengers by month",
    ),
    (
        "Who would like what?",
        "A table with a column for who, one for what, and perhaps a rating.",
        "films, and what each visitor gave",
    ),
];

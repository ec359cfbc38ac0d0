//! What a version does on rows that it was not trained on: which class it takes for which, how far its
//! probabilities can be trusted, what it finds at which price. Each figure is drawn from numbers that the API
//! answers with the version.

use domain::evaluation::{Evaluation, EvaluationSplit};
use maud::{Markup, html};

use crate::{
    chart::{self, Curve},
    words,
};

/// More classes than these are no table that anybody reads.
const MOST_CLASSES: usize = 20;
/// Shades of a cell, from none of a class's rows to all of them.
const SHADES: u64 = 5;

pub(super) fn all(evaluations: &[Evaluation], classes: &[String]) -> Markup {
    html! { @for evaluation in evaluations { (one(evaluation, classes)) } }
}

fn one(of: &Evaluation, classes: &[String]) -> Markup {
    let rows = match of.split {
        EvaluationSplit::Validation => "rows held back",
        EvaluationSplit::Test => "rows of a test set of its own",
    };
    let curves = curves(of);
    let matrix = of.confusion_matrix.as_ref().filter(|matrix| matrix.len() == classes.len());
    html! {
        @if matrix.is_some() || !curves.is_empty() {
            section.card {
                h2 { "On " (words::count(of.rows)) " " (rows) }
                @if let Some(matrix) = matrix { (confusion(matrix, classes)) }
                @if !curves.is_empty() { div.columns { @for curve in curves { (curve) } } }
            }
        }
    }
}

fn confusion(matrix: &[Vec<u64>], classes: &[String]) -> Markup {
    if classes.len() > MOST_CLASSES {
        let why = format!(
            "It has {} classes: the table of which it takes for which is in the API's answer.",
            classes.len()
        );
        return html! { p.hint { (why) } };
    }
    html! {
        div.scroll tabindex="0" role="group" aria-label="Confusion matrix" { table.confusion {
            caption { "Which class it takes for which" }
            thead {
                tr { th scope="col" { "Truly" } @for class in classes { th.right scope="col" { "taken for " (class) } } th.right scope="col" { "found" } }
            }
            tbody { @for (place, (class, row)) in classes.iter().zip(matrix).enumerate() {
                @let rows: u64 = row.iter().sum();
                tr {
                    th scope="row" { (class) }
                    @for count in row { td class=(format!("right shade-{}", shade(*count, rows))) { (words::count(*count)) } }
                    td.right { (row.get(place).filter(|_| rows > 0).map_or_else(|| "–".to_owned(), |right| words::percent(*right as f64 / rows as f64))) }
                }
            } }
        } }
    }
}

/// Of a class's rows, in fifths, rounded up: what is there at all is seen.
fn shade(count: u64, rows: u64) -> u64 {
    (count * SHADES).div_ceil(rows.max(1))
}

fn curves(of: &Evaluation) -> Vec<Markup> {
    let diagonal = |name| Curve { name, points: vec![(0.0, 0.0), (1.0, 1.0)] };
    let mut drawn = Vec::new();
    if let Some(points) = &of.roc_curve {
        let points =
            points.iter().map(|at| (at.false_positive_rate, at.true_positive_rate)).collect();
        let curves = [Curve { name: "found", points }, diagonal("by chance")];
        drawn.push(chart::lines("Found, by false alarms", "false alarms", &curves, None));
    }
    if let Some(points) = &of.precision_recall_curve {
        let points = points.iter().map(|at| (at.recall, at.precision)).collect();
        let curves = [Curve { name: "right", points }];
        drawn.push(chart::lines("Right ones, by how many are found", "found", &curves, None));
    }
    if let Some(bins) = &of.calibration {
        let points = bins.iter().map(|bin| (bin.mean_predicted, bin.share_positive)).collect();
        let curves = [Curve { name: "observed", points }, diagonal("as said")];
        drawn.push(chart::lines(
            "How often it is so, by its probability",
            "it says",
            &curves,
            None,
        ));
    }
    if let Some(quantiles) = &of.residuals {
        let points = quantiles.iter().map(|at| (at.share, at.value)).collect();
        let curves = [Curve { name: "truth minus prediction", points }];
        drawn.push(chart::lines("Errors, from the least on", "share of the rows", &curves, None));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_matrix_adds_up_and_what_is_there_is_seen() {
        assert_eq!([shade(0, 10), shade(1, 1_000), shade(5, 10), shade(10, 10)], [0, 1, 3, 5]);
        assert_eq!(shade(0, 0), 0);
        let classes = ["<a>".to_owned(), "b".to_owned()];
        let table = confusion(&[vec![8, 2], vec![0, 0]], &classes).into_string();
        assert!(table.contains("taken for &lt;a&gt;") && table.contains(">80 %<"), "{table}");
        assert!(table.contains(">–<"), "{table}");
    }
}

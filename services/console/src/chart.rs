//! Figures as SVG, drawn here: curves, bars and how full something is. Colours come by class from the
//! stylesheet; what a figure shows stands in its label too, for who does not see it.

mod areas;
mod parallel;
mod tree;

use maud::{Markup, html};

use crate::words;

pub(crate) use areas::{Area, areas};
pub(crate) use parallel::{Axis, parallel};
pub(crate) use tree::{Node, tree};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 230.0;
/// Of a figure that stands alone.
const WIDE: f64 = 900.0;
/// Left of the plot, for the numbers of the axis.
const LEFT: f64 = 48.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
const RIGHT: f64 = 10.0;
const COLOURS: [&str; 4] = ["one", "two", "three", "four"];
/// More points than pixels help nobody.
const MAX_POINTS: usize = 400;

pub(crate) struct Curve<'a> {
    pub name: &'a str,
    pub points: Vec<(f64, f64)>,
}

/// From the least to the greatest value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    from: f64,
    to: f64,
}

impl Span {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values = values.filter(|value| value.is_finite());
        values.fold(None, |span, value| match span {
            None => Some(Self { from: value, to: value }),
            Some(Self { from, to }) => Some(Self { from: from.min(value), to: to.max(value) }),
        })
    }

    fn share(self, value: f64) -> f64 {
        if self.to > self.from { (value - self.from) / (self.to - self.from) } else { 0.5 }
    }

    /// A little wider, to round numbers, and how far those are from each other.
    fn rounded(self) -> (Self, f64) {
        let width = if self.to > self.from { self.to - self.from } else { self.to.abs().max(1.0) };
        let rough = width / 4.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(power * 10.0);
        let span =
            Self { from: (self.from / step).floor() * step, to: (self.to / step).ceil() * step };
        if span.to > span.from {
            (span, step)
        } else {
            (Self { from: span.from - step, to: span.to + step }, step)
        }
    }

    fn ticks(self, step: f64) -> Vec<f64> {
        let count = ((self.to - self.from) / step).round() as usize;
        (0..=count.min(20)).map(|n| self.from + n as f64 * step).collect()
    }
}

/// Curves over the epochs, with a mark at the best one.
pub(crate) fn curves(title: &str, curves: &[Curve<'_>], best: Option<f64>) -> Markup {
    lines(title, "epoch", curves, best)
}

/// Curves over something else.
pub(crate) fn lines(title: &str, along: &str, curves: &[Curve<'_>], best: Option<f64>) -> Markup {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (Some(x), Some(y)) =
        (Span::of(points().map(|point| point.0)), Span::of(points().map(|point| point.1)))
    else {
        return html! { figure { figcaption { (title) } p.quiet { "Nothing to draw yet." } } };
    };
    let (y, step) = y.rounded();
    let across = |value: f64| LEFT + x.share(value) * (WIDTH - LEFT - RIGHT);
    let down = |value: f64| HEIGHT - BOTTOM - y.share(value) * (HEIGHT - TOP - BOTTOM);
    html! {
        figure {
            figcaption { (title) }
            svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(spoken(title, curves)) {
                @for tick in y.ticks(step) {
                    line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(at(down(tick))) y2=(at(down(tick))) {}
                    text x=(LEFT - 6.0) y=(at(down(tick) + 4.0)) text-anchor="end" { (words::number(tick)) }
                }
                text x=(LEFT) y=(HEIGHT - 8.0) { (along) " " (words::number(x.from)) }
                text x=(WIDTH - RIGHT) y=(HEIGHT - 8.0) text-anchor="end" { (words::number(x.to)) }
                @if let Some(best) = best.filter(|best| (x.from..=x.to).contains(best)) {
                    line.best x1=(at(across(best))) x2=(at(across(best))) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                }
                @for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
                    @let line = thinned(&curve.points);
                    polyline class=(format!("line {colour}")) points=(path(&line, across, down)) {}
                    @for (x, y) in line.iter().filter(|_| line.len() <= 30) {
                        circle class=(format!("dots {colour}")) cx=(at(across(*x))) cy=(at(down(*y))) r="2.5" {}
                    }
                }
            }
            (legend(curves))
        }
    }
}

fn path(points: &[(f64, f64)], across: impl Fn(f64) -> f64, down: impl Fn(f64) -> f64) -> String {
    let points = points.iter().filter(|(_, y)| y.is_finite());
    let points = points.map(|(x, y)| format!("{},{}", at(across(*x)), at(down(*y))));
    points.collect::<Vec<_>>().join(" ")
}

/// Every so many points, and the last one.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(MAX_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.iter().enumerate().filter(|(place, _)| place % every == 0 || *place == last);
    kept.map(|(_, point)| *point).collect()
}

fn spoken(title: &str, curves: &[Curve<'_>]) -> String {
    let of = |curve: &Curve<'_>| {
        let (first, last) = (curve.points.first()?, curve.points.last()?);
        Some(format!("{} from {} to {}", curve.name, words::number(first.1), words::number(last.1)))
    };
    let all: Vec<_> = curves.iter().filter_map(of).collect();
    format!("{title}: {}", all.join("; "))
}

fn legend(curves: &[Curve<'_>]) -> Markup {
    html! {
        ul.legend {
            @for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
                li {
                    svg viewBox="0 0 18 8" aria-hidden="true" { line class=(format!("line {colour}")) x1="0" x2="18" y1="4" y2="4" {} }
                    (curve.name)
                    @if let Some((_, last)) = curve.points.last() { " " strong { (words::number(*last)) } }
                }
            }
        }
    }
}

/// Bars side by side, as of a histogram: without numbers, which are in the label.
pub(crate) fn histogram(label: &str, heights: &[u64]) -> Markup {
    let most = heights.iter().copied().max().unwrap_or(0).max(1) as f64;
    let width = 112.0 / heights.len().max(1) as f64;
    html! {
        svg.spark viewBox="0 0 112 28" preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (place, height) in heights.iter().enumerate() {
                @let tall = *height as f64 / most * 27.0;
                rect.bar x=(at(place as f64 * width)) y=(at(28.0 - tall)) width=(at((width - 0.6).max(0.5))) height=(at(tall)) {}
            }
        }
    }
}

/// How much of the whole.
pub(crate) fn bar(label: &str, share: f64) -> Markup {
    meter(label, share, "bar")
}

fn meter(label: &str, share: f64, class: &str) -> Markup {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    html! {
        svg.meter viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.ground width="100" height="10" {}
            rect class=(class) width=(at(share * 100.0)) height="10" {}
        }
    }
}

/// Parts of a whole, one after another, each in its colour.
pub(crate) fn stacked(label: &str, shares: &[f64]) -> Markup {
    let places = shares.iter().scan(0.0, |end, share| {
        let (from, width) = (*end, share.clamp(0.0, 1.0) * 100.0);
        *end += width;
        Some((from, width))
    });
    html! {
        svg.meter viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.ground width="100" height="10" {}
            @for ((from, width), colour) in places.zip(COLOURS) {
                rect class=(format!("part {colour}")) x=(at(from)) width=(at(width)) height="10" {}
            }
        }
    }
}

/// From here on there is little left.
pub(crate) const NEARLY_FULL: f64 = 0.9;

/// Used of what there is, in words and as a bar.
pub(crate) fn quota(
    name: &str,
    used: f64,
    limit: Option<f64>,
    show: impl Fn(f64) -> String,
) -> Markup {
    html! {
        div.quota {
            p {
                span { (name) }
                span {
                    strong { (show(used)) }
                    @if let Some(limit) = limit { span.quiet { " of " (show(limit)) } }
                }
            }
            @if let Some(limit) = limit {
                @let class = if used / limit >= NEARLY_FULL { "bar full" } else { "bar" };
                (meter(&format!("{name}: {} of {}", show(used), show(limit)), used / limit, class))
            }
        }
    }
}

/// A coordinate: two digits are finer than any screen.
fn at(value: f64) -> String {
    format!("{:.2}", value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_round_numbers_around_all_values() {
        for (from, to) in [(0.03, 0.94), (0.5, 0.5), (-3.0, 1200.0), (1e-7, 3e-7), (0.0, 0.0)] {
            let (span, step) = Span { from, to }.rounded();
            let ticks = span.ticks(step);
            assert!(
                span.from <= from && span.to >= to && span.to > span.from,
                "{from} {to}: {span:?}"
            );
            assert!((3..=7).contains(&ticks.len()), "{from} {to}: {ticks:?}");
        }
    }

    #[test]
    fn a_curve_is_drawn_within_its_frame_and_says_where_it_ends() {
        let points = (1..=1_000).map(|n| (f64::from(n), 1.0 / f64::from(n))).collect();
        let drawn = curves("Loss", &[Curve { name: "train", points }], Some(7.0)).into_string();
        assert!(drawn.contains("Loss: train from 1 to 0.001"), "{drawn}");
        assert!(drawn.matches(',').count() < 2 * MAX_POINTS, "as many points as pixels");
        let nothing = curves("Loss", &[], None).into_string();
        assert!(nothing.contains("Nothing to draw yet"), "{nothing}");
    }
}

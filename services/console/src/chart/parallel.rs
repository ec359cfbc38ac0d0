//! Parallel coordinates: each thing is a line through what it has of each axis, so that it is seen which settings go
//! with which figures.

use maud::{Markup, html};

use super::{COLOURS, Span, WIDE, at};
use crate::words;

const TALL: f64 = 300.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 30.0;
/// For the words at the first and the last axis.
const SIDE: f64 = 90.0;
/// That an axis has room for.
const MOST_CHARS: usize = 18;

/// What each thing has of something, in the order of the things; none where it has none.
pub(crate) struct Axis {
    pub name: String,
    pub values: Vec<Option<String>>,
}

/// Where a value is on its axis, from the bottom to the top.
impl Axis {
    fn places(&self) -> Vec<Option<f64>> {
        let numbers: Vec<_> =
            self.values.iter().map(|value| value.as_deref()?.parse::<f64>().ok()).collect();
        let known = self.values.iter().filter(|value| value.is_some()).count();
        if numbers.iter().flatten().count() == known {
            let span = Span::of(numbers.iter().flatten().copied());
            return numbers.iter().map(|number| Some(span?.share((*number)?))).collect();
        }
        let kinds = self.kinds();
        let most = kinds.len().saturating_sub(1).max(1) as f64;
        let place = |value: &String| kinds.iter().position(|kind| *kind == value);
        self.values.iter().map(|value| Some(place(value.as_ref()?)? as f64 / most)).collect()
    }

    /// Each value once, as they come.
    fn kinds(&self) -> Vec<&String> {
        let mut kinds = Vec::new();
        for value in self.values.iter().flatten() {
            if !kinds.contains(&value) {
                kinds.push(value);
            }
        }
        kinds
    }

    /// The words at its marks.
    fn marks(&self) -> Vec<(f64, String)> {
        let mut marks: Vec<(f64, String)> = Vec::new();
        for (place, value) in self.places().into_iter().zip(&self.values) {
            let (Some(place), Some(value)) = (place, value) else { continue };
            // what would lie upon another is left out: the table has it
            if marks.iter().all(|(other, _)| (other - place).abs() > 0.06) {
                marks.push((place, short(value)));
            }
        }
        marks
    }
}

fn short(value: &str) -> String {
    let number = value.parse::<f64>().ok().map(words::number);
    words::cut(&number.unwrap_or_else(|| value.to_owned()), MOST_CHARS)
}

/// A line for each of the things, through all axes.
pub(crate) fn parallel(title: &str, things: &[String], axes: &[Axis]) -> Markup {
    let places: Vec<_> = axes.iter().map(Axis::places).collect();
    let apart = (WIDE - 2.0 * SIDE) / axes.len().saturating_sub(1).max(1) as f64;
    let across = |axis: usize| SIDE + axis as f64 * apart;
    let down = |share: f64| TALL - BOTTOM - share * (TALL - TOP - BOTTOM);
    let line = |thing: usize| -> String {
        let points = places.iter().enumerate().filter_map(|(axis, places)| {
            let place = places.get(thing).copied().flatten()?;
            Some(format!("{},{}", at(across(axis)), at(down(place))))
        });
        points.collect::<Vec<_>>().join(" ")
    };
    html! {
        figure {
            figcaption { (title) }
            div.scroll tabindex="0" role="group" aria-label=(title) {
                svg.chart.wide.parallel viewBox=(format!("0 0 {WIDE} {TALL}")) role="img" aria-label=(spoken(title, things, axes)) {
                    @for (n, axis) in axes.iter().enumerate() {
                        line.grid x1=(at(across(n))) x2=(at(across(n))) y1=(TOP) y2=(TALL - BOTTOM) {}
                        // one above the other, so that long names have room
                        text x=(at(across(n))) y=(if n % 2 == 0 { 14 } else { 30 }) text-anchor="middle" { (short(&words::spaced(&axis.name))) }
                    }
                    @for (n, colour) in (0..things.len()).zip(COLOURS.iter().cycle()) {
                        polyline class=(format!("line {colour}")) points=(line(n)) {}
                        @for (axis, places) in places.iter().enumerate() {
                            @if let Some(place) = places.get(n).copied().flatten() {
                                circle class=(format!("dots {colour}")) cx=(at(across(axis))) cy=(at(down(place))) r="3" {}
                            }
                        }
                    }
                    @for (n, axis) in axes.iter().enumerate() {
                        @for (place, text) in axis.marks() {
                            text.mark x=(at(across(n) + 7.0)) y=(at(down(place) + 4.0)) { (text) }
                        }
                    }
                }
            }
            ul.legend {
                @for (thing, colour) in things.iter().zip(COLOURS.iter().cycle()) {
                    li { svg viewBox="0 0 18 8" aria-hidden="true" { line class=(format!("line {colour}")) x1="0" x2="18" y1="4" y2="4" {} } (thing) }
                }
            }
        }
    }
}

fn spoken(title: &str, things: &[String], axes: &[Axis]) -> String {
    let of = |(n, thing): (usize, &String)| {
        let values = axes.iter().filter_map(|axis| {
            let value = axis.values.get(n)?.as_deref()?;
            Some(format!("{} {}", words::spaced(&axis.name), short(value)))
        });
        format!("{thing}: {}", values.collect::<Vec<_>>().join(", "))
    };
    let all: Vec<_> = things.iter().enumerate().map(of).collect();
    format!("{title}. {}", all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: [Option<&str>; 3]) -> Axis {
        Axis {
            name: "a_b".to_owned(),
            values: values.map(|value| value.map(str::to_owned)).to_vec(),
        }
    }

    #[test]
    fn numbers_lie_as_far_apart_as_they_are_and_words_evenly() {
        let numbers = axis([Some("1"), Some("3"), Some("11")]);
        assert_eq!(numbers.places(), [Some(0.0), Some(0.2), Some(1.0)]);
        assert_eq!(axis([Some("2"), None, Some("4")]).places(), [Some(0.0), None, Some(1.0)]);
        let words = axis([Some("Adam"), Some("SGD"), Some("Adam")]);
        assert_eq!(words.places(), [Some(0.0), Some(1.0), Some(0.0)]);
        assert_eq!(axis([None, None, None]).places(), [None, None, None]);
    }

    #[test]
    fn every_thing_has_a_line_and_is_spoken_of() {
        let things = ["1. <one>", "2. two", "3. three"].map(str::to_owned);
        let axes = [axis([Some("1"), Some("3"), None]), axis([Some("x"), Some("y"), Some("x")])];
        let drawn = parallel("Settings", &things, &axes).into_string();
        assert_eq!(drawn.matches("<polyline").count(), 3);
        assert_eq!(drawn.matches("<circle").count(), 5);
        assert!(drawn.contains("Settings. 1. &lt;one&gt;: a b 1, a b x; 2. two: a b 3"), "{drawn}");
    }
}

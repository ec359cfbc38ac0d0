//! Areas upon one another over time: who had how much of something, in two shades each.

use maud::{Markup, html};

use super::{BOTTOM, HEIGHT, LEFT, RIGHT, Span, TOP, WIDE, at, path};
use crate::words;

/// Of areas, where there are more of them at once.
const GROUNDS: [&str; 7] = ["one", "two", "three", "four", "five", "six", "seven"];

/// Somebody's part of something over time, in two shades: the solid one below.
pub(crate) struct Area<'a> {
    pub name: &'a str,
    pub solid: Vec<(f64, f64)>,
    /// At the same places.
    pub faint: Vec<(f64, f64)>,
}

/// Areas upon one another, under the line of what there is; `step` is how far places are from each other where
/// nothing is missing, and `ends` what stands below the first and the last.
pub(crate) fn areas(
    title: &str,
    areas: &[Area<'_>],
    whole: &[(f64, f64)],
    step: f64,
    ends: [&str; 2],
) -> Markup {
    let stacked = stack(areas, whole);
    let most = whole.iter().chain(stacked.iter().flatten()).map(|(_, y)| *y);
    let (Some(x), Some(y)) =
        (Span::of(whole.iter().map(|point| point.0)), Span::of(most.chain([0.0])))
    else {
        return html! { figure { figcaption { (title) } p.quiet { "Nothing to draw yet." } } };
    };
    let x = Span { to: x.to + step, ..x };
    let (y, tick) = y.rounded();
    let across = |value: f64| LEFT + x.share(value) * (WIDE - LEFT - RIGHT);
    let down = |value: f64| HEIGHT - BOTTOM - y.share(value) * (HEIGHT - TOP - BOTTOM);
    html! {
        figure {
            figcaption { (title) }
            svg.chart.wide viewBox=(format!("0 0 {WIDE} {HEIGHT}")) role="img" aria-label=(parts_spoken(title, areas)) {
                @for tick in y.ticks(tick) {
                    line.grid x1=(LEFT) x2=(WIDE - RIGHT) y1=(at(down(tick))) y2=(at(down(tick))) {}
                    text x=(LEFT - 6.0) y=(at(down(tick) + 4.0)) text-anchor="end" { (words::number(tick)) }
                }
                text x=(LEFT) y=(HEIGHT - 8.0) { (ends[0]) }
                text x=(WIDE - RIGHT) y=(HEIGHT - 8.0) text-anchor="end" { (ends[1]) }
                @for (place, pair) in stacked.windows(2).enumerate() {
                    @let shade = if place % 2 == 0 { "" } else { " faint" };
                    @for (below, above) in runs(&pair[0], &pair[1], step) {
                        polygon class=(format!("area {}{shade}", GROUNDS[place / 2 % GROUNDS.len()])) points=(outline(below, above, step, across, down)) {}
                    }
                }
                polyline.best points=(path(&stairs(whole, step), across, down)) {}
            }
            ul.legend {
                @for (place, area) in areas.iter().enumerate() {
                    @let colour = GROUNDS[place % GROUNDS.len()];
                    li {
                        svg viewBox="0 0 18 8" aria-hidden="true" { rect class=(format!("area {colour}")) width="9" height="8" {} rect class=(format!("area {colour} faint")) x="9" width="9" height="8" {} }
                        (area.name)
                    }
                }
            }
            p.hint { "Solid: of what is guaranteed. Faint: borrowed. Dashed: all there is." }
        }
    }
}

/// Where each part begins and, with the next one, ends: the ground first.
fn stack(areas: &[Area<'_>], whole: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let ground: Vec<_> = whole.iter().map(|(x, _)| (*x, 0.0)).collect();
    let mut stacked = vec![ground];
    for part in areas.iter().flat_map(|area| [&area.solid, &area.faint]) {
        let below = &stacked[stacked.len() - 1];
        let above = below.iter().zip(part).map(|((x, y), (_, more))| (*x, y + more)).collect();
        stacked.push(above);
    }
    stacked
}

type Points<'a> = &'a [(f64, f64)];

/// Without the times that nobody has looked at.
fn runs<'a>(below: Points<'a>, above: Points<'a>, step: f64) -> Vec<(Points<'a>, Points<'a>)> {
    let mut runs = Vec::new();
    let mut from = 0;
    for to in 1..=below.len() {
        if to == below.len() || below[to].0 - below[to - 1].0 > step * 1.5 {
            runs.push((&below[from..to], &above[from..to]));
            from = to;
        }
    }
    runs
}

/// Each value from its place to the next.
fn stairs(points: Points<'_>, step: f64) -> Vec<(f64, f64)> {
    points.iter().flat_map(|(x, y)| [(*x, *y), (*x + step, *y)]).collect()
}

fn outline(
    below: Points<'_>,
    above: Points<'_>,
    step: f64,
    across: impl Fn(f64) -> f64,
    down: impl Fn(f64) -> f64,
) -> String {
    let mut points = stairs(above, step);
    points.extend(stairs(below, step).into_iter().rev());
    path(&points, across, down)
}

fn parts_spoken(title: &str, areas: &[Area<'_>]) -> String {
    let mean = |points: Points<'_>| {
        points.iter().map(|point| point.1).sum::<f64>() / points.len().max(1) as f64
    };
    let of = |area: &Area<'_>| {
        let (own, more) = (words::number(mean(&area.solid)), words::number(mean(&area.faint)));
        format!("{} {own} of its guarantee and {more} borrowed, on average", area.name)
    };
    let all: Vec<_> = areas.iter().map(of).collect();
    format!(
        "{title}: {}",
        if all.is_empty() { "nobody uses any".to_owned() } else { all.join("; ") }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_lie_upon_one_another_and_leave_out_what_nobody_has_seen() {
        let whole = vec![(0.0, 4.0), (60.0, 4.0), (240.0, 4.0)];
        let part = |y: f64| whole.iter().map(|(x, _)| (*x, y)).collect::<Vec<_>>();
        let areas_of = [
            Area { name: "acme", solid: part(2.0), faint: part(1.0) },
            Area { name: "<b>", solid: part(0.0), faint: part(1.0) },
        ];
        let stacked = stack(&areas_of, &whole);
        let tops: Vec<_> = stacked.iter().map(|line| line[0].1).collect();
        assert_eq!(tops, [0.0, 2.0, 3.0, 3.0, 4.0]);
        assert_eq!(runs(&stacked[0], &stacked[1], 60.0).len(), 2);
        let drawn = areas("CPUs", &areas_of, &whole, 60.0, ["then", "now"]).into_string();
        assert!(drawn.contains("acme 2 of its guarantee and 1 borrowed"), "{drawn}");
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>"), "{drawn}");
        assert_eq!(drawn.matches("<polygon").count(), 8);
        let nothing = areas("CPUs", &[], &[], 60.0, ["", ""]).into_string();
        assert!(nothing.contains("Nothing to draw yet"), "{nothing}");
    }
}

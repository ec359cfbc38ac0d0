//! What was made of what: boxes from left to right, each joined to the one that it came from.

use maud::{Markup, html};

use super::at;
use crate::words;

/// In pixels, where nothing is scaled.
const BOX_WIDTH: f64 = 170.0;
const BOX_HEIGHT: f64 = 42.0;
const ACROSS: f64 = 214.0;
const DOWN: f64 = 54.0;
const MARGIN: f64 = 2.0;
/// That fit into a box.
const TITLE_CHARS: usize = 23;
const UNDER_CHARS: usize = 27;

pub(crate) struct Node {
    pub title: String,
    pub under: String,
    pub href: Option<String>,
    /// The one that is looked at.
    pub is_here: bool,
    /// Its place among the nodes, before this one's.
    pub from: Option<usize>,
}

/// Across and down, of a box's corner.
type Place = (f64, f64);

pub(crate) fn tree(title: &str, nodes: &[Node]) -> Markup {
    let places = places(nodes);
    let size = |of: fn(&Place) -> f64, extent: f64| {
        places.iter().map(of).fold(0.0, f64::max) + extent + MARGIN
    };
    let (width, height) = (size(|place| place.0, BOX_WIDTH), size(|place| place.1, BOX_HEIGHT));
    html! {
        div.scroll tabindex="0" role="group" aria-label=(title) {
            svg.tree viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="group" aria-label=(title) {
                @for (node, place) in nodes.iter().zip(&places) {
                    @if let Some(from) = node.from { path.edge d=(edge(places[from], *place)) {} }
                }
                @for (node, place) in nodes.iter().zip(&places) {
                    @match &node.href {
                        Some(href) => a href=(href) aria-label=(format!("{}, {}", node.title, node.under)) { (drawn(node, *place)) },
                        None => (drawn(node, *place)),
                    }
                }
            }
        }
    }
}

fn drawn(node: &Node, (x, y): Place) -> Markup {
    html! {
        rect class=(if node.is_here { "node here" } else { "node" }) x=(at(x)) y=(at(y)) width=(BOX_WIDTH) height=(BOX_HEIGHT) rx="6" { title { (node.title) ", " (node.under) } }
        text.mark x=(at(x + 10.0)) y=(at(y + 17.0)) { (words::cut(&node.title, TITLE_CHARS)) }
        text x=(at(x + 10.0)) y=(at(y + 33.0)) { (words::cut(&node.under, UNDER_CHARS)) }
    }
}

fn edge((from_x, from_y): Place, (to_x, to_y): Place) -> String {
    let (from_x, middle) = (from_x + BOX_WIDTH, BOX_HEIGHT / 2.0);
    let (from_y, to_y, half) = (from_y + middle, to_y + middle, (from_x + to_x) / 2.0);
    let [from_x, from_y, to_x, to_y, half] = [from_x, from_y, to_x, to_y, half].map(at);
    format!("M{from_x},{from_y} C{half},{from_y} {half},{to_y} {to_x},{to_y}")
}

/// Each in the column after the one that it came from. What nothing came from has a row of its own; the others stand
/// in the middle of what came from them.
fn places(nodes: &[Node]) -> Vec<Place> {
    let mut columns = Vec::with_capacity(nodes.len());
    let mut children = vec![Vec::new(); nodes.len()];
    for (place, node) in nodes.iter().enumerate() {
        columns.push(node.from.map_or(0, |from: usize| columns[from] + 1));
        if let Some(from) = node.from {
            children[from].push(place);
        }
    }
    let mut rows = vec![0.0; nodes.len()];
    let mut next = 0.0;
    for (place, node) in nodes.iter().enumerate() {
        if node.from.is_none() {
            set_rows(place, &children, &mut rows, &mut next);
        }
    }
    let place =
        |(column, row): (&usize, f64)| (MARGIN + *column as f64 * ACROSS, MARGIN + row * DOWN);
    columns.iter().zip(rows).map(place).collect()
}

fn set_rows(of: usize, children: &[Vec<usize>], rows: &mut [f64], next: &mut f64) {
    // those that nothing has come from, from top to bottom; a line of descent may be long, and so no call for each
    let mut open = vec![of];
    let mut order = Vec::new();
    while let Some(place) = open.pop() {
        order.push(place);
        open.extend(children[place].iter().rev());
        if children[place].is_empty() {
            rows[place] = *next;
            *next += 1.0;
        }
    }
    for place in order.into_iter().rev().filter(|place| !children[*place].is_empty()) {
        let (first, last) = (children[place][0], children[place][children[place].len() - 1]);
        rows[place] = (rows[first] + rows[last]) / 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(from: Option<usize>) -> Node {
        Node { title: "a".to_owned(), under: "b".to_owned(), href: None, is_here: false, from }
    }

    #[test]
    fn what_came_from_something_stands_behind_it_and_around_its_middle() {
        let nodes = [None, Some(0), Some(1), Some(1), Some(3), Some(3)].map(node);
        let grid =
            places(&nodes).into_iter().map(|(x, y)| ((x - MARGIN) / ACROSS, (y - MARGIN) / DOWN));
        let middle = 0.75;
        let expected =
            [(0.0, middle), (1.0, middle), (2.0, 0.0), (2.0, 1.5), (3.0, 1.0), (3.0, 2.0)];
        assert_eq!(grid.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_long_line_of_descent_is_drawn_in_a_row() {
        let nodes: Vec<_> = (0..50_000_usize).map(|place| node(place.checked_sub(1))).collect();
        assert!(places(&nodes).iter().all(|(_, y)| *y == MARGIN));
    }

    #[test]
    fn names_are_cut_to_what_fits_and_what_they_say_is_no_markup() {
        let node =
            Node { title: "<b>".repeat(20), href: Some("/a?b=1&c=2".to_owned()), ..node(None) };
        let drawn = tree("Lineage", &[node]).into_string();
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>"), "{drawn}");
        assert!(drawn.contains("…") && drawn.contains("href=\"/a?b=1&amp;c=2\""), "{drawn}");
    }
}

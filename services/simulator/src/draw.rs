//! The same as pictures, in one SVG: how much was used, how many waited, and how equal the shares were,
//! over the time in which jobs were submitted.

use std::fmt::Write;

use crate::{
    figures::{SPAN, jain_over},
    run::Journal,
};

const WIDTH: f64 = 900.0;
const PANEL: f64 = 180.0;
const LEFT: f64 = 70.0;
const GAP: f64 = 50.0;
const COLOURS: [&str; 4] = ["#0b6e4f", "#c1121f", "#f4a300", "#3a5ba0"];

/// One line for each order in each panel.
pub fn svg(title: &str, runs: &[(&str, &Journal)]) -> String {
    let panels: [(&str, Vec<Vec<f64>>); 3] = [
        ("dominant resource used, of 1", lines(runs, |w| w.used_cpu.max(w.used_accelerators))),
        ("jobs waiting", lines(runs, |w| w.waiting as f64)),
        ("Jain's index of weighted shares", spans(runs)),
    ];
    let height = 60.0 + panels.len() as f64 * (PANEL + GAP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"16\">{}</text>\n",
        LEFT + WIDTH + 30.0,
        escaped(title),
    );
    for (n, (name, _)) in runs.iter().enumerate() {
        let x = LEFT + 170.0 * n as f64;
        let colour = COLOURS[n % COLOURS.len()];
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"34\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"45\">{}</text>",
            x + 18.0,
            escaped(name),
        );
    }
    for (n, (name, lines)) in panels.iter().enumerate() {
        panel(&mut out, 80.0 + n as f64 * (PANEL + GAP), name, lines);
    }
    out.push_str("</svg>\n");
    out
}

/// Over the windows up to each.
fn spans(runs: &[(&str, &Journal)]) -> Vec<Vec<f64>> {
    let line = |journal: &Journal| {
        let until = 1..=journal.windows.len();
        let spans = until.map(|end| &journal.windows[end.saturating_sub(SPAN)..end]);
        spans.map(|span| jain_over(span).unwrap_or(f64::NAN)).collect()
    };
    runs.iter().map(|(_, journal)| line(journal)).collect()
}

fn lines(runs: &[(&str, &Journal)], of: fn(&crate::run::Window) -> f64) -> Vec<Vec<f64>> {
    runs.iter().map(|(_, journal)| journal.windows.iter().map(of).collect()).collect()
}

fn panel(out: &mut String, top: f64, name: &str, lines: &[Vec<f64>]) {
    let points = lines.iter().flatten().copied().filter(|y| y.is_finite());
    let most = points.fold(f64::MIN_POSITIVE, f64::max);
    let longest = lines.iter().map(Vec::len).max().unwrap_or(0).max(2);
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{:.0}\">{name}</text>\
         <rect x=\"{LEFT}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{PANEL}\" fill=\"none\" stroke=\"#bbb\"/>\
         <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
         <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">0</text>",
        top - 6.0,
        LEFT - 6.0,
        top + 12.0,
        label(most),
        LEFT - 6.0,
        top + PANEL,
    );
    for (n, line) in lines.iter().enumerate() {
        let at = |(x, y): (usize, &f64)| {
            let x = LEFT + x as f64 / (longest - 1) as f64 * WIDTH;
            y.is_finite().then(|| format!("{x:.1},{:.1}", top + PANEL * (1.0 - y / most)))
        };
        let path: Vec<_> = line.iter().enumerate().filter_map(at).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"/>",
            path.join(" "),
            COLOURS[n % COLOURS.len()],
        );
    }
}

fn label(most: f64) -> String {
    if most >= 10.0 { format!("{most:.0}") } else { format!("{most:.2}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

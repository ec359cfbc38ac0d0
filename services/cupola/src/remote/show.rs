//! What the commands print: for people, or as JSON; and bars for what takes long, on a terminal.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::Value;
use terminal::{Alignment, StyledObject, measure_text_width, pad_str, style};

#[derive(Clone, Copy)]
pub struct Out {
    json: bool,
}

impl Out {
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// For people, whatever else.
    pub const fn text() -> Self {
        Self { json: false }
    }

    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Whether what is drawn can be drawn over.
    pub fn is_live(self) -> bool {
        !self.json && io::stdout().is_terminal() && io::stderr().is_terminal()
    }

    /// A value as a line of JSON, or as people read it.
    pub fn show(self, value: &Value, human: impl FnOnce() -> String) -> anyhow::Result<()> {
        if self.json { write(&value.to_string()) } else { write(&human()) }
    }

    /// For people alone.
    pub fn say(self, line: &str) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { write(line) }
    }
}

/// A line, or several, on stdout.
pub fn write(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n')).context("stdout")
}

/// With its rate and how long it will go on; drawn on a terminal alone.
pub fn bytes_bar(total: Option<u64>) -> anyhow::Result<ProgressBar> {
    let template = match total {
        Some(_) => "[{bar:30}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {msg}",
        None => "{spinner} {bytes}  {bytes_per_sec}  {elapsed}  {msg}",
    };
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    Ok(bar.with_style(bar_style(template)?))
}

pub fn bar_style(template: &str) -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template(template).context("the bar's template")?.progress_chars("=> "))
}

/// Columns that stand below each other.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<_> = header.iter().map(|name| style(name).dim().to_string()).collect();
    let lines: Vec<_> = std::iter::once(&head).chain(rows).collect();
    let width = |place: usize| {
        lines.iter().map(|line: &&Vec<String>| measure_text_width(&line[place])).max()
    };
    let widths: Vec<_> = (0..header.len()).map(|place| width(place).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths);
        let cells: Vec<_> =
            cells.map(|(cell, w)| pad_str(cell, *w, Alignment::Left, None)).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The items of a list as a table, or what to do where there are none.
pub fn list(
    answer: &Value,
    header: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
    none: &str,
) -> String {
    let rows: Vec<_> = items(answer, "/items").iter().map(row).collect();
    if rows.is_empty() {
        return none.to_owned();
    }
    let more =
        if answer["next"].is_string() { "there are more; --limit shows up to 200\n" } else { "" };
    table(header, &rows) + more
}

/// A job's or a version's state, in its colour where there are colours.
pub fn state(state: &str) -> String {
    let shown: StyledObject<&str> = style(state);
    match state {
        "succeeded" | "ready" | "published" => shown.green(),
        "failed" | "invalid" | "yanked" => shown.red(),
        "cancelled" | "deprecated" | "paused" => shown.yellow(),
        "running" | "starting" => shown.cyan(),
        _ => shown,
    }
    .to_string()
}

pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// As one reads it in a table: words without quotes, nothing for null, few decimals.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => decimal(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

/// Four significant digits or so.
pub fn decimal(number: f64) -> String {
    match number.abs() {
        large if large >= 1e6 || (large > 0.0 && large < 1e-4) => format!("{number:.3e}"),
        large if large >= 1_000.0 => format!("{number:.1}"),
        _ => {
            let text = format!("{number:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

pub fn bytes(value: &Value) -> String {
    value.as_u64().map_or_else(String::new, |bytes| HumanBytes(bytes).to_string())
}

/// To the minute, in UTC.
pub fn minute(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.get(..16).unwrap_or(text).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [
            ["a".to_owned(), "1".to_owned()].to_vec(),
            ["long".to_owned(), String::new()].to_vec(),
        ];
        assert_eq!(table(&["name", "n"], &rows), "name  n\na     1\nlong\n");
        let none = json!({"items": []});
        assert_eq!(list(&none, &["name"], |_| Vec::new(), "nothing yet"), "nothing yet");
    }

    #[test]
    fn numbers_have_as_many_digits_as_say_something() {
        let shown = [0.0, 0.25, 0.123_456, 12.0, 1_234.56, 2.5e9, 1.5e-5].map(decimal);
        assert_eq!(shown, ["0", "0.25", "0.1235", "12", "1234.6", "2.500e9", "1.500e-5"]);
        assert_eq!(minute(&json!("2026-01-02T03:04:05Z")), "2026-01-02 03:04");
    }
}

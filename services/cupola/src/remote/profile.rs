//! A dataset's profile as people read it: what each column holds, and what to look at first.

use serde_json::Value;

use super::show::{bytes, decimal, items, plain, table, text};

const MOST_COLUMNS: usize = 40;
const MOST_VALUES: usize = 4;
const MOST_VALUE_CHARS: usize = 16;

pub fn describe(version: &Value) -> String {
    let (name, number) = (text(version, "/dataset"), &version["version"]);
    let columns = items(version, "/profile/columns");
    let mut said = format!(
        "{name}:{number}  {} rows, {} columns, {}\n",
        version["profile"]["rows"],
        columns.len(),
        bytes(&version["bytes"])
    );
    let rows = version["profile"]["rows"].as_u64().unwrap_or(0);
    let shown = columns.iter().take(MOST_COLUMNS).map(|column| row(column, rows));
    said += &table(&["column", "type", "missing", "distinct", ""], &shown.collect::<Vec<_>>());
    if columns.len() > MOST_COLUMNS {
        said += &format!("and {} more; --json has all\n", columns.len() - MOST_COLUMNS);
    }
    for warning in items(version, "/profile/warnings").iter().filter_map(Value::as_str) {
        said += &format!("note: {warning}\n");
    }
    said
}

fn row(column: &Value, rows: u64) -> Vec<String> {
    let distinct = plain(&column["distinct"]);
    let exact = column["distinct_is_exact"] == true;
    vec![
        text(column, "/name").to_owned(),
        text(column, "/type").to_owned(),
        share(column["missing"].as_u64().unwrap_or(0), rows),
        if exact { distinct } else { format!("over {distinct}") },
        holds(column, rows),
    ]
}

/// Nothing where nothing is missing.
fn share(part: u64, rows: u64) -> String {
    match (part, rows) {
        (0, _) | (_, 0) => String::new(),
        (part, rows) => format!("{:.1} %", 100.0 * part as f64 / rows as f64),
    }
}

/// From where to where numbers go, how long text is, and the most frequent of other values.
fn holds(column: &Value, rows: u64) -> String {
    let number = |name: &str| column[name].as_f64().map(decimal);
    let is_numeric = ["integer", "float"].contains(&text(column, "/type"));
    if let (true, Some(min), Some(mean), Some(max)) =
        (is_numeric, number("min"), number("mean"), number("max"))
    {
        return format!("{min} to {max}, mean {mean}");
    }
    if let Some(mean) = column["chars"]["mean"].as_f64() {
        return format!(
            "{} characters on average, at most {}",
            decimal(mean),
            column["chars"]["max"]
        );
    }
    let values = items(column, "/values");
    let shown = values.iter().take(MOST_VALUES).map(|value| {
        let word: String = text(value, "/value").chars().take(MOST_VALUE_CHARS).collect();
        format!("{word} {}", share(value["rows"].as_u64().unwrap_or(0), rows))
    });
    let mut shown: Vec<_> = shown.collect();
    if values.len() > MOST_VALUES {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_says_what_the_columns_hold() {
        let columns = json!([
            {"name": "age", "type": "integer", "missing": 5, "distinct": 9, "distinct_is_exact": true,
             "min": 1.0, "mean": 4.5, "max": 9.0},
            {"name": "left", "type": "boolean", "missing": 0, "distinct": 2, "distinct_is_exact": true,
             "values": [{"value": "yes", "rows": 75}, {"value": "no", "rows": 25}]},
        ]);
        let version = json!({"dataset": "people", "version": 2, "bytes": 2048, "profile": {
            "state": "ready", "rows": 100, "columns": columns, "warnings": ["look here"]}});
        let said = describe(&version);
        for part in [
            "people:2  100 rows, 2 columns, 2.00 KiB",
            "5.0 %",
            "1 to 9, mean 4.5",
            "yes 75.0 %, no 25.0 %",
            "note: look here",
        ] {
            assert!(said.contains(part), "{part} is missing from {said}");
        }
    }
}

//! Rows of a CSV file as a model is asked about them, and its answers as columns beside them.

use std::collections::BTreeSet;

use csv::StringRecord;
use serde_json::{Map, Value, json};

use super::show::{items, text};

/// Which columns hold numbers: a cell of another one stays as it is written, `007` too.
pub enum Numbers {
    /// These alone.
    Of(BTreeSet<String>),
    /// All but these, where they can be read as numbers.
    But(BTreeSet<String>),
}

impl Numbers {
    /// By what the version's specification says of its input.
    pub fn of(version: &Value) -> Self {
        let input = &version["spec"]["input"];
        let named = |fields: &[&str]| {
            fields.iter().filter_map(|field| input[field].as_str()).map(str::to_owned).collect()
        };
        match text(input, "/type") {
            "table" => {
                let numeric = items(input, "/features").iter().filter(|f| f["kind"] == "numeric");
                Self::Of(numeric.map(|feature| text(feature, "/name").to_owned()).collect())
            }
            "text" | "images" => Self::Of(BTreeSet::new()),
            "corpus" => Self::But(["prompt".to_owned()].into()),
            _ => Self::But(named(&["time", "series", "user", "item"])),
        }
    }

    fn holds(&self, column: &str) -> bool {
        match self {
            Self::Of(columns) => columns.contains(column),
            Self::But(columns) => !columns.contains(column),
        }
    }
}

/// A row by its columns. What is no number where one should be goes as it is: the platform knows what
/// is missing, and says what is wrong.
pub fn row(header: &StringRecord, record: &StringRecord, numbers: &Numbers) -> Value {
    let cells = header.iter().zip(record).map(|(column, cell)| {
        let cell = cell.trim();
        let number = || cell.parse::<f64>().ok().filter(|number| number.is_finite());
        let value = match numbers.holds(column) {
            _ if is_missing(cell) => Value::Null,
            true => number().map_or_else(|| json!(cell), |number| json!(number)),
            false => json!(cell),
        };
        (column.to_owned(), value)
    });
    Value::Object(cells.collect::<Map<_, _>>())
}

/// As in a dataset (docs/API.md).
fn is_missing(cell: &str) -> bool {
    ["", "NA", "N/A", "NaN", "nan", "null", "None", "?"].contains(&cell)
}

/// What an answer adds to its row: the names of the columns.
pub fn answer_header(prediction: &Value) -> &'static [&'static str] {
    match prediction {
        p if p["class"].is_string() => &["prediction", "probability"],
        p if p["times"].is_array() => &["series", "time", "prediction"],
        _ => &["prediction"],
    }
}

/// The cells for them; of a forecast, which answers a series and no row, a line for each step.
pub fn answer_lines(prediction: &Value) -> Vec<Vec<String>> {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Some(class) = prediction["class"].as_str() {
        let probability = match prediction["top"].as_array() {
            Some(top) => top.first().map_or(&Value::Null, |first| &first["probability"]),
            None => &prediction["probabilities"][class],
        };
        return vec![vec![class.to_owned(), cell(probability)]];
    }
    if let (Some(times), Some(values)) =
        (prediction["times"].as_array(), prediction["values"].as_array())
    {
        let steps = times.iter().zip(values);
        let series = cell(&prediction["series"]);
        return steps.map(|(time, value)| vec![series.clone(), cell(time), cell(value)]).collect();
    }
    let value = ["value", "text", "items"].iter().map(|name| &prediction[*name]);
    vec![vec![value.filter(|value| !value.is_null()).map(cell).next().unwrap_or_default()]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cells: &[&str]) -> StringRecord {
        cells.iter().collect::<Vec<_>>().into()
    }

    #[test]
    fn cells_are_numbers_where_the_model_reads_numbers() {
        let features =
            json!([{"name": "age", "kind": "numeric"}, {"name": "zip", "kind": "categorical"}]);
        let version = json!({"spec": {"input": {"type": "table", "features": features}}});
        let header = record(&["age", "zip", "note"]);
        let read = |cells: &[&str]| row(&header, &record(cells), &Numbers::of(&version));
        assert_eq!(read(&["41", "007", "12"]), json!({"age": 41.0, "zip": "007", "note": "12"}));
        assert_eq!(read(&["NA", " ", "?"]), json!({"age": null, "zip": null, "note": null}));
        assert_eq!(read(&["old", "1", "x"])["age"], json!("old"));
        let series = json!({"spec": {"input": {"type": "series", "time": "zip"}}});
        let read = row(&header, &record(&["41", "2024", "x"]), &Numbers::of(&series));
        assert_eq!(read, json!({"age": 41.0, "zip": "2024", "note": "x"}));
    }

    #[test]
    fn every_kind_of_answer_has_its_columns() {
        for (prediction, header, lines) in [
            (
                json!({"class": "a", "probabilities": {"a": 0.75, "b": 0.25}}),
                2,
                vec![vec!["a", "0.75"]],
            ),
            (
                json!({"class": "a", "top": [{"class": "a", "probability": 0.5}]}),
                2,
                vec![vec!["a", "0.5"]],
            ),
            (json!({"value": 2.5}), 1, vec![vec!["2.5"]]),
            (json!({"text": "so", "tokens": 1}), 1, vec![vec!["so"]]),
            (
                json!({"series": null, "times": ["1", "2"], "values": [3.0, 4.5]}),
                3,
                vec![vec!["", "1", "3.0"], vec!["", "2", "4.5"]],
            ),
        ] {
            assert_eq!(answer_header(&prediction).len(), header);
            assert_eq!(answer_lines(&prediction), lines, "{prediction}");
        }
    }
}

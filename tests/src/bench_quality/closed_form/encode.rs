//! A simple CSV file, and its columns as the numbers that a model's config makes of them.

use std::{fs, io::Read, path::Path};

use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;

/// What the platform reads as a missing value.
const MISSING: [&str; 7] = ["", "NA", "N/A", "NaN", "null", "None", "?"];

/// Cells without quotes, as those of the files that linear models are compared on.
pub struct Table {
    text: String,
}

/// Rows of inputs, the last one always 1: what the bias is multiplied with.
pub struct Matrix {
    pub width: usize,
    values: Vec<f64>,
}

impl Matrix {
    pub fn new(width: usize, values: Vec<f64>) -> Self {
        Self { width, values }
    }

    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }
}

impl Table {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let mut text = String::new();
        if path.extension().is_some_and(|extension| extension == "gz") {
            GzDecoder::new(&bytes[..]).read_to_string(&mut text).context("unpack the data")?;
        } else {
            text = String::from_utf8(bytes).context("the data is not UTF-8")?;
        }
        ensure!(!text.contains('"'), "this reader knows no quotes");
        Ok(Self { text })
    }

    /// The cells of a column, without those of blank lines.
    pub fn column(&self, name: &str) -> anyhow::Result<Vec<&str>> {
        let mut lines = self.text.lines().filter(|line| !line.is_empty());
        let mut header = lines.next().unwrap_or_default().split(',');
        let place = header.position(|column| column == name);
        let place = place.with_context(|| format!("the data has no column `{name}`"))?;
        let cell = |line| str::split(line, ',').nth(place).context("a row is too short");
        lines.map(cell).collect()
    }
}

pub fn inputs(table: &Table, columns: &Value) -> anyhow::Result<Matrix> {
    let columns = columns.as_array().context("config.json has no input columns")?;
    let mut encoded = vec![];
    for column in columns {
        let name = column["name"].as_str().context("a column without a name")?;
        let cells = table.column(name)?;
        encode(column, &cells, &mut encoded).with_context(|| format!("column `{name}`"))?;
    }
    let rows = encoded.first().map_or(0, Vec::len);
    encoded.push(vec![1.0; rows]);
    let values = (0..rows).flat_map(|row| encoded.iter().map(move |column| column[row])).collect();
    Ok(Matrix::new(encoded.len(), values))
}

fn encode(column: &Value, cells: &[&str], into: &mut Vec<Vec<f64>>) -> anyhow::Result<()> {
    match column["transform"].as_str() {
        Some("scale") => scale(column, cells, into),
        Some("one_hot") => one_hot(column, cells, into),
        other => bail!("the closed form does not know the transform {other:?}"),
    }
}

fn scale(column: &Value, cells: &[&str], into: &mut Vec<Vec<f64>>) -> anyhow::Result<()> {
    let number = |field: &str| column[field].as_f64().with_context(|| format!("no {field}"));
    let (fill, center, scale) = (number("fill")?, number("center")?, number("scale")?);
    let encode = |cell: &&str| {
        let value = if MISSING.contains(cell) { fill } else { cell.parse()? };
        Ok((value - center) / scale)
    };
    into.push(cells.iter().map(encode).collect::<anyhow::Result<_>>()?);
    if column["indicator"] == true {
        let missing = |cell: &&str| f64::from(u8::from(MISSING.contains(cell)));
        into.push(cells.iter().map(missing).collect());
    }
    Ok(())
}

fn one_hot(column: &Value, cells: &[&str], into: &mut Vec<Vec<f64>>) -> anyhow::Result<()> {
    let categories = column["categories"].as_array().context("no categories")?;
    let categories: Vec<&str> = categories.iter().filter_map(Value::as_str).collect();
    let fill = column["fill"].as_str();
    let cells: Vec<Option<&str>> =
        cells.iter().map(|cell| if MISSING.contains(cell) { fill } else { Some(*cell) }).collect();
    for category in &categories {
        into.push(cells.iter().map(|cell| f64::from(u8::from(*cell == Some(category)))).collect());
    }
    if column["infrequent"] == true {
        let rare = |cell: &Option<&str>| cell.is_some_and(|cell| !categories.contains(&cell));
        into.push(cells.iter().map(|cell| f64::from(u8::from(rare(cell)))).collect());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_become_the_numbers_that_the_config_says() {
        let table = Table { text: "a,b\n3,x\n,y\n5,z\n7,?\n".to_owned() };
        let columns = json!([
            {"transform": "scale", "name": "a", "fill": 5.0, "center": 5.0, "scale": 2.0,
                "indicator": true},
            {"transform": "one_hot", "name": "b", "categories": ["x", "y"], "infrequent": true,
                "fill": "x"},
        ]);
        let matrix = inputs(&table, &columns).unwrap();
        let rows: Vec<_> = matrix.rows().collect();
        assert_eq!(rows[0], [-1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(rows[1], [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(rows[2], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(rows[3], [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        let table = Table { text: "a\n1\n".to_owned() };
        assert!(inputs(&table, &json!([{"transform": "hash", "name": "a"}])).is_err());
        assert!(inputs(&table, &json!([{"transform": "scale", "name": "b"}])).is_err());
    }
}

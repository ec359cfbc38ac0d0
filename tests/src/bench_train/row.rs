//! One row of the table: a model, data for it, and how many times as fast as its peers it is asked to
//! learn.

use std::path::Path;

use anyhow::{Context, ensure};
use e2e::bench;
use serde::Deserialize;
use serde_json::Value;

use crate::data::Made;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its file's; the peers know the model by it.
    #[serde(skip)]
    pub name: String,
    pub note: String,
    /// Of the faster peer's rate.
    pub asked: f64,
    pub data: Made,
    /// Of an epoch, so that it takes a second or some.
    pub rows: usize,
    pub peer_rows: usize,
    /// As it would be submitted; without `dataset`.
    pub spec: Value,
}

impl Row {
    pub fn epochs(&self) -> u64 {
        self.spec["epochs"].as_u64().unwrap_or(0)
    }
}

pub fn load(folder: &Path) -> anyhow::Result<Vec<Row>> {
    let named = |(name, row): (String, Row)| {
        ensure!(row.epochs() > 1, "{name}: the first epoch is not counted, so there must be more");
        row.spec["batch_size"].as_u64().with_context(|| format!("{name}: no batch_size"))?;
        Ok(Row { name, ..row })
    };
    bench::load(folder)?.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use domain::spec::TrainingDraft;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_row_is_a_specification_that_holds_nothing_back() {
        let rows = load(Path::new(crate::ROWS)).unwrap();
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["bilstm", "cnn", "decoder", "encoder", "mlp"]);
        for row in rows {
            let mut spec = row.spec.clone();
            spec["dataset"] = json!("local");
            let draft: Result<TrainingDraft, _> = serde_json::from_value(spec);
            assert!(draft.is_ok(), "{}: {draft:?}", row.name);
            assert_eq!(row.spec["validation"]["split"], 0, "{}", row.name);
            assert_eq!(row.spec["seed"], 42, "{}", row.name);
        }
    }
}

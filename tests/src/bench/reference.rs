//! The reference models, that are the same networks here and in the peers: a specification and
//! made-up data for it.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{made::Made, rows};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/train");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Its file's; the peers know the model by it.
    #[serde(skip)]
    pub name: String,
    pub note: String,
    /// Of the faster peer's rate.
    pub asked: f64,
    /// Of the matrix products, convolutions and scores of one row on its way forward.
    pub multiply_adds: f64,
    pub data: Made,
    /// Of an epoch, so that it takes a second or some.
    pub rows: usize,
    pub peer_rows: usize,
    /// As it would be submitted; without `dataset`.
    pub spec: Value,
}

impl Reference {
    /// Multiplications and additions that training on one row takes: there, and back twice, by the
    /// inputs and by the weights.
    pub fn operations(&self) -> f64 {
        6.0 * self.multiply_adds
    }

    pub fn epochs(&self) -> u64 {
        self.spec["epochs"].as_u64().unwrap_or(0)
    }
}

/// All of them by their names.
pub fn references() -> anyhow::Result<Vec<Reference>> {
    let named = |(name, row): (String, Reference)| {
        ensure!(row.epochs() > 1, "{name}: the first epoch is not counted, so there must be more");
        row.spec["batch_size"].as_u64().with_context(|| format!("{name}: no batch_size"))?;
        Ok(Reference { name, ..row })
    };
    rows::load(Path::new(FOLDER))?.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use domain::spec::TrainingDraft;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_row_is_a_specification_that_holds_nothing_back() {
        let rows = references().unwrap();
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

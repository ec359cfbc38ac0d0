//! How far a linear model is from the best one of its kind, which is computed here in double precision
//! from the same rows, encoded as the finished model's config says.

mod encode;
mod solve;

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::row::ClosedForm;
use encode::{Matrix, Table};

/// The largest difference between a prediction of the trained model and one of the best model, over
/// all rows: in units of the target's standard deviation, or in probability.
pub fn difference(
    kind: ClosedForm,
    config: &Value,
    data: &Path,
    out: &Path,
) -> anyhow::Result<f64> {
    let split = config["spec"]["validation_split"].as_f64();
    ensure!(split == Some(0.0), "a closed form needs a validation split of 0");
    ensure!(config["layers"].as_array().is_some_and(|l| l.len() == 1), "it is not one layer");
    let table = Table::read(data)?;
    let inputs = encode::inputs(&table, &config["input"]["columns"])?;
    let trained = weights(config, &out.join("model.safetensors"))?;
    ensure!(trained.len() == inputs.width, "the model has other inputs than its config");
    let target = config["target"].as_str().context("config.json names no target")?;
    let cells = table.column(target)?;
    let (best, answer): (_, fn(f64) -> f64) = match kind {
        ClosedForm::LeastSquares => {
            let targets = numbers(&cells, config)?;
            (solve::least_squares(&inputs, &targets)?, |z| z)
        }
        ClosedForm::Logistic => {
            let positive = config["classes"][1].as_str().context("it has no two classes")?;
            let targets: Vec<f64> =
                cells.iter().map(|&cell| f64::from(u8::from(cell == positive))).collect();
            let l2 = config["spec"]["regularization"]["l2"].as_f64().unwrap_or(0.0);
            (solve::logistic(&inputs, &targets, l2)?, solve::sigmoid)
        }
    };
    let difference = |row: &[f64]| (answer(dot(row, &trained)) - answer(dot(row, &best))).abs();
    Ok(inputs.rows().map(difference).fold(0.0, f64::max))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The target as the model learned it: standardised.
fn numbers(cells: &[&str], config: &Value) -> anyhow::Result<Vec<f64>> {
    let center = config["target_center"].as_f64().context("config.json has no target_center")?;
    let scale = config["target_scale"].as_f64().context("config.json has no target_scale")?;
    let standard = |cell: &&str| {
        let value: f64 = cell.parse().with_context(|| format!("the target `{cell}`"))?;
        Ok((value - center) / scale)
    };
    cells.iter().map(standard).collect()
}

/// The one layer's kernel, then its bias, as the file holds them (safetensors: the length of the
/// header, the header in JSON, then the numbers).
fn weights(config: &Value, file: &Path) -> anyhow::Result<Vec<f64>> {
    let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let (length, rest) = bytes.split_first_chunk::<8>().context("the weights are cut off")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    let (header, data) = rest.split_at_checked(length).context("the weights are cut off")?;
    let header: Value = serde_json::from_slice(header).context("the weights' header")?;
    let mut weights = vec![];
    for part in ["kernel", "bias"] {
        let tensors = config["tensors"].as_array().context("config.json has no tensors")?;
        let named = |tensor: &&Value| tensor["name"].as_str().is_some_and(|n| n.ends_with(part));
        let tensor = tensors.iter().find(named).with_context(|| format!("no tensor {part}"))?;
        let entry = &header[tensor["name"].as_str().unwrap_or_default()];
        ensure!(entry["dtype"] == "F32", "{part} is not of single precision");
        let offset = |i: usize| entry["data_offsets"][i].as_u64().map(|offset| offset as usize);
        let range = offset(0).zip(offset(1)).and_then(|(from, to)| data.get(from..to));
        let bytes = range.with_context(|| format!("{part} lies outside of the file"))?;
        let numbers = bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b)));
        weights.extend(numbers);
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Weights 2 and 0.5 and the bias -1 as the engine writes them.
    fn safetensors() -> Vec<u8> {
        let header = json!({
            "layers.0.kernel": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
            "layers.0.bias": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]},
        })
        .to_string();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        [2.0_f32, 0.5, -1.0].iter().for_each(|w| bytes.extend_from_slice(&w.to_le_bytes()));
        bytes
    }

    fn config() -> Value {
        let scale = |name| {
            let transform = "scale";
            json!({"transform": transform, "name": name, "fill": 0.0, "center": 0.0, "scale": 1.0})
        };
        json!({
            "target": "t", "target_center": 0.0, "target_scale": 1.0, "classes": [],
            "layers": [{"type": "Dense", "units": 1}],
            "input": {"type": "table", "columns": [scale("x"), scale("y")]},
            "tensors": [{"name": "layers.0.kernel", "shape": [2, 1]},
                {"name": "layers.0.bias", "shape": [1]}],
            "spec": {"validation_split": 0.0},
        })
    }

    #[test]
    fn the_best_model_is_no_way_from_itself_and_another_one_some() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data.csv");
        fs::write(folder.path().join("model.safetensors"), safetensors()).unwrap();
        let difference = |csv: &str| {
            fs::write(&data, csv).unwrap();
            difference(ClosedForm::LeastSquares, &config(), &data, folder.path()).unwrap()
        };
        // t = 2 x + y / 2 - 1
        let exact = difference("x,y,t\n0,0,-1\n1,0,1\n0,2,0\n1,2,2\n3,1,5.5\n");
        assert!(exact < 1e-6, "{exact}");
        // half more everywhere
        let shifted = difference("x,y,t\n0,0,-0.5\n1,0,1.5\n0,2,0.5\n1,2,2.5\n3,1,6\n");
        assert!((shifted - 0.5).abs() < 1e-6, "{shifted}");
    }
}

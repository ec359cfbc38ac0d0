//! One training run as a process of its own: what it reached, how long it took, and how much memory
//! it held at most.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use e2e::bench::{self, Training};
use serde_json::Value;

use crate::{closed_form, row::Row};

pub struct Measured {
    pub metrics: BTreeMap<String, f64>,
    pub seconds: f64,
    /// Where the system tells.
    pub peak_bytes: Option<u64>,
    pub estimate: Option<Estimate>,
}

/// What `cupola train` thought before it began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub seconds: f64,
    pub mebibytes: f64,
}

pub fn train(row: &Row, binary: &Path, data: &Path) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let folder = folder.path();
    let file = row.data.place(data, folder)?;
    let test = row.test.as_ref().map(|test| data.join(test));
    let training = Training { binary, spec: &row.spec, data: &file, test: test.as_deref(), folder };
    let ran = training.run(&mut |line| eprintln!("    {line}"))?;
    let config = training.config()?;
    let mut metrics = metrics(&config)?;
    if let Some(kind) = row.closed_form {
        let difference = closed_form::difference(kind, &config, &file, &folder.join("out"))?;
        metrics.insert("max_difference_from_closed_form".to_owned(), difference);
    }
    let estimate = ran.lines.iter().find_map(|line| estimate(line));
    Ok(Measured { metrics, seconds: ran.seconds, peak_bytes: ran.peak_bytes, estimate })
}

/// Of the finished model; the number of its parameters too.
fn metrics(config: &Value) -> anyhow::Result<BTreeMap<String, f64>> {
    let metrics = config["metrics"].as_object().context("config.json has no metrics")?;
    let number = |(name, value): (&String, &Value)| Some((name.clone(), value.as_f64()?));
    let mut metrics: BTreeMap<_, _> = metrics.iter().filter_map(number).collect();
    metrics.insert("parameters".to_owned(), bench::parameters(config)? as f64);
    Ok(metrics)
}

/// `estimate: 12.5 s, 340 MiB`
fn estimate(line: &str) -> Option<Estimate> {
    let (seconds, mebibytes) = line.trim().strip_prefix("estimate:")?.split_once(',')?;
    let number = |text: &str, unit: &str| text.trim().strip_suffix(unit)?.trim().parse().ok();
    Some(Estimate { seconds: number(seconds, "s")?, mebibytes: number(mebibytes, "MiB")? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_estimate_is_read_where_there_is_one() {
        let found = estimate("estimate: 12.5 s, 340 MiB");
        assert_eq!(found, Some(Estimate { seconds: 12.5, mebibytes: 340.0 }));
        assert_eq!(estimate("estimate: soon"), None);
        assert_eq!(estimate("epoch 1"), None);
    }

    #[test]
    fn parameters_are_counted() {
        let config = json!({"metrics": {"loss": 0.5, "odd": null},
            "tensors": [{"name": "a", "shape": [3, 4]}, {"name": "b", "shape": [4]}]});
        let found = metrics(&config).unwrap();
        assert_eq!(found, [("loss".to_owned(), 0.5), ("parameters".to_owned(), 16.0)].into());
    }
}

//! The table of what was reached and what is asked.

use e2e::bench::{MEBIBYTE, aligned};

use crate::{child::Measured, row::Row};

const HEADER: [&str; 9] =
    ["row", "metric", "reached", "asked", "ok", "seed", "seconds", "peak MiB", "estimated"];

pub struct Result<'a> {
    pub row: &'a Row,
    pub outcome: std::result::Result<Measured, String>,
}

impl<'a> Result<'a> {
    pub fn name(&self) -> &'a str {
        &self.row.name
    }

    pub fn ok(&self) -> bool {
        let Ok(measured) = &self.outcome else { return false };
        self.row.asked.iter().all(|asked| asked.reached(&measured.metrics) != Some(false))
    }

    fn lines(&self) -> Vec<[String; 9]> {
        let seed = self.row.seed().map_or_else(String::new, |seed| seed.to_string());
        let measured = match &self.outcome {
            Ok(measured) => measured,
            Err(_) => {
                let [name, failed] = [self.name(), "did not finish"].map(str::to_owned);
                let empty = String::new;
                let ok = "NO".to_owned();
                return vec![[name, failed, empty(), empty(), ok, seed, empty(), empty(), empty()]];
            }
        };
        let line = |(i, asked): (usize, &crate::row::Asked)| {
            let of_run = if i == 0 { of_run(self.name(), &seed, measured) } else { <_>::default() };
            let [name, seed, seconds, peak, estimated] = of_run;
            let reached = measured.metrics.get(&asked.metric).copied();
            [
                name,
                asked.metric.clone(),
                reached.map_or_else(|| "missing".to_owned(), number),
                asked.describe(&measured.metrics),
                match asked.reached(&measured.metrics) {
                    Some(true) => "yes".to_owned(),
                    Some(false) => "NO".to_owned(),
                    None => "-".to_owned(),
                },
                seed,
                seconds,
                peak,
                estimated,
            ]
        };
        self.row.asked.iter().enumerate().map(line).collect()
    }
}

/// What is said once a row: name, seed, seconds, peak, estimate over what it was.
fn of_run(name: &str, seed: &str, measured: &Measured) -> [String; 5] {
    let peak = measured.peak_bytes.map(|bytes| bytes as f64 / MEBIBYTE);
    let estimated = measured.estimate.map_or_else(
        || "-".to_owned(),
        |estimate| {
            let time =
                format!("{:.0} s ({:.2}x)", estimate.seconds, estimate.seconds / measured.seconds);
            let memory = match peak {
                Some(peak) => {
                    format!("{:.0} MiB ({:.2}x)", estimate.mebibytes, estimate.mebibytes / peak)
                }
                None => format!("{:.0} MiB", estimate.mebibytes),
            };
            format!("{time}, {memory}")
        },
    );
    [
        name.to_owned(),
        seed.to_owned(),
        format!("{:.1}", measured.seconds),
        peak.map_or_else(|| "-".to_owned(), |peak| format!("{peak:.0}")),
        estimated,
    ]
}

/// Counts as they are, what is very small by its power of ten.
fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 {
        format!("{value:.2e}")
    } else if value.fract() == 0.0 && value.abs() >= 10.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.4}")
    }
}

pub fn table(results: &[Result<'_>]) -> String {
    let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
    lines.extend(results.iter().flat_map(Result::lines).map(Vec::from));
    aligned(&lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::child::Estimate;

    fn row() -> Row {
        let json = json!({"name": "a-row", "data": "x.csv", "note": "",
            "asked": [{"metric": "val_accuracy", "above": 0.876}, {"metric": "test_accuracy"}],
            "spec": {"seed": 42}});
        serde_json::from_value(json).unwrap()
    }

    fn measured(accuracy: f64) -> Measured {
        Measured {
            metrics: [("val_accuracy".to_owned(), accuracy)].into(),
            seconds: 10.0,
            peak_bytes: Some(100 << 20),
            estimate: Some(Estimate { seconds: 12.0, mebibytes: 90.0 }),
        }
    }

    #[test]
    fn what_was_reached_stands_beside_what_is_asked() {
        let row = row();
        let result = Result { row: &row, outcome: Ok(measured(0.9)) };
        assert!(result.ok());
        let table = table(&[result]);
        let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(
            lines[1].join(" "),
            "a-row val_accuracy 0.9000 > 0.876 yes 42 10.0 100 12 s (1.20x), 90 MiB (0.90x)"
        );
        assert_eq!(lines[2].join(" "), "test_accuracy missing - -");
    }

    #[test]
    fn a_row_fails_below_its_bound_or_without_an_end() {
        let row = row();
        assert!(!Result { row: &row, outcome: Ok(measured(0.876)) }.ok());
        let failed = Result { row: &row, outcome: Err("out of memory".into()) };
        assert!(!failed.ok());
        assert!(table(&[failed]).contains("did not finish"));
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.87654, 0.000_012, 998_432.0, 0.0].map(number);
        assert_eq!(shown, ["0.8765", "1.20e-5", "998432", "0.0000"]);
    }
}

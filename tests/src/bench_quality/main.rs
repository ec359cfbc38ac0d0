//! Whether models come out as good as asked: trains each row of `bench/quality` on the real data with
//! `cupola train`, one after another, and prints what was reached beside what is asked.
//!
//! `bench-quality [NAME…]` runs the rows whose names contain one of the words, or all. It ends with 1
//! if a row misses what is asked and with 2 if something is missing that it needs.

mod child;
mod closed_form;
mod report;
mod row;

use std::{path::Path, process::ExitCode};

use anyhow::bail;
use e2e::bench::{self, Options};

use report::Result;
use row::Row;

const ROWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/quality");

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-quality: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether every row reached what is asked of it.
fn run() -> anyhow::Result<bool> {
    let options = Options::read()?;
    let mut rows = row::load(Path::new(ROWS))?;
    rows.retain(|row| options.selects(&row.name));
    if rows.is_empty() {
        bail!("no row of {ROWS} is named like {}", options.filters.join(" or "));
    }
    let binary = bench::binary()?;
    let data = bench::data_folder(rows.iter().flat_map(Row::files))?;
    let mut results: Vec<Result> = vec![];
    for (i, row) in rows.iter().enumerate() {
        eprintln!("[{}/{}] {}: {}", i + 1, rows.len(), row.name, row.note);
        let outcome = child::train(row, &binary, &data);
        if let Err(error) = &outcome {
            eprintln!("{}: {error:#}", row.name);
        }
        results.push(Result { row, outcome: outcome.map_err(|error| format!("{error:#}")) });
    }
    print!("{}", report::table(&results));
    let failed: Vec<_> = results.iter().filter(|result| !result.ok()).map(Result::name).collect();
    match failed.len() {
        0 => println!("\nall {} rows reach what is asked", results.len()),
        n => println!("\n{n} of {} rows fail: {}", results.len(), failed.join(", ")),
    }
    Ok(failed.is_empty())
}

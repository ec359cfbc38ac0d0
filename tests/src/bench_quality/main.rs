//! Whether models come out as good as asked: trains each row of `bench/quality` on the real data with
//! `cupola train`, one after another, and prints what was reached beside what is asked.
//!
//! `bench-quality [NAME…]` runs the rows whose names contain one of the words, or all. It ends with 1
//! if a row misses what is asked and with 2 if something is missing that it needs.

mod child;
mod closed_form;
mod report;
mod row;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};

use report::Result;
use row::Row;

/// Names the folder of the data sets.
const DATA_VARIABLE: &str = "CUPOLA_DATA";
/// Names the binary where it is not in the build folder.
const BINARY_VARIABLE: &str = "CUPOLA_BIN";
const ROWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/quality");

fn main() -> ExitCode {
    let filters: Vec<String> = env::args().skip(1).collect();
    match run(&filters) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-quality: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether every row reached what is asked of it.
fn run(filters: &[String]) -> anyhow::Result<bool> {
    let mut rows = row::load(Path::new(ROWS))?;
    if !filters.is_empty() {
        rows.retain(|row| filters.iter().any(|word| row.name.contains(word)));
    }
    if rows.is_empty() {
        bail!("no row of {ROWS} is named like {}", filters.join(" or "));
    }
    let binary = binary()?;
    let data = data(&rows)?;
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

fn binary() -> anyhow::Result<PathBuf> {
    let path = match (env::var_os(BINARY_VARIABLE), env::var_os("CARGO_TARGET_DIR")) {
        (Some(path), _) => PathBuf::from(path),
        (None, Some(target)) => Path::new(&target).join("release/cupola"),
        (None, None) => bail!("{BINARY_VARIABLE} must name the binary `cupola`, built in release"),
    };
    if !path.exists() {
        bail!(
            "there is no {}; run `make build`, or name it with {BINARY_VARIABLE}",
            path.display()
        );
    }
    std::path::absolute(&path).with_context(|| format!("{}", path.display()))
}

/// The folder of the data, which holds every file that the rows name.
fn data(rows: &[Row]) -> anyhow::Result<PathBuf> {
    let mut files: Vec<_> = rows.iter().flat_map(Row::files).collect();
    files.sort_unstable();
    files.dedup();
    let folder = env::var_os(DATA_VARIABLE).filter(|folder| !folder.is_empty());
    let Some(folder) = folder.map(PathBuf::from) else {
        bail!("{DATA_VARIABLE} is not set; it names the folder with {}", files.join(", "));
    };
    files.retain(|file| !folder.join(file).exists());
    if !files.is_empty() {
        bail!("{DATA_VARIABLE}={} lacks {}", folder.display(), files.join(", "));
    }
    std::path::absolute(&folder).with_context(|| format!("{}", folder.display()))
}

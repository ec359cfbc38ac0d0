//! What a benchmark is told from outside, and what it needs from there.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Names the folder of the data sets.
const DATA_VARIABLE: &str = "CUPOLA_DATA";
/// Names the binary where it is not in the build folder.
const BINARY_VARIABLE: &str = "CUPOLA_BIN";

/// How to measure. The words of the command line are parts of rows' names.
pub struct Options {
    pub filters: Vec<String>,
    /// `REPETITIONS`
    pub repetitions: Option<usize>,
    /// `ANYWAY`: on a busy machine too.
    pub anyway: bool,
    /// `FRESH`: try the peers' settings again.
    pub fresh: bool,
}

impl Options {
    pub fn read() -> anyhow::Result<Self> {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let repetitions = match env::var("REPETITIONS").ok().filter(|text| !text.is_empty()) {
            Some(text) => Some(text.parse().context("REPETITIONS must be a number")?),
            None => None,
        };
        if repetitions == Some(0) {
            bail!("REPETITIONS must be at least 1");
        }
        Ok(Self {
            filters: filters(env::args().skip(1)),
            repetitions,
            anyway: set("ANYWAY"),
            fresh: set("FRESH"),
        })
    }

    /// Whether a row is asked for; without words all are.
    pub fn selects(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|word| name.contains(word))
    }
}

fn filters(words: impl Iterator<Item = String>) -> Vec<String> {
    let parts = |words: String| words.split(',').map(str::to_owned).collect::<Vec<_>>();
    words.flat_map(parts).filter(|word| !word.is_empty()).collect()
}

/// `cupola`, built in release.
pub fn binary() -> anyhow::Result<PathBuf> {
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

/// The folder of the data sets, which holds all these files.
pub fn data_folder<'a>(files: impl IntoIterator<Item = &'a str>) -> anyhow::Result<PathBuf> {
    let mut files: Vec<_> = files.into_iter().collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_parts_of_their_names() {
        let words = ["mlp,cnn", "", "imdb"].map(str::to_owned);
        let filters = filters(words.into_iter());
        assert_eq!(filters, ["mlp", "cnn", "imdb"]);
        let options = Options { filters, repetitions: None, anyway: false, fresh: false };
        assert!(options.selects("imdb-lstm") && !options.selects("decoder"));
        let all = Options { filters: vec![], ..options };
        assert!(all.selects("decoder"));
    }
}

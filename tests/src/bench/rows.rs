//! Rows of a table as files: data, a specification, and what is asked.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use serde::{Deserialize, de::DeserializeOwned};

use super::archive::zip;

/// The rows of a folder by their files' names, with these.
pub fn load<T: DeserializeOwned>(folder: &Path) -> anyhow::Result<Vec<(String, T)>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("read {}", folder.display()))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort_unstable();
    let read = |path: &PathBuf| -> anyhow::Result<(String, T)> {
        let row = serde_json::from_slice(&fs::read(path)?)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, row))
    };
    paths.iter().map(|path| read(path).with_context(|| format!("{}", path.display()))).collect()
}

/// Below the folder of the data sets.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Data {
    File(String),
    /// Files that are put into one archive.
    Zip {
        zip: Vec<String>,
    },
}

impl Data {
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let files = match self {
            Self::File(file) => std::slice::from_ref(file),
            Self::Zip { zip } => zip,
        };
        files.iter().map(String::as_str)
    }

    /// The file itself, or the archive of several, made in the folder.
    pub fn place(&self, data: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
        match self {
            Self::File(file) => Ok(data.join(file)),
            Self::Zip { zip: files } => {
                ensure!(!files.is_empty(), "an archive of nothing");
                let path = folder.join("data.zip");
                zip(&path, files.iter().map(|file| data.join(file)))?;
                Ok(path)
            }
        }
    }
}

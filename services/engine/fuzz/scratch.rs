//! A folder for the files of one target.

use std::{env, fs, path::PathBuf, process};

pub fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("cupola-fuzz-{name}-{}", process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written");
    folder
}

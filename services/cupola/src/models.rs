//! `cupola models verify`: whether a folder has what a signed manifest says, without the platform.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use domain::{Digest, registry::VersionFile};
use gateway::auth::{JwkSet, verify_manifest};
use serde_json::{Value, json};

use crate::remote::show::Out;

#[derive(clap::Args)]
pub struct Verify {
    /// The folder with the version's files.
    folder: PathBuf,
    /// What `GET /v1/models/…/versions/…/manifest` answered, or its `jws` alone.
    #[arg(long)]
    manifest: PathBuf,
    /// What `GET /.well-known/manifest-keys.json` of the platform that you trust answered.
    #[arg(long)]
    keys: PathBuf,
}

pub fn run(arguments: &Verify, out: Out) -> anyhow::Result<()> {
    let Verify { folder, manifest, keys } = arguments;
    let named = |path: &Path| path.display().to_string();
    let known: JwkSet =
        serde_json::from_str(&text(keys)?).with_context(|| format!("{}: no keys", named(keys)))?;
    let jws = jws(&text(manifest)?);
    let (said, revision) = verify_manifest(&jws, &known).with_context(|| named(manifest))?;
    let mut wrong: Vec<_> = said.files.iter().filter_map(|file| differs(folder, file)).collect();
    for path in files(folder, &[manifest, keys])? {
        if said.files.iter().all(|file| Path::new(file.path.as_str()) != path) {
            wrong.push(format!("{}: is not in the manifest", path.display()));
        }
    }
    if !wrong.is_empty() {
        bail!("{} is not {}:{}\n{}", named(folder), said.model, said.version, wrong.join("\n"));
    }
    let name = format!("{}:{}", said.model, said.version);
    let answer = json!({"model": name, "revision": revision, "files": said.files});
    out.show(&answer, || {
        let mut lines = format!("{name} as it was published, revision {revision}\n");
        for VersionFile { path, sha256, bytes } in &said.files {
            lines += &format!("  {path}, {bytes} bytes, sha256 {sha256}\n");
        }
        lines
    })
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn jws(answer: &str) -> String {
    let json: Option<Value> = serde_json::from_str(answer).ok();
    let jws = json.as_ref().and_then(|json| json["jws"].as_str());
    jws.unwrap_or(answer).to_owned()
}

fn differs(folder: &Path, file: &VersionFile) -> Option<String> {
    let path = folder.join(file.path.as_str());
    let read = fs::File::open(&path).and_then(|mut opened| Digest::of_reader(&mut opened));
    match read {
        Ok(found) if found == (file.sha256, file.bytes) => None,
        Ok((sha256, bytes)) => Some(format!(
            "{}: has {bytes} bytes with the SHA-256 {sha256}; published were {} with {}",
            file.path, file.bytes, file.sha256
        )),
        Err(error) => Some(format!("{}: {error}", file.path)),
    }
}

/// The files of a folder by their paths in it, but for these; what begins with a dot is a client's own.
pub fn files(folder: &Path, but: &[&Path]) -> anyhow::Result<Vec<PathBuf>> {
    let but: Vec<_> = but.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(next) = folders.pop() {
        let entries =
            fs::read_dir(&next).with_context(|| format!("read the folder {}", next.display()))?;
        for entry in entries {
            let path = entry?.path();
            let is_hidden =
                path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if is_hidden || path.canonicalize().is_ok_and(|path| but.contains(&path)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

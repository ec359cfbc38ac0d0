//! A version's files, downloaded: into a hidden file beside each first, which a later pull goes on
//! from, and under its name once its SHA-256 is the published one.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use domain::{Digest, registry::FilePath};
use futures::StreamExt;
use indicatif::ProgressBar;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};

use super::{
    api::{Client, Failure, pause},
    show::{self, Out, bytes, items, text},
};

const MOST_TRIES: u32 = 5;
const QUIET: Duration = Duration::from_secs(60);

/// A file as it was published.
struct Published {
    path: FilePath,
    sha256: Digest,
    /// Absent of what an older release has published.
    bytes: Option<u64>,
    url: String,
}

impl Published {
    fn read(file: &Value) -> anyhow::Result<Self> {
        let name = text(file, "/name");
        Ok(Self {
            path: name.parse().context("the version names a file that has no place in a folder")?,
            sha256: text(file, "/sha256")
                .parse()
                .with_context(|| format!("{name} has no SHA-256"))?,
            bytes: file["bytes"].as_u64().filter(|bytes| *bytes > 0),
            url: text(file, "/url").to_owned(),
        })
    }
}

pub async fn version(
    client: &Client,
    version: &Value,
    folder: &Path,
    out: Out,
) -> anyhow::Result<()> {
    let files: Vec<_> =
        items(version, "/files").iter().map(Published::read).collect::<anyhow::Result<_>>()?;
    let bar = show::bytes_bar(Some(files.iter().filter_map(|file| file.bytes).sum()))?;
    let mut there = Vec::new();
    for file in &files {
        bar.set_message(file.path.to_string());
        let from = place(client, file, folder, &bar).await?;
        there.push(
            json!({"path": folder.join(file.path.as_str()), "sha256": file.sha256, "from": from}),
        );
    }
    bar.finish_and_clear();
    let name =
        format!("{}/{}:{}", text(version, "/tenant"), text(version, "/model"), version["version"]);
    let answer = json!({"model": name, "folder": folder, "files": there});
    out.show(&answer, || {
        let mut said = format!("{name} is in {}\n", folder.display());
        for (file, there) in items(version, "/files").iter().zip(&there) {
            let from = match there["from"].as_u64() {
                None => ", was there".to_owned(),
                Some(0) => String::new(),
                Some(from) => format!(", gone on with after {from} bytes"),
            };
            said += &format!("  {}, {}{from}\n", text(file, "/name"), bytes(&file["bytes"]));
        }
        said
    })
}

/// One file of which the platform tells the address, under a name of one's own.
pub async fn file(client: &Client, told: &Value, to: &Path) -> anyhow::Result<()> {
    let mut told = told.clone();
    told["name"] = to.file_name().unwrap_or_default().to_string_lossy().into();
    let file = Published::read(&told)?;
    let bar = show::bytes_bar(file.bytes)?;
    place(client, &file, to.parent().unwrap_or(Path::new("")), &bar).await?;
    bar.finish_and_clear();
    Ok(())
}

/// From which byte on it was sent; `None` if it was there.
async fn place(
    client: &Client,
    file: &Published,
    folder: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<Option<u64>> {
    let target = folder.join(file.path.as_str());
    let part = beside(&target);
    let at = bar.position();
    fs::create_dir_all(target.parent().unwrap_or(folder))
        .with_context(|| format!("make a folder for {}", target.display()))?;
    if is_it(&target, file)? {
        bar.inc(file.bytes.unwrap_or(0));
        return Ok(None);
    }
    let mut began = None;
    for tried in 1..=MOST_TRIES {
        let from = fs::metadata(&part).map_or(0, |part| part.len());
        began.get_or_insert(from);
        bar.set_position(at + from);
        if file.bytes.is_none_or(|bytes| from < bytes)
            && !fetch(client, file, &part, from, bar).await?
        {
            sleep(pause(tried)).await;
            continue;
        }
        if is_it(&part, file)? {
            fs::rename(&part, &target).with_context(|| format!("write {}", target.display()))?;
            return Ok(began);
        }
        // the beginning was of something else: from the start once more
        crate::train::remove(&part)?;
    }
    bail!("{} did not come whole; the same command goes on from there", file.path)
}

/// Hidden, so that `models verify` passes by what was left.
fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.part"))
}

fn is_it(path: &Path, file: &Published) -> anyhow::Result<bool> {
    let named = || format!("read {}", path.display());
    match fs::File::open(path) {
        Ok(mut opened) => Ok(Digest::of_reader(&mut opened).with_context(named)?.0 == file.sha256),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(named),
    }
}

/// Whether it came to its end; one that breaks off is gone on with.
async fn fetch(
    client: &Client,
    file: &Published,
    part: &Path,
    from: u64,
    bar: &ProgressBar,
) -> anyhow::Result<bool> {
    let mut request = client.request(Method::GET, &file.url);
    if from > 0 {
        request = request
            .header(header::RANGE, format!("bytes={from}-"))
            .header(header::IF_RANGE, format!("\"{}\"", file.sha256));
    }
    let response = match client.open(request).await {
        Ok(response) => response,
        Err(Failure::Refused(problem)) if problem.status == 416 => {
            crate::train::remove(part)?;
            return Ok(false);
        }
        Err(failure) if client.again_in(&failure, 1).is_none() => return Err(failure.into()),
        Err(_) => return Ok(false),
    };
    let goes_on = response.status() == StatusCode::PARTIAL_CONTENT;
    let named = || format!("write {}", part.display());
    let mut options = tokio::fs::OpenOptions::new();
    let options = options.create(true).write(true).append(goes_on).truncate(!goes_on);
    let mut to = options.open(part).await.with_context(named)?;
    let mut stream = response.bytes_stream();
    loop {
        match timeout(QUIET, stream.next()).await {
            Ok(Some(Ok(chunk))) => {
                to.write_all(&chunk).await.with_context(named)?;
                bar.inc(chunk.len() as u64);
            }
            ended => {
                to.flush().await.with_context(named)?;
                return Ok(matches!(ended, Ok(None)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_leaves_its_folder() {
        let sha256 = Digest::of(b"x").to_string();
        let file = |name: &str| {
            Published::read(&json!({"name": name, "sha256": sha256, "bytes": 1, "url": "/"}))
        };
        assert!(file("onnx/model.onnx").is_ok());
        for name in ["../model.onnx", "/etc/passwd", "a/../../b", ""] {
            assert!(file(name).is_err(), "{name}");
        }
        assert_eq!(beside(Path::new("m/model.onnx")), Path::new("m/.model.onnx.part"));
    }
}

//! `cupola models push`: files from one's own machine become the next version of a model of one's own. Each is
//! known by its SHA-256 before anything is sent; what the platform has is not sent again, so that a push that
//! broke off goes on where it was. The commit, which makes the version, comes last, and once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use domain::{
    Digest,
    registry::{FilePath, Reference},
};
use indicatif::ProgressBar;
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{
    access,
    api::{Client, Failure, Problem},
    names::ModelName,
    sending::{self, repeated},
    show::{self, Out, bytes, items, text},
};

/// What the model's card is read from, which stands in the commit itself.
const README: &str = "README.md";
/// The most that are asked about at once.
const BATCH_FILES: usize = 500;
const LFS: &str = "application/vnd.git-lfs+json";

/// A file as it is on this machine.
struct Local {
    path: FilePath,
    at: PathBuf,
    sha256: Digest,
    bytes: u64,
}

/// What is to be a version.
struct Pushed {
    /// `tenant/model`.
    model: String,
    files: Vec<Local>,
    /// A folder is the whole version; a file is added to what the model has.
    is_whole: bool,
}

pub async fn run(client: &Client, name: &ModelName, from: &Path, out: Out) -> anyhow::Result<()> {
    ensure!(
        name.version.parse() == Ok(Reference::Latest),
        "a version never changes; name the model alone, and the next one is made"
    );
    let is_whole = fs::metadata(from).with_context(|| format!("read {}", from.display()))?.is_dir();
    let pushed = Pushed { model: known(client, name).await?, files: local(from)?, is_whole };
    let had = head(client, &pushed.model).await?.filter(|head| pushed.is_in(head));
    let is_new = had.is_none();
    let (version, sent) = match had {
        Some(version) => (version, BTreeSet::new()),
        None => publish(client, &pushed).await?,
    };
    let named = format!("{}:{}", pushed.model, version["version"]);
    let file = |file: &Local| {
        json!({"path": file.path, "sha256": file.sha256, "bytes": file.bytes,
            "sent": sent.contains(&file.sha256)})
    };
    let files: Vec<_> = pushed.files.iter().map(file).collect();
    let answer =
        json!({"model": named, "revision": version["revision"], "new": is_new, "files": files});
    out.show(&answer, || {
        if !is_new {
            return format!("{named} has these files already");
        }
        let mut said = format!("published as {named}; cupola models show {named}\n");
        for file in &files {
            let there = if file["sent"] == true { "" } else { ", was there" };
            said += &format!("  {}, {}{there}\n", text(file, "/path"), bytes(&file["bytes"]));
        }
        said
    })
}

/// The model's `tenant/name`; it is made if it is not there.
async fn known(client: &Client, name: &ModelName) -> anyhow::Result<String> {
    let path = name.path(client).await?;
    let model = path.trim_start_matches("/v1/models/").to_owned();
    let Err(missing) = client.get(&path).await else { return Ok(model) };
    let is_own = || async { anyhow::Ok(model.starts_with(&(access::tenant(client).await? + "/"))) };
    if !is_missing(&missing) || !is_own().await? {
        return Err(missing);
    }
    let made = client.post("/v1/models", &json!({"name": name.model})).await;
    // a try whose answer was lost has made it
    match (made, client.get(&path).await) {
        (Err(error), Err(_)) => Err(error),
        _ => Ok(model),
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Failure::Refused(problem)) if problem.status == 404)
}

/// The newest version, if there is one.
async fn head(client: &Client, model: &str) -> anyhow::Result<Option<Value>> {
    match client.get(&format!("/v1/models/{model}/versions/latest")).await {
        Err(error) if is_missing(&error) => Ok(None),
        found => found.map(Some),
    }
}

/// A folder's files, or the one that is named; what begins with a dot is not meant.
fn local(from: &Path) -> anyhow::Result<Vec<Local>> {
    let (folder, paths) = if from.is_dir() {
        (from, crate::models::files(from, &[])?)
    } else {
        let name = from.file_name().with_context(|| format!("{} names no file", from.display()))?;
        (from.parent().unwrap_or(Path::new("")), vec![PathBuf::from(name)])
    };
    ensure!(!paths.is_empty(), "there are no files in {}", from.display());
    let size = |path: &PathBuf| fs::metadata(folder.join(path)).map_or(0, |found| found.len());
    let bar = show::bytes_bar(Some(paths.iter().map(size).sum()))?;
    let read = |path: &PathBuf| {
        let at = folder.join(path);
        bar.set_message(format!("reading {}", path.display()));
        let named = || format!("read {}", at.display());
        let file = File::open(&at).with_context(named)?;
        let (sha256, bytes) = Digest::of_reader(&mut bar.wrap_read(file)).with_context(named)?;
        let path = path.to_str().with_context(|| format!("{} is not UTF-8", at.display()))?;
        Ok(Local { path: path.parse()?, at, sha256, bytes })
    };
    let files = paths.iter().map(read).collect();
    bar.finish_and_clear();
    files
}

impl Pushed {
    /// Whether a version has these files, and no others than it may have.
    fn is_in(&self, version: &Value) -> bool {
        let theirs: BTreeMap<_, _> = files_of(version).collect();
        let is_there = |file: &Local| {
            theirs.get(file.path.as_str()) == Some(&file.sha256.to_string().as_str())
        };
        self.files.iter().all(is_there) && (!self.is_whole || theirs.len() == self.files.len())
    }

    /// Line by line, upon what the model has.
    fn commit(&self, head: Option<&Value>) -> anyhow::Result<String> {
        let mut said = json!({"summary": "cupola models push"});
        if let Some(parent) = head.and_then(|head| head["revision"].as_str()) {
            said["parentCommit"] = parent.into();
        }
        let mut lines = vec![json!({"key": "header", "value": said})];
        for file in &self.files {
            lines.push(if file.path.as_str() == README {
                let text = fs::read_to_string(&file.at)
                    .with_context(|| format!("read {}", file.at.display()))?;
                json!({"key": "file", "value": {"path": README, "content": text, "encoding": "utf-8"}})
            } else {
                let (oid, size) = (file.sha256, file.bytes);
                json!({"key": "lfsFile", "value": {"path": file.path, "algo": "sha256", "oid": oid, "size": size}})
            });
        }
        let ours: BTreeSet<_> = self.files.iter().map(|file| file.path.as_str()).collect();
        for (path, _) in head.filter(|_| self.is_whole).into_iter().flat_map(files_of) {
            if !ours.contains(path) {
                lines.push(json!({"key": "deletedFile", "value": {"path": path}}));
            }
        }
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    }
}

fn files_of(version: &Value) -> impl Iterator<Item = (&str, &str)> {
    items(version, "/files").iter().map(|file| (text(file, "/name"), text(file, "/sha256")))
}

/// The version, and what was sent for it.
async fn publish(client: &Client, pushed: &Pushed) -> anyhow::Result<(Value, BTreeSet<Digest>)> {
    let mut sent = send(client, pushed).await?;
    let hidden = ProgressBar::hidden();
    let version = repeated(client, &hidden, || commit(client, pushed)).await?;
    ensure!(
        pushed.is_in(&version),
        "{}:{} has other files than were pushed: somebody else has committed meanwhile",
        pushed.model,
        version["version"]
    );
    sent.extend(pushed.files.iter().filter(|file| file.path.as_str() == README).map(|f| f.sha256));
    Ok((version, sent))
}

/// Upon what the model has now. A commit whose answer was lost is found, and not made again.
async fn commit(client: &Client, pushed: &Pushed) -> anyhow::Result<Value> {
    let head = head(client, &pushed.model).await?;
    if let Some(head) = head.as_ref().filter(|head| pushed.is_in(head)) {
        return Ok(head.clone());
    }
    let request = client
        .request(Method::POST, &format!("/hub/api/models/{}/commit/main", pushed.model))
        .header(header::CONTENT_TYPE, "application/x-ndjson")
        .body(pushed.commit(head.as_ref())?);
    let made = client.json(request).await?;
    client.get(&format!("/v1/models/{}/versions/{}", pushed.model, text(&made, "/commitOid"))).await
}

/// What the platform does not have, one after the other.
async fn send(client: &Client, pushed: &Pushed) -> anyhow::Result<BTreeSet<Digest>> {
    let mut known = BTreeSet::new();
    let large = pushed.files.iter().filter(|file| file.path.as_str() != README);
    let files: Vec<_> = large.filter(|file| known.insert(file.sha256)).collect();
    let hidden = ProgressBar::hidden();
    let mut wanted = Vec::new();
    for files in files.chunks(BATCH_FILES) {
        let urls = repeated(client, &hidden, || where_to(client, &pushed.model, files)).await?;
        wanted
            .extend(files.iter().zip(urls).filter(|(_, url)| url.is_some()).map(|(file, _)| *file));
    }
    let bar = show::bytes_bar(Some(wanted.iter().map(|file| file.bytes).sum()))?;
    let mut before = 0;
    for file in &wanted {
        bar.set_message(file.path.to_string());
        repeated(client, &bar, || {
            bar.set_position(before);
            put(client, &pushed.model, file, &bar)
        })
        .await?;
        before += file.bytes;
        bar.set_position(before);
    }
    bar.finish_and_clear();
    Ok(wanted.iter().map(|file| file.sha256).collect())
}

/// By git-lfs' protocol: where each is to be sent, or `None` where its content is there.
async fn where_to(
    client: &Client,
    model: &str,
    files: &[&Local],
) -> anyhow::Result<Vec<Option<String>>> {
    let objects = files.iter().map(|file| json!({"oid": file.sha256, "size": file.bytes}));
    let asked = json!({"operation": "upload", "transfers": ["basic"], "objects": objects.collect::<Vec<_>>()});
    let request = client
        .request(Method::POST, &format!("/hub/{model}.git/info/lfs/objects/batch"))
        .header(header::CONTENT_TYPE, LFS)
        .body(asked.to_string());
    let answer = client.json(request).await?;
    let told = items(&answer, "/objects");
    ensure!(told.len() == files.len(), "the platform has not told of each file where to send it");
    let place = |(file, told): (&&Local, &Value)| {
        if let Some(code) = told["error"]["code"].as_u64() {
            let detail = format!("{}: {}", file.path, text(told, "/error/message"));
            let problem = Problem::told(u16::try_from(code).unwrap_or_default(), detail);
            return Err(Failure::Refused(problem).into());
        }
        let url = told.pointer("/actions/upload/href").and_then(Value::as_str);
        Ok(url.map(|url| path_of(url).to_owned()))
    };
    files.iter().zip(told).map(place).collect()
}

/// The platform may be known to itself by another address than to us.
fn path_of(url: &str) -> &str {
    url.find("/hub/lfs/").map_or(url, |at| &url[at..])
}

/// Asked anew where to, since the ticket is good for an hour, and what broke off may have come whole.
async fn put(client: &Client, model: &str, file: &Local, bar: &ProgressBar) -> anyhow::Result<()> {
    let Some(url) = where_to(client, model, &[file]).await?.remove(0) else { return Ok(()) };
    let named = || format!("read {}", file.at.display());
    let opened = File::open(&file.at).with_context(named)?;
    let request = client
        .request(Method::PUT, &url)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, file.bytes)
        .body(sending::body(opened, bar));
    sending::sent(client, request, bar).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(folder: &Path, is_whole: bool) -> Pushed {
        Pushed { model: "acme/m".to_owned(), files: local(folder).unwrap(), is_whole }
    }

    fn version(files: &[(&str, &[u8])]) -> Value {
        let file = |(name, bytes): &(&str, &[u8])| json!({"name": name, "sha256": Digest::of(bytes).to_string()});
        json!({"revision": "r", "files": files.iter().map(file).collect::<Vec<_>>()})
    }

    #[test]
    fn a_folder_is_the_whole_version_and_a_file_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        fs::create_dir(folder.path().join("onnx")).unwrap();
        write("onnx/a.onnx", b"a");
        write("README.md", b"# b");
        write(".hidden", b"c");
        let whole = pushed(folder.path(), true);
        let names: Vec<_> = whole.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, ["README.md", "onnx/a.onnx"]);
        let same = version(&[("onnx/a.onnx", b"a"), ("README.md", b"# b")]);
        let more = version(&[("onnx/a.onnx", b"a"), ("README.md", b"# b"), ("old.bin", b"d")]);
        let other = version(&[("onnx/a.onnx", b"A"), ("README.md", b"# b")]);
        assert!(whole.is_in(&same) && !whole.is_in(&more) && !whole.is_in(&other));
        let lines = whole.commit(Some(&more)).unwrap();
        let keys: Vec<_> = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|line| text(&line, "/key").to_owned())
            .collect();
        assert_eq!(keys, ["header", "file", "lfsFile", "deletedFile"]);
        assert!(lines.contains("\"parentCommit\":\"r\"") && lines.contains("old.bin"), "{lines}");

        let one = pushed(&folder.path().join("onnx/a.onnx"), false);
        assert_eq!(one.files[0].path.as_str(), "a.onnx");
        assert!(one.is_in(&version(&[("a.onnx", b"a"), ("old.bin", b"d")])));
        assert!(!one.commit(Some(&more)).unwrap().contains("deletedFile"));
    }

    #[test]
    fn a_ticket_is_used_where_we_know_the_platform() {
        assert_eq!(path_of("http://10.0.0.7:8080/hub/lfs/t.1"), "/hub/lfs/t.1");
    }

    #[test]
    fn what_has_no_place_in_a_version_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let told =
            || local(folder.path()).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(told().contains("no files"), "{}", told());
        fs::write(folder.path().join("wei\u{df}.bin"), b"x").unwrap();
        assert!(told().contains("wei\u{df}.bin"), "{}", told());
    }
}

//! A large file that is sent in pieces. It is known by its SHA-256: what has come of it, in this run or in one before,
//! is not sent again.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use anyhow::Context;
use domain::{
    Digest,
    dataset::{Compression, Format},
    name::Name,
};
use futures::stream;
use indicatif::{HumanBytes, ProgressBar};
use reqwest::{Body, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    api::{Client, Failure},
    sending::{self, repeated},
    show::text,
};

/// A file of no more is sent at once.
pub const PIECE_BYTES: u64 = 8 << 20;
const CHUNK_BYTES: usize = 64 << 10;
/// Another piece has come for its place, which may have been this one.
const STANDS_ELSEWHERE: &str = "wrong_offset";

/// The version that it has become, and whether that is new.
pub async fn push(
    client: &Client,
    dataset: &Name,
    (format, compression): (Format, Compression),
    path: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<(bool, Value)> {
    let named = || format!("read {}", path.display());
    let mut file = File::open(path).with_context(named)?;
    bar.set_message("is read");
    let (sha256, bytes) = Digest::of_reader(&mut file).with_context(named)?;
    bar.set_message("");
    let draft = json!({
        "dataset": dataset, "format": format, "compression": compression, "bytes": bytes,
        "fingerprint": sha256, "sha256": sha256,
    });
    let mut upload = repeated(client, bar, || client.post("/v1/uploads", &draft)).await?;
    let at = format!("/v1/uploads/{}", text(&upload, "/id"));
    if received(&upload) > 0 {
        let come = HumanBytes(received(&upload));
        bar.suspend(|| eprintln!("{come} of it have come before; going on"));
    }
    while received(&upload) < bytes {
        let from = received(&upload);
        let piece = read(&mut file, from).with_context(named)?;
        upload = repeated(client, bar, || async {
            bar.set_position(from);
            match send(client, &at, (from, &piece), bar).await {
                Err(Failure::Refused(problem)) if problem.code == STANDS_ELSEWHERE => {
                    client.get(&at).await
                }
                answer => client.read(answer?).await,
            }
        })
        .await?;
    }
    repeated(client, bar, || async {
        let answer = client.open(client.request(Method::POST, &format!("{at}/version"))).await?;
        Ok((answer.status() == StatusCode::CREATED, client.read(answer).await?))
    })
    .await
}

fn received(upload: &Value) -> u64 {
    upload["received"].as_u64().unwrap_or_default()
}

fn read(file: &mut File, from: u64) -> io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.by_ref().take(PIECE_BYTES).read_to_end(&mut piece)?;
    Ok(piece)
}

async fn send(
    client: &Client,
    at: &str,
    (from, piece): (u64, &[u8]),
    bar: &ProgressBar,
) -> Result<reqwest::Response, Failure> {
    let shown = bar.clone();
    let chunks: Vec<_> = piece.chunks(CHUNK_BYTES).map(<[u8]>::to_vec).collect();
    let body = stream::iter(chunks.into_iter().map(move |chunk| {
        shown.inc(chunk.len() as u64);
        Ok::<_, io::Error>(chunk)
    }));
    let request = client
        .request(Method::PATCH, at)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, piece.len())
        .header("Upload-Offset", from)
        .body(Body::wrap_stream(body));
    sending::sent(client, request, bar).await
}

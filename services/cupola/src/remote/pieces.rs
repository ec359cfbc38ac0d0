//! A large file that is sent in pieces. It is known by its SHA-256: what has come of it, in this run or in one before,
//! is not sent again.

use std::{
    fs::File,
    io::{Seek, SeekFrom},
    path::Path,
};

use anyhow::Context;
use domain::{
    Digest,
    dataset::{Compression, Format},
    name::Name,
};
use indicatif::{HumanBytes, ProgressBar};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    api::{Client, Failure},
    sending::{self, repeated},
    show::text,
};

/// A file of no more is sent at once.
pub const PIECE_BYTES: u64 = 8 << 20;
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
    bar.set_message("is read");
    let digested = File::open(path).and_then(|mut file| Digest::of_reader(&mut file));
    let (sha256, bytes) = digested.with_context(named)?;
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
        upload = repeated(client, bar, || async {
            bar.set_position(from);
            let mut piece = File::open(path).with_context(named)?;
            piece.seek(SeekFrom::Start(from)).with_context(named)?;
            let request = client
                .request(Method::PATCH, &at)
                .header(header::CONTENT_TYPE, "application/octet-stream")
                .header(header::CONTENT_LENGTH, PIECE_BYTES.min(bytes - from))
                .header("Upload-Offset", from)
                .body(sending::up_to(PIECE_BYTES, piece, bar));
            match sending::sent(client, request, bar).await {
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

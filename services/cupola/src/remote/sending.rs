//! Files on their way to the platform: read as they are sent, with a bar; and what may be sent once more where
//! the connection broke.

use std::{fs::File, future::Future, time::Duration};

use futures::TryStreamExt;
use indicatif::ProgressBar;
use reqwest::{Body, RequestBuilder, Response};
use tokio::{io::AsyncReadExt, time::sleep};
use tokio_util::io::ReaderStream;

use super::api::{Client, Failure};

const CHUNK_BYTES: usize = 64 << 10;
/// Nothing more has gone out for so long: the connection is dead, whatever the system thinks of it.
const QUIET: Duration = Duration::from_secs(60);

/// The bar goes with it.
pub fn body(file: File, bar: &ProgressBar) -> Body {
    up_to(u64::MAX, file, bar)
}

/// So many bytes from where the file stands.
pub fn up_to(most: u64, file: File, bar: &ProgressBar) -> Body {
    let shown = bar.clone();
    let file = tokio::fs::File::from_std(file).take(most);
    let stream = ReaderStream::with_capacity(file, CHUNK_BYTES);
    Body::wrap_stream(stream.inspect_ok(move |chunk| shown.inc(chunk.len() as u64)))
}

pub async fn sent(
    client: &Client,
    request: RequestBuilder,
    bar: &ProgressBar,
) -> Result<Response, Failure> {
    tokio::select! {
        answer = client.open(request) => answer,
        () = stands_still(bar) => Err(Failure::Stalled { url: client.url().to_owned() }),
    }
}

async fn stands_still(bar: &ProgressBar) {
    loop {
        let before = bar.position();
        sleep(QUIET).await;
        if bar.position() == before {
            return;
        }
    }
}

/// Until it is answered, or it makes no sense to try again. `ask` must be something that does no harm twice.
pub async fn repeated<T, A>(
    client: &Client,
    bar: &ProgressBar,
    mut ask: impl FnMut() -> A,
) -> anyhow::Result<T>
where
    A: Future<Output = anyhow::Result<T>>,
{
    let mut broken = 0;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        broken += 1;
        let failure = error.chain().find_map(|error| error.downcast_ref::<Failure>());
        let Some(pause) = failure.and_then(|failure| client.again_in(failure, broken)) else {
            return Err(error);
        };
        bar.suspend(|| eprintln!("{}; trying again", reason(failure)));
        sleep(pause).await;
    }
}

fn reason(failure: Option<&Failure>) -> String {
    match failure {
        Some(Failure::Refused(problem)) => problem.detail.clone(),
        _ => "the connection is lost".to_owned(),
    }
}

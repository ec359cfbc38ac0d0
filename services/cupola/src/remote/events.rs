//! A job's events as they happen (server-sent events). A stream that breaks is taken up after the last
//! event that was seen, by `Last-Event-ID`, so that nothing is missed and nothing comes twice.

use std::time::Duration;

use anyhow::bail;
use futures::StreamExt;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::api::{Client, Failure, pause};

/// Streams in a row that bring nothing, before it is given up.
const MOST_BROKEN: u32 = 10;
/// A stream that lives is pinged every 15 s.
const QUIET: Duration = Duration::from_secs(60);
const LAST: [&str; 3] = ["succeeded", "failed", "cancelled"];

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Progress has none, and is not repeated.
    pub number: Option<u64>,
    pub kind: String,
    pub data: Value,
}

pub enum News {
    Event(Event),
    /// The connection is lost, and will be made again.
    Broken,
}

/// Until the job has ended and all was told.
pub async fn follow(
    client: &Client,
    job: &str,
    mut tell: impl FnMut(News) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut last, mut broken, mut was_there) = (0, 0, false);
    loop {
        match open(client, job, last).await {
            Ok(None) => return Ok(()),
            Ok(Some(stream)) => {
                was_there = true;
                let before = last;
                if read(stream, &mut last, &mut tell).await? {
                    return Ok(());
                }
                if last > before {
                    broken = 0;
                }
            }
            // an address that never answered is a mistake, and no broken connection
            Err(failure) if !was_there || !failure.is_passing() => return Err(failure.into()),
            Err(_) => {}
        }
        broken += 1;
        if broken > MOST_BROKEN {
            bail!("the connection kept breaking; the job goes on: cupola jobs watch {job}");
        }
        tell(News::Broken)?;
        // a stream also ends in good order after a while
        sleep(pause(broken)).await;
    }
}

/// `None` where everything was seen already.
async fn open(client: &Client, job: &str, last: u64) -> Result<Option<Response>, Failure> {
    let path = format!("/v1/jobs/{job}/events");
    let request = client.request(Method::GET, &path).header("Last-Event-ID", last);
    let response = client.open(request).await?;
    Ok((response.status() != StatusCode::NO_CONTENT).then_some(response))
}

/// Whether it brought the last event.
async fn read(
    stream: Response,
    last: &mut u64,
    tell: &mut impl FnMut(News) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let (mut stream, mut decoder) = (stream.bytes_stream(), Decoder::default());
    while let Ok(Some(Ok(chunk))) = timeout(QUIET, stream.next()).await {
        for event in decoder.push(&chunk) {
            *last = event.number.unwrap_or(*last);
            let is_last = LAST.contains(&event.kind.as_str());
            tell(News::Event(event))?;
            if is_last {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Bytes as they come, cut anywhere; events as they were sent.
#[derive(Default)]
struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    fn push(&mut self, chunk: &[u8]) -> Vec<Event> {
        self.bytes.extend_from_slice(chunk);
        let mut events = Vec::new();
        while let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\n\n") {
            let message: Vec<u8> = self.bytes.drain(..end + 2).collect();
            events.extend(event(&String::from_utf8_lossy(&message)));
        }
        events
    }
}

/// `None` for a comment, or what has no kind.
fn event(message: &str) -> Option<Event> {
    let field =
        |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let data = field("data:").and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
    let number = field("id:").and_then(|number| number.parse().ok());
    Some(Event { number, kind: field("event:")?.to_owned(), data })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const STREAM: &str = "retry: 2000\n\nid: 1\nevent: queued\ndata: {\"kind\":\"train\"}\n\n: ping\n\n\
        event: progress\ndata: {\"step\":2}\n\nid: 2\nevent: epoch\ndata: {\"why\":\"größer\"}\n\n";

    #[test]
    fn events_are_the_same_wherever_the_bytes_are_cut() {
        let whole = Decoder::default().push(STREAM.as_bytes());
        let told: Vec<_> = whole.iter().map(|e| (e.number, e.kind.as_str())).collect();
        assert_eq!(told, [(Some(1), "queued"), (None, "progress"), (Some(2), "epoch")]);
        assert_eq!(whole[2].data, json!({"why": "größer"}));
        for cut in 0..STREAM.len() {
            let mut decoder = Decoder::default();
            let mut events = decoder.push(&STREAM.as_bytes()[..cut]);
            events.extend(decoder.push(&STREAM.as_bytes()[cut..]));
            assert_eq!(events, whole, "cut at {cut}");
        }
    }

    #[test]
    fn pauses_grow_to_an_end() {
        let seconds: Vec<_> = (1..=MOST_BROKEN).map(|n| pause(n).as_secs()).collect();
        assert_eq!(seconds, [0, 1, 2, 4, 8, 15, 15, 15, 15, 15]);
    }

    /// Answers each connection with the next of these, and keeps what it was asked.
    async fn server(answers: &[String]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = answers.to_vec();
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(socket.read_u8().await.unwrap());
                }
                asked.push(String::from_utf8(request).unwrap().to_lowercase());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (url, asked)
    }

    /// A body without an end: the connection's end is the stream's.
    fn stream(body: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{body}"
        )
    }

    #[tokio::test]
    async fn a_stream_that_breaks_is_taken_up_after_the_last_event_seen() {
        let rest = "id: 3\nevent: succeeded\ndata: {}\n\n";
        // broken in the middle of an event, which then comes whole
        let (url, asked) =
            server(&[stream(&format!("{STREAM}id: 3\nevent: succ")), stream(rest)]).await;
        let client = Client::new(&url, "cup_test").unwrap();
        let mut told = Vec::new();
        let tell = |news| {
            told.push(match news {
                News::Event(event) => event.kind,
                News::Broken => "-".to_owned(),
            });
            Ok(())
        };
        follow(&client, "job_1", tell).await.unwrap();
        assert_eq!(told, ["queued", "progress", "epoch", "-", "succeeded"]);
        let asked = asked.await.unwrap();
        assert!(asked[0].contains("last-event-id: 0\r\n"), "{}", asked[0]);
        assert!(asked[1].contains("last-event-id: 2\r\n"), "{}", asked[1]);
    }

    #[tokio::test]
    async fn a_refusal_is_no_broken_connection() {
        let body = r#"{"status":404,"code":"not_found","detail":"there is no job job_1"}"#;
        let head = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", body.len());
        let (url, _asked) = server(&[head + body]).await;
        let client = Client::new(&url, "cup_test").unwrap();
        let error = follow(&client, "job_1", |_| Ok(())).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no job job_1");
        assert_eq!(crate::remote::exit_code(&error), 3);
    }
}

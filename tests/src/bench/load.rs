//! Load over HTTP: as much as a server answers, or so much a second whether it keeps up or not.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::sleep_until};

use super::percentile;

/// Not counted: what is made on first use.
const WARM_UP: Duration = Duration::from_secs(2);

/// What is posted, one body after another; without one, what is got.
#[derive(Debug, Clone)]
pub struct Load {
    /// `127.0.0.1:8080`
    pub host: String,
    pub path: String,
    pub key: Option<String>,
    pub bodies: Vec<Bytes>,
    /// That somebody asks too much is an answer too.
    pub may_be_refused: bool,
}

/// How soon answers came, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
}

impl Answered {
    fn of(times: &[f64], within: Duration) -> Self {
        Self {
            per_second: times.len() as f64 / within.as_secs_f64(),
            p50: percentile(times, 0.5),
            p99: percentile(times, 0.99),
        }
    }
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    load: Load,
    asked: usize,
}

impl Connection {
    async fn open(load: &Load, first: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&load.host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, load: load.clone(), asked: first })
    }

    /// The whole answer to the next body.
    async fn ask(&mut self) -> anyhow::Result<Bytes> {
        let Load { host, path, key, bodies, may_be_refused } = &self.load;
        let body = bodies.get(self.asked % bodies.len().max(1)).cloned();
        self.asked += 1;
        let mut request = match &body {
            Some(_) => Request::post(path).header(CONTENT_TYPE, "application/json"),
            None => Request::get(path),
        };
        request = request.header(HOST, host);
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let answer =
            self.sender.send_request(request.body(Full::new(body.unwrap_or_default()))?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let is_refused = *may_be_refused && status == StatusCode::TOO_MANY_REQUESTS;
        ensure!(
            status.is_success() || is_refused,
            "{path}: {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }

    /// Each as soon as the one before was answered.
    async fn again_and_again(mut self, within: Duration) -> anyhow::Result<Vec<f64>> {
        let warm = Instant::now() + WARM_UP;
        let (end, mut times) = (warm + within, Vec::new());
        loop {
            let asked = Instant::now();
            if asked >= end {
                return Ok(times);
            }
            self.ask().await?;
            if asked >= warm {
                times.push(asked.elapsed().as_secs_f64());
            }
        }
    }

    /// Each at its time, and measured from then: who is late is late for all that wait behind it.
    async fn at_times(
        mut self,
        first: Instant,
        every: Duration,
        within: Duration,
    ) -> anyhow::Result<Vec<f64>> {
        let (warm, end) = (first + WARM_UP, first + WARM_UP + within);
        let (mut due, mut times) = (first, Vec::new());
        while due < end {
            sleep_until(due.into()).await;
            self.ask().await?;
            if due >= warm {
                times.push(due.elapsed().as_secs_f64());
            }
            due += every;
        }
        Ok(times)
    }
}

pub async fn one_answer(load: &Load) -> anyhow::Result<Bytes> {
    Connection::open(load, 0).await?.ask().await
}

async fn together(mut all: JoinSet<anyhow::Result<Vec<f64>>>) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    while let Some(ended) = all.join_next().await {
        times.extend(ended.context("a connection panicked")??);
    }
    Ok(times)
}

/// What it answers when this many ask again and again.
pub async fn saturate(load: &Load, askers: usize, within: Duration) -> anyhow::Result<Answered> {
    let mut all = JoinSet::new();
    for n in 0..askers {
        all.spawn(Connection::open(load, n * 17).await?.again_and_again(within));
    }
    Ok(Answered::of(&together(all).await?, within))
}

/// What it answers when it is asked so often, in even steps over some connections.
pub async fn offer(
    load: &Load,
    per_second: f64,
    askers: usize,
    within: Duration,
) -> anyhow::Result<Answered> {
    let step = Duration::from_secs_f64(1.0 / per_second);
    let every = step * u32::try_from(askers).context("too many connections")?;
    let mut all = JoinSet::new();
    let begin = Instant::now() + step;
    for n in 0..askers {
        let first = begin + step * u32::try_from(n).context("too many connections")?;
        all.spawn(Connection::open(load, n * 17).await?.at_times(first, every, within));
    }
    Ok(Answered::of(&together(all).await?, within))
}

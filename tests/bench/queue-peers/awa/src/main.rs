//! awa, told by JSON what to do; it answers with a line of it. Each agent is a client of its own, with its
//! own connections.

use std::{
    env,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use awa::{
    Client, InsertOpts, JobArgs, JobResult, QueueConfig, insert::params_with, insert_many, insert_with,
    migrations,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
    time::sleep,
};

const QUEUE: &str = "bench";

#[derive(Deserialize)]
struct Asked {
    url: String,
    r#do: String,
    agents: u32,
    slots: u32,
    connections: u32,
    #[serde(default)]
    jobs: usize,
    #[serde(default)]
    submitters: usize,
    /// Jobs in one submission.
    #[serde(default)]
    together: usize,
    /// Milliseconds after each sample.
    #[serde(default)]
    pauses: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Noop {
    nothing: bool,
}

impl JobArgs for Noop {
    fn kind() -> &'static str {
        "noop"
    }
}

type Answer<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Answer<()> {
    let asked: Asked = serde_json::from_str(&env::args().nth(1).ok_or("tell it what to do")?)?;
    let pool = connect(&asked.url, asked.submitters.max(4) as u32).await?;
    migrations::run(&pool).await?;
    let (begun, mut started) = unbounded_channel();
    let mut clients = vec![];
    for _ in 0..asked.agents {
        let begun = begun.clone();
        let config = QueueConfig { max_workers: asked.slots, ..QueueConfig::default() };
        let client = Client::builder(connect(&asked.url, asked.connections).await?)
            .queue(QUEUE, config)
            .register::<Noop, _, _>(move |_, _| {
                let _ = begun.send(Instant::now());
                async { Ok(JobResult::Completed) }
            })
            .build()?;
        client.start().await?;
        clients.push(client);
    }
    // its dispatchers and its leader are up by then
    sleep(Duration::from_secs(2)).await;
    let said = if asked.r#do == "jobs" {
        json!({"seconds": jobs(&asked, &pool, &mut started).await?})
    } else {
        json!({"microseconds": latencies(&asked, &pool, &mut started).await?})
    };
    println!("{said}");
    for client in clients {
        client.shutdown(Duration::from_secs(10)).await;
    }
    Ok(())
}

async fn connect(url: &str, connections: u32) -> Answer<PgPool> {
    Ok(PgPoolOptions::new().max_connections(connections).connect(url).await?)
}

/// Seconds until the last job's handler has run.
async fn jobs(asked: &Asked, pool: &PgPool, started: &mut UnboundedReceiver<Instant>) -> Answer<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..asked.submitters {
        let (next, pool, jobs, together) =
            (next.clone(), pool.clone(), asked.jobs, asked.together);
        lanes.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let left = jobs.saturating_sub(n * together);
                if left == 0 {
                    return Ok::<_, awa::AwaError>(());
                }
                submit(&pool, together.min(left)).await?;
            }
        });
    }
    while let Some(lane) = lanes.join_next().await {
        lane??;
    }
    for _ in 0..asked.jobs {
        started.recv().await.ok_or("the handlers are gone")?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

async fn latencies(
    asked: &Asked,
    pool: &PgPool,
    started: &mut UnboundedReceiver<Instant>,
) -> Answer<Vec<f64>> {
    let mut microseconds = vec![];
    for pause in &asked.pauses {
        submit(pool, 1).await?;
        let committed = Instant::now();
        let at = started.recv().await.ok_or("the handlers are gone")?;
        microseconds.push(at.saturating_duration_since(committed).as_secs_f64() * 1e6);
        sleep(Duration::from_millis(*pause)).await;
    }
    Ok(microseconds)
}

async fn submit(pool: &PgPool, together: usize) -> Result<(), awa::AwaError> {
    let options = InsertOpts { queue: QUEUE.into(), ..InsertOpts::default() };
    let job = Noop { nothing: true };
    if together == 1 {
        insert_with(pool, &job, options).await?;
    } else {
        let one = params_with(&job, options)?;
        insert_many(pool, &vec![one; together]).await?;
    }
    Ok(())
}

//! Hints between processes, through Redis where there is one and through Postgres otherwise. A hint
//! says "look again" and holds no fact: when the bus is away, everybody still looks from time to time,
//! so what is lost is a moment. The process's own readers are told at once, without a round trip.
//!
//! Hints that come while others are on their way go together, each once: a thousand submissions do not
//! send a thousand notifications, for which their commits would queue.

use std::{
    collections::BTreeSet,
    mem,
    ops::DerefMut,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::hint::Hint;
use futures::StreamExt;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use store::Store;
use tokio::sync::{
    Notify,
    broadcast::{self, error::TryRecvError},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

const CHANNEL: &str = "cupola";
/// Hints that a slow reader may be behind; beyond these it is told that it missed some.
const BACKLOG: usize = 1_024;
const RECONNECT_AFTER: Duration = Duration::from_millis(500);
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub struct Bus {
    readers: broadcast::Sender<Hint>,
    unsent: Arc<Unsent>,
    through_postgres: bool,
}

/// What is to go out, each once.
#[derive(Default)]
struct Unsent {
    hints: Mutex<BTreeSet<Hint>>,
    some: Notify,
}

enum Line {
    Postgres(Store),
    Redis(ConnectionManager),
}

impl Bus {
    /// Follows the bus until `end`; starts even if the bus is away. Needs a tokio runtime.
    pub fn open(
        store: &Store,
        redis_url: Option<&str>,
        end: CancellationToken,
    ) -> Result<Self, redis::RedisError> {
        let (readers, _) = broadcast::channel(BACKLOG);
        let line = match redis_url {
            None => {
                tokio::spawn(
                    end.clone()
                        .run_until_cancelled_owned(follow_postgres(store.clone(), readers.clone())),
                );
                Line::Postgres(store.clone())
            }
            Some(url) => {
                let client = redis::Client::open(url)?;
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(PUBLISH_TIMEOUT))
                    .set_response_timeout(Some(PUBLISH_TIMEOUT))
                    .set_number_of_retries(1);
                let manager = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
                tokio::spawn(
                    end.clone().run_until_cancelled_owned(follow_redis(client, readers.clone())),
                );
                Line::Redis(manager)
            }
        };
        let unsent = Arc::new(Unsent::default());
        tokio::spawn(end.run_until_cancelled_owned(send(line, unsent.clone())));
        Ok(Self { readers, unsent, through_postgres: redis_url.is_none() })
    }

    /// Tells everybody, other processes in a moment. A failure is logged and nothing else: see the
    /// module's words.
    pub fn publish(&self, hint: Hint) {
        // no reader in this process is no failure
        let _ = self.readers.send(hint);
        self.unsent.hints().insert(hint);
        self.unsent.some.notify_one();
    }

    /// Whether everybody listens to Postgres, where a transaction's commit can carry hints.
    pub const fn is_through_postgres(&self) -> bool {
        self.through_postgres
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.readers.subscribe()
    }
}

/// One look answers all the hints that are there, also those that were missed.
pub fn skip(hints: &mut broadcast::Receiver<Hint>) {
    while let Ok(_) | Err(TryRecvError::Lagged(_)) = hints.try_recv() {}
}

impl Unsent {
    fn hints(&self) -> impl DerefMut<Target = BTreeSet<Hint>> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send(mut line: Line, unsent: Arc<Unsent>) {
    loop {
        unsent.some.notified().await;
        let hints: Vec<_> = mem::take(&mut *unsent.hints()).into_iter().collect();
        for message in Hint::together(&hints) {
            if let Err(error) = line.send(&message).await {
                debug!(message, error, "hints were not sent");
            }
        }
    }
}

impl Line {
    async fn send(&mut self, hints: &str) -> Result<(), String> {
        match self {
            Self::Postgres(store) => store.notify(hints).await.map_err(|error| error.to_string()),
            Self::Redis(manager) => redis::cmd("PUBLISH")
                .arg(CHANNEL)
                .arg(hints)
                .exec_async(manager)
                .await
                .map_err(|error| error.to_string()),
        }
    }
}

async fn follow_postgres(store: Store, readers: broadcast::Sender<Hint>) {
    loop {
        match store.listen().await {
            Ok(mut listener) => {
                while let Ok(Some(hints)) = listener.next().await {
                    tell(&readers, &hints);
                }
                info!("the line for hints broke; listening again");
            }
            Err(error) => debug!(%error, "no line for hints"),
        }
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

async fn follow_redis(client: redis::Client, readers: broadcast::Sender<Hint>) {
    loop {
        if let Err(error) = listen_redis(&client, &readers).await {
            warn!(%error, "redis is away; hints wait for the next look");
        }
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

/// Until the connection ends.
async fn listen_redis(
    client: &redis::Client,
    readers: &broadcast::Sender<Hint>,
) -> Result<(), redis::RedisError> {
    let mut line = client.get_async_pubsub().await?;
    line.subscribe(CHANNEL).await?;
    let mut messages = line.into_on_message();
    while let Some(message) = messages.next().await {
        tell(readers, &message.get_payload::<String>()?);
    }
    Ok(())
}

fn tell(readers: &broadcast::Sender<Hint>, hints: &str) {
    for hint in Hint::each(hints) {
        let _ = readers.send(hint);
    }
}

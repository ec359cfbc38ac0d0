//! Hints between processes, through Redis where there is one and through Postgres otherwise. A hint
//! says "look again" and holds no fact: when the bus is away, everybody still looks from time to time,
//! so what is lost is a moment. The process's own readers are told at once, without a round trip.

use std::time::Duration;

use domain::hint::Hint;
use futures::StreamExt;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use store::Store;
use tokio::sync::broadcast;
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
    line: Line,
}

#[derive(Clone)]
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
                    end.run_until_cancelled_owned(follow_postgres(store.clone(), readers.clone())),
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
                tokio::spawn(end.run_until_cancelled_owned(follow_redis(client, readers.clone())));
                Line::Redis(manager)
            }
        };
        Ok(Self { readers, line })
    }

    /// Tells everybody. A failure is logged and nothing else: see the module's words.
    pub async fn publish(&self, hint: Hint) {
        // no reader in this process is no failure
        let _ = self.readers.send(hint);
        let sent = match &self.line {
            Line::Postgres(store) => store.notify(hint).await.map_err(|error| error.to_string()),
            Line::Redis(manager) => redis::cmd("PUBLISH")
                .arg(CHANNEL)
                .arg(hint.to_string())
                .exec_async(&mut manager.clone())
                .await
                .map_err(|error| error.to_string()),
        };
        if let Err(error) = sent {
            debug!(%hint, error, "a hint was not sent");
        }
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.readers.subscribe()
    }
}

async fn follow_postgres(store: Store, readers: broadcast::Sender<Hint>) {
    loop {
        match store.listen().await {
            Ok(mut listener) => {
                while let Ok(Some(hint)) = listener.next().await {
                    let _ = readers.send(hint);
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
        if let Ok(hint) = message.get_payload::<String>()?.parse() {
            let _ = readers.send(hint);
        }
    }
    Ok(())
}

//! Hints reach other processes' readers through Postgres and through Redis, and this process's own
//! readers even while the line is away.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{env, time::Duration};

use boot::bus::Bus;
use domain::{JobId, hint::Hint};
use store::{Service, Store};
use testkit::{REDIS_VARIABLE, TestDb};
use tokio::{sync::broadcast::Receiver, time::timeout};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes until the reader has heard it: a line that is still being set up loses hints, as it may.
async fn heard(from: &Bus, reader: &mut Receiver<Hint>, hint: Hint) -> bool {
    let listen = async {
        loop {
            from.publish(hint);
            let next = timeout(Duration::from_millis(100), async {
                while reader.recv().await != Ok(hint) {}
            });
            if next.await.is_ok() {
                return;
            }
        }
    };
    timeout(PATIENCE, listen).await.is_ok()
}

async fn crosses(redis: Option<&str>) {
    let db = TestDb::create().await;
    let end = CancellationToken::new();
    let open = || {
        let store = Store::connect(&db.url(), 4, Service::Gateway).unwrap();
        (Bus::open(&store, redis, end.clone()).unwrap(), store)
    };
    // two pools and two lines, as two processes have them
    let ((one, first), (other, second)) = (open(), open());
    let mut reader = other.subscribe();
    assert!(heard(&one, &mut reader, Hint::Job(JobId::generate())).await);
    end.cancel();
    first.close().await;
    second.close().await;
}

#[tokio::test]
async fn a_hint_crosses_by_postgres() {
    crosses(None).await;
}

#[tokio::test]
async fn a_hint_crosses_by_redis() {
    let url = env::var(REDIS_VARIABLE).expect("run through with-services");
    crosses(Some(&url)).await;
}

#[tokio::test]
async fn the_process_itself_is_told_while_the_line_is_away() {
    let end = CancellationToken::new();
    let store = Store::connect("postgres://nobody@127.0.0.1:1/none", 1, Service::Gateway).unwrap();
    let bus = Bus::open(&store, Some("redis://127.0.0.1:1"), end.clone()).unwrap();
    let mut reader = bus.subscribe();
    bus.publish(Hint::Queue);
    assert_eq!(reader.recv().await, Ok(Hint::Queue));
    end.cancel();
}

//! A server that keeps its connections and answers nothing, as one does whose disk hangs.

use std::path::PathBuf;

use domain::Digest;
use futures::FutureExt;
use store::{Service, Store, reads::Shown};
use testkit::TestDb;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

const SOCKET: &str = ".s.PGSQL.5432";

#[tokio::test]
async fn a_silent_server_is_away_also_for_a_connection_used_a_moment_ago() {
    let db = TestDb::create().await;
    let flow = Flow::to(&db).await;
    let store = Store::connect(&flow.url, 2, Service::Gateway).unwrap();
    let used = [store.begin().await.unwrap(), store.begin().await.unwrap()];
    for tx in used {
        tx.commit().await.unwrap();
    }

    flow.stop();
    let (begun, checked) = tokio::join!(store.begin(), store.check());
    for error in [begun.unwrap_err(), checked.unwrap_err()] {
        assert!(error.is_unavailable(), "{error:?}");
    }

    flow.go_on();
    store.check().await.unwrap();
}

/// As a gateway's client does that hangs up.
#[tokio::test]
async fn a_transaction_that_nobody_waits_for_any_more_is_not_left_open() {
    let db = TestDb::create().await;
    let flow = Flow::to(&db).await;
    let store = Store::connect(&flow.url, 1, Service::Gateway).unwrap();
    store.check().await.unwrap();
    let nobody = Shown::Secret(Digest::of(b"nobody"));
    for _ in 0..3 {
        flow.stop();
        assert!(store.begin().now_or_never().is_none(), "it was begun and not answered");
        flow.go_on();
        // what is not prepared yet ends a transaction that is open
        assert!(store.principal(&nobody).await.unwrap().is_none());
    }
}

/// Between a store and its server.
struct Flow {
    url: String,
    flows: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl Flow {
    async fn to(db: &TestDb) -> Self {
        let url = db.url();
        let (_, host) = url.split_once("host=").unwrap();
        let host = host.split('&').next().unwrap();
        let server = PathBuf::from(host.replace("%2F", "/")).join(SOCKET);
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let (flows, open) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) =
                    UnixStream::connect(&server).await.unwrap().into_split();
                tokio::spawn(pass(from_client, to_server, open.clone()));
                tokio::spawn(pass(from_server, to_client, open.clone()));
            }
        });
        let url = url.replace(host, &folder.path().display().to_string().replace('/', "%2F"));
        Self { url, flows, _folder: folder }
    }

    fn stop(&self) {
        self.flows.send_replace(false);
    }

    fn go_on(&self) {
        self.flows.send_replace(true);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut open: watch::Receiver<bool>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes).await
        && open.wait_for(|open| *open).await.is_ok()
        && to.write_all(&bytes[..length]).await.is_ok()
    {}
}

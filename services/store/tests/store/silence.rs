//! A server that keeps its connections and answers nothing, as one does whose disk hangs, or that refuses: what is
//! left of it on the connection.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use domain::{Digest, TenantId, name::Name};
use store::{Service, Store, reads::Shown};
use tempfile::TempDir;
use testkit::TestDb;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::{reads::key_of, support::World};

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
    flow.stop_at("begin");
    tokio::select! {
        begun = store.begin() => panic!("it was answered: {begun:?}"),
        () = flow.stopped() => {}
    }
    flow.go_on();
    // what is not prepared yet ends a transaction that is open
    let nobody = Shown::Secret(Digest::of(b"nobody"));
    assert!(store.principal(&nobody).await.unwrap().is_none());
}

#[tokio::test]
async fn a_read_that_nobody_waits_for_any_more_leaves_nothing_to_the_next_one() {
    let world = World::create().await;
    let globex = world.tenant("globex").await;
    let (acmes, globexs) = (key_of(&world, &world.acme).await, key_of(&world, &globex).await);
    let job = world.submit(&globex).await;
    let flow = Flow::to(&world.db).await;
    let store = Store::connect(&flow.url, 1, Service::Gateway).unwrap();
    let nothing: Name = "nothing".parse().unwrap();
    let (_, found) = store.read(&acmes, &nothing).await.unwrap().unwrap();
    assert!(found.is_none());
    flow.stop_at("nothing");
    tokio::select! {
        read = store.read(&acmes, &nothing) => panic!("it was answered: {read:?}"),
        () = flow.stopped() => {}
    }
    flow.go_on();
    let (principal, found) = store.read(&globexs, &job).await.unwrap().unwrap();
    assert_eq!((principal.tenant.unwrap().0, found.unwrap().id), (globex.id, job));

    flow.stop();
    let silence = store.read(&globexs, &job).await.unwrap_err();
    assert!(silence.is_unavailable(), "{silence:?}");
    flow.go_on();
    assert!(store.read(&globexs, &job).await.unwrap().is_some());
}

#[tokio::test]
async fn a_transaction_that_was_refused_is_not_left_open() {
    let db = TestDb::create().await;
    // its login may take no other role than its own
    let worker = Store::connect(&db.url_as(Service::Worker.login()), 1, Service::Worker).unwrap();
    let gateway = worker.acting_as(Service::Gateway);
    gateway.begin().await.unwrap_err();
    gateway.begin_for(TenantId::generate()).await.unwrap_err();
    worker.begin().await.unwrap().commit().await.unwrap();
}

/// Between a store and its server.
struct Flow {
    url: String,
    gate: Arc<Gate>,
    _folder: TempDir,
}

struct Gate {
    flows: watch::Sender<bool>,
    /// It closes when this comes from a client.
    stop_at: Mutex<Option<&'static str>>,
}

impl Flow {
    async fn to(db: &TestDb) -> Self {
        let url = db.url();
        let (_, host) = url.split_once("host=").unwrap();
        let host = host.split('&').next().unwrap();
        let server = PathBuf::from(host.replace("%2F", "/")).join(SOCKET);
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let gate = Arc::new(Gate { flows: watch::Sender::new(true), stop_at: Mutex::default() });
        let passed = Arc::clone(&gate);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) =
                    UnixStream::connect(&server).await.unwrap().into_split();
                tokio::spawn(pass(from_client, to_server, Arc::clone(&passed)));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&passed)));
            }
        });
        let url = url.replace(host, &folder.path().display().to_string().replace('/', "%2F"));
        Self { url, gate, _folder: folder }
    }

    fn stop(&self) {
        self.gate.flows.send_replace(false);
    }

    fn stop_at(&self, said: &'static str) {
        *self.gate.stop_at.lock().unwrap() = Some(said);
    }

    async fn stopped(&self) {
        self.gate.flows.subscribe().wait_for(|flows| !flows).await.unwrap();
    }

    fn go_on(&self) {
        self.gate.flows.send_replace(true);
    }
}

impl Gate {
    fn look_at(&self, bytes: &[u8]) {
        let mut stop_at = self.stop_at.lock().unwrap();
        let is_said = |said: &mut &str| bytes.windows(said.len()).any(|w| w == said.as_bytes());
        if stop_at.take_if(is_said).is_some() {
            self.flows.send_replace(false);
        }
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, gate: Arc<Gate>) {
    let mut open = gate.flows.subscribe();
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        gate.look_at(&bytes[..length]);
        if open.wait_for(|open| *open).await.is_err()
            || to.write_all(&bytes[..length]).await.is_err()
        {
            return;
        }
    }
}

//! The gateway on a socket of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use gateway::Config;
use tempfile::TempDir;
use testkit::TestDb;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::assemble;

pub struct Served {
    pub address: SocketAddr,
    end: CancellationToken,
    server: JoinHandle<io::Result<()>>,
    _blobs: TempDir,
    _db: TestDb,
}

impl Served {
    pub async fn start() -> Self {
        let db = TestDb::create().await;
        let blobs = testkit::reachable_dir().expect("a temporary folder can be made");
        let end = CancellationToken::new();
        let app = assemble(&db, blobs.path(), Config::default(), end.clone()).await;
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let server = actix_web::rt::spawn(gateway::serve(app, listener, end.clone()));
        Self { address, end, server, _blobs: blobs, _db: db }
    }

    /// Asks it to leave, and waits.
    pub async fn end(self) {
        self.end.cancel();
        self.server.await.expect("it does not panic").expect("it ends in order");
    }
}

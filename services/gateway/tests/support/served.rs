//! The gateway on a socket of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
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
    /// Where they are its own.
    _of_its_own: Option<(TempDir, TestDb)>,
}

impl Served {
    pub async fn start() -> Self {
        let db = TestDb::create().await;
        let blobs = testkit::reachable_dir().expect("a temporary folder can be made");
        let served = Self::over(&db, blobs.path(), Config::default()).await;
        Self { _of_its_own: Some((blobs, db)), ..served }
    }

    /// One more gateway over a database and a folder that somebody else keeps.
    pub async fn over(db: &TestDb, blobs: &Path, config: Config) -> Self {
        let end = CancellationToken::new();
        let app = assemble(db, blobs, config, end.clone()).await;
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let server = actix_web::rt::spawn(gateway::serve(app, listener, end.clone()));
        Self { address, end, server, _of_its_own: None }
    }

    /// Asks it to leave, and waits.
    pub async fn end(self) {
        self.end.cancel();
        self.server.await.expect("it does not panic").expect("it ends in order");
    }
}

//! The gateway on a socket of its own: one more, over the database and the bytes of an application.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use gateway::Config;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{TestApp, assemble};

/// Over an application that somebody else holds.
pub struct Running {
    pub address: SocketAddr,
    end: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl Running {
    pub async fn over(app: &TestApp) -> Self {
        let end = CancellationToken::new();
        let config = app.state.config.clone();
        let state = assemble(&app.db, app.blobs.path(), config, end.clone()).await;
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let server =
            actix_web::rt::spawn(gateway::serve(state, listener, end.clone(), crate::FURTHER));
        Self { address, end, server }
    }

    /// Asks it to leave, and waits.
    pub async fn end(self) {
        self.end.cancel();
        self.server.await.expect("it does not panic").expect("it ends in order");
    }
}

/// With an application of its own.
pub struct Served {
    pub app: TestApp,
    pub address: SocketAddr,
    running: Running,
}

impl Served {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With another configuration than the usual one.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::with(change).await;
        let running = app.served().await;
        Self { app, address: running.address, running }
    }

    pub async fn end(self) {
        self.running.end().await;
    }
}

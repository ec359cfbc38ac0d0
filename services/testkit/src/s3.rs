//! A server of S3's protocol over a folder, as `s3s` has it: real HTTP, real signatures, on loopback.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Context, anyhow};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, task::JoinHandle};

const KEY: &str = "cupola-tests";
const SECRET: &str = "a secret of the tests";

pub struct S3 {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl S3 {
    /// Its one bucket.
    pub const BUCKET: &str = "cupola";

    /// Keeps the bucket in a folder of its name below this one.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder.join(Self::BUCKET)).context("could not make the bucket")?;
        let files = FileSystem::new(folder).map_err(|why| anyhow!("{why:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let connections = auto::Builder::new(TokioExecutor::new());
                    // a client that hangs up is no error of the server's
                    let _ = connections.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { address, accepting })
    }

    /// What stands in the environment of a service that uses it.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.environment_with(SECRET)
    }

    pub fn environment_with(&self, secret: &str) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

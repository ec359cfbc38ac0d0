//! The server that the demo talks to: one that runs on this data folder already, or its own.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{serve, up};

const START_TIMEOUT: Duration = Duration::from_secs(120);
const STOP_TIMEOUT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub struct Server {
    pub url: String,
    child: Option<Child>,
}

pub async fn find_or_start(data: &Path) -> anyhow::Result<Server> {
    if let Some(url) = running(data).await {
        println!("cupola is up already at {url}");
        return Ok(Server { url, child: None });
    }
    // an address of an earlier run must not be taken for the new one's
    let _ = std::fs::remove_file(data.join(up::URL_FILE));
    println!("starting cupola in {}", data.display());
    let mut child = Command::new(serve::own_program()?)
        .args(["up", "--lifeline", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .env("CUPOLA_LOG", std::env::var("CUPOLA_LOG").unwrap_or_else(|_| "warn".to_owned()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cupola could not be started")?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let Some(url) = running(data).await {
            return Ok(Server { url, child: Some(child) });
        }
        if let Some(status) = child.try_wait()? {
            bail!("cupola ended at its start ({status}); what it said is above");
        }
        if Instant::now() > deadline {
            bail!("cupola was not ready after {} s", START_TIMEOUT.as_secs());
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn running(data: &Path) -> Option<String> {
    let url = std::fs::read_to_string(data.join(up::URL_FILE)).ok()?;
    let http =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().ok()?;
    let ready = http.get(format!("{url}/readyz")).send().await.ok()?;
    ready.status().is_success().then_some(url)
}

impl Server {
    /// Ends a server of the demo's own; `true` if it goes on running.
    pub async fn stop(self) -> anyhow::Result<bool> {
        let Some(mut child) = self.child else { return Ok(true) };
        drop(child.stdin.take());
        match tokio::time::timeout(STOP_TIMEOUT, child.wait()).await {
            Ok(status) => drop(status?),
            Err(_) => bail!("cupola did not end within {} s", STOP_TIMEOUT.as_secs()),
        }
        Ok(false)
    }
}

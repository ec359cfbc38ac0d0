//! The console's pages of a tenant with 10,000 jobs and 1,000 models: how long the server takes for each, as whoever
//! asks sees it over a kept connection.
//!
//! `bench-console [NAME…]` asks the pages whose names contain one of the words, or all, and puts a table into
//! `docs/BENCHMARKS.md`. It ends with 1 if a page takes longer than what is asked.

mod browser;
mod pages;

use std::{path::Path, process::ExitCode, time::Instant};

use anyhow::{Context, bail};
use domain::Clock;
use e2e::{
    Client, Platform,
    bench::{self, Machine, Options, Quiet, Section, Server, percentile},
    breast_cancer,
};
use serde_json::json;
use tokio::runtime::Runtime;

use browser::Browser;
use pages::{Page, Whose};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const TENANT: &str = "acme";
/// Of each page, and before them so many that do not count.
const TIMES: usize = 50;
const WARMING: usize = 10;
const ASKED_MILLIS: f64 = 50.0;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-console: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<bool> {
    let options = Options::read()?;
    bench::binary()?;
    let machine = Machine::describe();
    let quiet = Quiet::find(options.anyway)?;
    let runtime = Runtime::new()?;
    let side = runtime.block_on(Side::start())?;
    let about = format!(
        "{}; {}, {}, 10,000 jobs and 1,000 models, one page at a time, {TIMES} of each.",
        machine.about,
        machine.ours,
        Server::find()?.version()?,
    );
    quiet.wait()?;
    let said = quiet.said(&Clock::System.now().format("%Y-%m-%d").to_string(), 1);
    let pages = runtime.block_on(side.pages())?;
    let (mut lines, mut ok) = (Vec::new(), true);
    for page in pages.iter().filter(|page| options.selects(page.name)) {
        let (millis, bytes) = runtime.block_on(side.measure(page))?;
        ok &= percentile(&millis, 0.99) < ASKED_MILLIS;
        let line = vec![
            page.name.to_owned(),
            format!("{:.1}", percentile(&millis, 0.5)),
            format!("{:.1}", percentile(&millis, 0.99)),
            format!("{ASKED_MILLIS:.0}"),
            format!("{:.0}", bytes as f64 / 1024.0),
            said.clone(),
        ];
        eprintln!("{}", line.join("  "));
        lines.push(line);
    }
    let header = ["page", "p50, ms", "p99, ms", "asked, ms", "KiB", "measured"];
    let header = header.map(str::to_owned).to_vec();
    let section = Section { name: "bench-console", about, header, lines };
    println!("{}\n", section.printed());
    section.write(Path::new(DOCUMENT))?;
    println!("{}", if ok { "every page reaches what is asked" } else { "a page fails" });
    Ok(ok)
}

struct Side {
    /// Which ends with this.
    _platform: Platform,
    tenant: Client,
    owner: Browser,
    operator: Browser,
    visitor: Browser,
}

impl Side {
    /// With one training, which is then there 10,000 times. Nobody runs what waits.
    async fn start() -> anyhow::Result<Self> {
        let mut platform = Platform::start_for_a_benchmark().await;
        let tenant = platform.operator.tenant(TENANT).await;
        let (csv, draft) = breast_cancer();
        tenant.push_csv("breast-cancer", &csv).await;
        let job = tenant.submit(&draft).await;
        tenant.wait_for_status(&job, "succeeded").await;
        platform.worker.stop().await;
        platform.scheduler.stop().await;
        let begun = Instant::now();
        testkit::fill_with_much(&platform.owner_url(), TENANT, Clock::System.now())?;
        eprintln!("filled in {:.0} s", begun.elapsed().as_secs_f64());
        let host = platform.operator.host();
        let invitation = json!({ "email": "op@platform.example", "role": "operator" });
        let invited = platform.operator.post("/v1/platform/invitations", &invitation).await.ok();
        let token = invited["token"].as_str().context("the invitation is shown once")?;
        let operator = Browser::invited(&host, token).await?;
        let owner = Browser::signed_in(&host, &format!("owner@{TENANT}.example")).await?;
        let visitor = Browser::new(&host);
        Ok(Self { _platform: platform, tenant, owner, operator, visitor })
    }

    /// With the ids of some jobs and a sweep.
    async fn pages(&self) -> anyhow::Result<Vec<Page>> {
        let get = |path: &'static str, place: usize| async move {
            let found = self.tenant.get(path).await.ok();
            let id = found["items"][place]["id"].as_str().map(str::to_owned);
            id.with_context(|| format!("{path} has nothing there"))
        };
        let of = "/v1/jobs?limit=200&status=succeeded";
        let jobs = [get(of, 20).await?, get(of, 30).await?, get(of, 40).await?];
        let queued = get("/v1/jobs?limit=1&status=queued", 0).await?;
        let failed = get("/v1/jobs?limit=1&status=failed", 0).await?;
        let sweep = get("/v1/sweeps", 0).await?;
        Ok(pages::all(&jobs, &queued, &failed, &sweep))
    }

    async fn measure(&self, page: &Page) -> anyhow::Result<(Vec<f64>, usize)> {
        let browser = match page.whose {
            Whose::Owner => &self.owner,
            Whose::Operator => &self.operator,
            Whose::Visitor => &self.visitor,
        };
        let (mut millis, mut bytes) = (Vec::new(), 0);
        for n in 0..WARMING + TIMES {
            let begun = Instant::now();
            let (status, length) = browser.get(&page.path).await?;
            let taken = begun.elapsed().as_secs_f64() * 1e3;
            if status != 200 {
                bail!("{} answers {status}", page.path);
            }
            bytes = length;
            if n >= WARMING {
                millis.push(taken);
            }
        }
        Ok((millis, bytes))
    }
}

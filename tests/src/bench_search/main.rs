//! Searches among a million generated public models, in a Postgres of its own: what each kind of question
//! costs, and whether a page costs more the deeper it lies.
//!
//! `bench-search [NAME…]` asks the questions whose names contain one of the words, or all, and puts tables
//! into `docs/BENCHMARKS.md`. It ends with 1 if a kind misses what is asked.

mod made;
mod questions;

use std::{env, path::Path, process::ExitCode, time::Instant};

use anyhow::{Context, ensure};
use domain::{Clock, TenantId};
use e2e::bench::{Machine, Options, Quiet, Section, Server, Turn, percentile};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use store::{
    Page, Service, Store,
    models::{self, Found, Search},
};
use tokio::runtime::Runtime;

use made::{INDEXES, SEED, World};
use questions::{LONG, QUESTIONS, Question};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const MODELS: usize = 1_000_000;
/// Of each kind.
const QUERIES: usize = 500;
/// Before them, of others of each kind, so that what is asked all day is in memory, and in that of the connection.
const WARMING: usize = 100;
const ASKED_MILLIS: f64 = 20.0;
const PAGE: u32 = 50;
/// The first page of each measurement and how many.
const DEPTHS: [(usize, usize); 4] = [(1, 9), (10, 50), (100, 50), (1_000, 50)];
/// As somebody would who has a million models; the rest is as Postgres comes.
const SETTINGS: [(&str, &str); 3] =
    [("shared_buffers", "4GB"), ("random_page_cost", "1.1"), ("max_wal_size", "1GB")];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-search: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<bool> {
    let options = Options::read()?;
    let [count, queries] = [number("MODELS", MODELS)?, number("QUERIES", QUERIES)?];
    let machine = Machine::describe();
    let quiet = Quiet::find(options.anyway)?;
    let server = Server::find()?;
    let turn = server.start()?;
    for (setting, value) in SETTINGS {
        turn.set(setting, value)?;
    }
    drop(turn);
    let turn = server.start()?;
    let runtime = Runtime::new()?;
    let world = World::draw(count, Clock::System.now());
    let store = runtime.block_on(fill(&world, &turn))?;
    let size = "select pg_size_pretty(pg_table_size('public_model')),
                       pg_size_pretty(pg_indexes_size('public_model'))";
    let about = format!(
        "{}; {}, {}, shared_buffers {}, {count} public models (table | indexes: {}), one question at a time, {queries} of each kind.",
        machine.about,
        machine.ours,
        server.version()?,
        SETTINGS[0].1,
        turn.answer(size)?,
    );
    quiet.wait()?;
    let today = quiet.said(&Clock::System.now().format("%Y-%m-%d").to_string(), 1);
    let asker = Asker { store, world, queries };
    runtime.block_on(asker.warm())?;
    let (mut lines, mut ok) = (Vec::new(), true);
    for question in QUESTIONS.iter().filter(|question| options.selects(question.name)) {
        let asked = runtime.block_on(asker.ask(question))?;
        ok &= percentile(&asked.millis, 0.99) < ASKED_MILLIS;
        eprintln!("{}", asked.line(&today).join("  "));
        lines.push(asked.line(&today));
    }
    let header = ["question", "found something, %", "p50, ms", "p99, ms", "asked, ms", "measured"];
    let kinds = section("bench-search", &about, &header, lines);
    let mut lines = Vec::new();
    for question in LONG.iter().filter(|question| options.selects(question.name)) {
        let mut line = runtime.block_on(asker.leaf_through(question))?;
        line.push(today.clone());
        eprintln!("{}", line.join("  "));
        lines.push(line);
    }
    let header = ["list", "pages 1 to 9", "10 to 59", "100 to 149", "1000 to 1049", "measured"];
    let depths = section("bench-search-depth", &about, &header, lines);
    for section in [kinds, depths] {
        println!("{}\n", section.printed());
        section.write(Path::new(DOCUMENT))?;
    }
    println!("{}", if ok { "every kind reaches what is asked" } else { "a kind fails" });
    Ok(ok)
}

fn section(name: &'static str, about: &str, header: &[&str], lines: Vec<Vec<String>>) -> Section {
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    Section { name, about: about.to_owned(), header, lines }
}

fn number(variable: &str, usual: usize) -> anyhow::Result<usize> {
    match env::var(variable).ok().filter(|text| !text.is_empty()) {
        Some(text) => text.parse().with_context(|| format!("{variable}={text} is no number")),
        None => Ok(usual),
    }
}

async fn fill(world: &World, turn: &Turn) -> anyhow::Result<Store> {
    let begun = Instant::now();
    store::admin::migrate(&turn.url()).await?;
    world.load(turn)?;
    let store = Store::connect(&turn.url_as(Service::Gateway.login()), 1, Service::Gateway)?;
    turn.load(|to| Ok(writeln!(to, "{INDEXES}")?))?;
    eprintln!("filled in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(store)
}

struct Asker {
    store: Store,
    world: World,
    queries: usize,
}

struct Answers {
    name: &'static str,
    found: usize,
    millis: Vec<f64>,
}

impl Answers {
    fn line(&self, measured: &str) -> Vec<String> {
        vec![
            self.name.to_owned(),
            (100 * self.found / self.millis.len()).to_string(),
            format!("{:.1}", percentile(&self.millis, 0.5)),
            format!("{:.1}", percentile(&self.millis, 0.99)),
            format!("{ASKED_MILLIS:.0}"),
            measured.to_owned(),
        ]
    }
}

impl Asker {
    async fn warm(&self) -> anyhow::Result<()> {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED + 3);
        for question in &QUESTIONS {
            for _ in 0..WARMING {
                self.page(&(question.draw)(&self.world, &mut rng)).await?;
            }
        }
        Ok(())
    }

    async fn ask(&self, question: &Question) -> anyhow::Result<Answers> {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED + 1);
        let mut answers = Answers { name: question.name, found: 0, millis: Vec::new() };
        for _ in 0..self.queries {
            let (page, millis) = self.page(&(question.draw)(&self.world, &mut rng)).await?;
            answers.found += usize::from(!page.items.is_empty());
            answers.millis.push(millis);
        }
        Ok(answers)
    }

    /// Page after page, as far as the deepest that is measured.
    async fn leaf_through(&self, question: &Question) -> anyhow::Result<Vec<String>> {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED + 2);
        let mut search = (question.draw)(&self.world, &mut rng);
        let mut millis = Vec::new();
        let last = DEPTHS.iter().map(|(first, pages)| first + pages).max().unwrap_or_default();
        while millis.len() + 1 < last {
            let (page, taken) = self.page(&search).await?;
            millis.push(taken);
            ensure!(page.has_more, "{} ends at page {}", question.name, millis.len());
            search.after = page.items.last().map(|found| found.place);
        }
        let mut line = vec![question.name.to_owned()];
        for (first, pages) in DEPTHS {
            let these = &millis[first - 1..first - 1 + pages];
            let [half, most] = [0.5, 0.99].map(|share| percentile(these, share));
            line.push(format!("{half:.1} / {most:.1}"));
        }
        Ok(line)
    }

    /// As the gateway asks for it: a transaction of its own.
    async fn page(&self, search: &Search) -> anyhow::Result<(Page<Found>, f64)> {
        let search = Search { limit: Some(PAGE), ..search.clone() };
        let begun = Instant::now();
        let mut tx = self.store.begin_for(TenantId::from_uuid(self.world.tenants[0])).await?;
        let page = models::search(&mut tx, &search).await?;
        tx.commit().await?;
        Ok((page, begun.elapsed().as_secs_f64() * 1e3))
    }
}

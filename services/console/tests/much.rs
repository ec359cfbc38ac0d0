//! A tenant with 10,000 jobs and 1,000 models on a platform of 2,000 workers: every page of it, and the operators', is made of a few statements,
//! each of which reads few rows and none of these tables from end to end. Postgres itself tells: it sends each plan,
//! with the rows that were read, to the connection that asked.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Mutex, PoisonError},
};

use domain::{Resources, WorkerId};
use futures::future::join_all;
use serde_json::Value;
use store::{
    Service,
    workers::{self, NewWorker},
};
use testkit::{explain_to_clients, fill_with_much};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    browser::{Browser, Page, unescaped},
    crawl::furnished,
    managing::operator,
    support::{TestApp, without_rates},
};

/// Of one page, beside its assets.
const MOST_STATEMENTS: usize = 60;
/// Whoever sees what a pool has reads its workers once.
const MOST_READ: f64 = 25_000.0 + WORKERS as f64;
const MOST_BYTES: usize = 400_000;
/// As many as the store has, or more.
const CONNECTIONS: usize = 12;
/// Of the same kind, so many are opened.
const EACH: usize = 2;
const FEWEST_PAGES: usize = 60;
const WORKERS: usize = 2_000;
/// That the tenant has very much in.
const LARGE: [&str; 9] = [
    "job",
    "attempt",
    "job_event",
    "job_metric",
    "job_log",
    "model",
    "model_version",
    "model_tally",
    "public_model",
];
/// What Postgres has told since it was asked last.
struct Told;

static PLANS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn take_plans() -> Vec<Value> {
    let texts = std::mem::take(&mut *PLANS.lock().unwrap_or_else(PoisonError::into_inner));
    let plans = texts.iter().filter_map(|text| text.split_once("plan:\n"));
    plans.map(|(_, plan)| serde_json::from_str(plan).expect("a plan is JSON")).collect()
}

struct Message;

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            PLANS.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            PLANS.lock().unwrap_or_else(PoisonError::into_inner).push(value.to_owned());
        }
    }
}

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What a page has cost.
#[derive(Default, Debug)]
struct Cost {
    statements: usize,
    read: f64,
    from_end_to_end: Vec<String>,
    dearest: (f64, String),
}

impl Cost {
    fn of(plans: &[Value]) -> Self {
        let mut cost = Self { statements: plans.len(), ..Self::default() };
        for plan in plans {
            let before = cost.read;
            cost.add(&plan["Plan"]);
            let read = cost.read - before;
            if read > cost.dearest.0 {
                cost.dearest = (read, plan["Query Text"].to_string().chars().take(300).collect());
            }
        }
        cost
    }

    fn add(&mut self, node: &Value) {
        let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
        let kind = node["Node Type"].as_str().unwrap_or_default();
        if let Some(table) = node["Relation Name"].as_str() {
            let rows = number("Actual Rows") + number("Rows Removed by Filter");
            self.read += (rows + number("Rows Removed by Index Recheck")) * number("Actual Loops");
            if kind == "Seq Scan" && LARGE.contains(&table) {
                self.from_end_to_end.push(table.to_owned());
            }
        }
        for part in node["Plans"].as_array().into_iter().flatten() {
            self.add(part);
        }
    }
}

/// The address of a page without what tells it from others of its kind.
fn shape(path: &str) -> String {
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let is_name = |part: &str| part.contains(|c: char| c.is_ascii_digit());
    let parts = place.split('/').map(|part| if is_name(part) { "*" } else { part });
    let names = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name @ ("status" | "kind" | "visibility" | "task" | "period"), value)) => {
            format!("{name}={value}")
        }
        Some((name, _)) => name.to_owned(),
        None => String::new(),
    });
    format!("{}?{}", parts.collect::<Vec<_>>().join("/"), names.collect::<Vec<_>>().join("&"))
}

#[actix_web::test]
async fn every_page_of_a_tenant_with_very_much_reads_little() {
    tracing::subscriber::set_global_default(Told).expect("this process has none");
    let app = TestApp::with(without_rates).await;
    furnished(&app).await;
    register_workers(&app).await;
    fill_with_much(&app.db.owner_url(), "acme", app.state.clock.now()).unwrap();
    explain_to_clients(&app.db.owner_url()).unwrap();
    // connections from before are gone
    let all_answer = async || {
        let asked = join_all((0..CONNECTIONS).map(|_| app.state.store.check())).await;
        asked.into_iter().all(|answer| answer.is_ok())
    };
    while !all_answer().await {}
    take_plans();
    let browsers = [Browser::signed_in(&app, "owner@acme.example").await, operator(&app).await];
    let more = [
        "/console/jobs?status=cancelled",
        "/console/jobs?status=failed",
        "/console/jobs?status=running",
        "/console/models?q=copy&sort=updated",
        "/console/models?visibility=public&q=copy+trained&task=binary_classification",
        "/console/models/acme/model-0001",
        "/registry?q=copy",
        "/registry/acme/model-0002",
    ];
    let nobody = Browser::new(&app);
    let mut costs = BTreeMap::new();
    let mut wrong = Vec::new();
    for browser in browsers.iter().chain([&nobody]) {
        let start = ["/console".to_owned()].into_iter().chain(more.map(str::to_owned));
        let mut todo: VecDeque<_> = start.collect();
        let mut opened = BTreeMap::<String, usize>::new();
        while let Some(path) = todo.pop_front() {
            let count = opened.entry(shape(&path)).or_default();
            *count += 1;
            if *count > EACH {
                continue;
            }
            take_plans();
            let page = browser.get(&path).await;
            let cost = Cost::of(&take_plans());
            assert!(matches!(page.reply.status, 200 | 303 | 403), "{path}: {}", page.text);
            println!("{:>3} {:>7} {:>7} {path}", cost.statements, cost.read, page.text.len());
            if cost.statements > MOST_STATEMENTS
                || cost.read > MOST_READ
                || !cost.from_end_to_end.is_empty()
                || page.text.len() > MOST_BYTES
            {
                wrong.push(format!("{path}: {} bytes, {cost:?}", page.text.len()));
            }
            todo.extend(links(&page));
            costs.insert(path, cost);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let first = browsers[1].get("/console").await.expect(200);
    first
        .shows("2\u{202f}001 workers")
        .shows("<span>0 to 10 %</span><strong>2\u{202f}001</strong>");
    assert_eq!(first.text.matches("<tr>").count(), 201, "a page of them, and the head");
    assert!(costs.len() > FEWEST_PAGES, "{costs:?}");
    let all: usize = costs.values().map(|cost| cost.statements).sum();
    assert!(all > costs.len(), "Postgres has told of its plans");
}

async fn register_workers(app: &TestApp) {
    let mut tx = app.state.store.acting_as(Service::Worker).begin().await.unwrap();
    for name in (0..WORKERS).map(|n| format!("worker-{n:04}")) {
        let capacity = Resources::cpu(8_000, 32 << 30);
        let new = NewWorker { id: WorkerId::generate(), name: &name, pool: "default", capacity };
        workers::register(&mut tx, &new).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn links(page: &Page) -> Vec<String> {
    let links = page.values_of("href=\"").map(unescaped);
    let links = links.map(|link| link.split('#').next().unwrap_or_default().to_owned());
    let is_page = |link: &String| {
        (link.starts_with("/console") || link.starts_with("/registry"))
            && !link.starts_with("/console/assets/")
            && !link.ends_with("/content")
            && !link.contains("/files/")
    };
    links.filter(is_page).collect()
}

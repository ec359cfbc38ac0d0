//! Whole replays: small made ones, the shapes of published workloads, and the real trace.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::path::PathBuf;

use planner::Order;
use simulator::{
    Figures, Workload, run,
    workload::{Generate, Setup, read},
};

const ORDERS: [Order; 4] = [Order::FairShare, Order::Fifo, Order::Priority, Order::RoundRobin];

fn figures(workload: &Workload, setup: &Setup, order: Order) -> Figures {
    Figures::of(workload, &run(workload, setup, order), order)
}

fn generated(change: impl FnOnce(&mut Generate)) -> Workload {
    let mut generate = Generate { tenants: 10, jobs: 1_000, workers: 5, ..Generate::default() };
    change(&mut generate);
    let mut workload = generate.workload().unwrap();
    workload.jobs.sort_by_key(|job| job.submitted);
    workload
}

#[test]
fn every_job_ends_in_every_order_and_the_same_seed_gives_the_same_run() {
    let (workload, setup) = (generated(|g| g.gangs = 0.1), Setup::default());
    for order in ORDERS {
        let (first, again) = (run(&workload, &setup, order), run(&workload, &setup, order));
        assert!(first.finished.iter().all(Option::is_some), "{order:?}");
        assert_eq!(first.finished, again.finished, "{order:?}");
        assert_eq!(first.stops, again.stops);
    }
}

#[test]
fn under_load_shares_are_more_equal_than_in_order_of_age() {
    let (workload, setup) = (generated(|g| (g.load, g.guaranteed) = (1.5, 0.0)), Setup::default());
    let [fair, fifo, ..] = ORDERS.map(|order| figures(&workload, &setup, order));
    assert!(fair.jain > fifo.jain, "{fair:?} {fifo:?}");
    assert!(fair.wait_small.p90 < fifo.wait_small.p90, "{fair:?} {fifo:?}");
}

#[test]
fn tenants_with_as_much_work_as_each_other_get_as_much_of_the_pool() {
    let workload = generated(|g| (g.zipf, g.load, g.guaranteed) = (0.0, 4.0, 0.0));
    let fair = figures(&workload, &Setup::default(), Order::FairShare);
    assert!(fair.jain.unwrap() > 0.9, "{fair:?}");
}

#[test]
fn work_is_done_twice_only_where_guarantees_are_given_back() {
    let setup = Setup::default();
    let none = figures(&generated(|g| g.guaranteed = 0.0), &setup, Order::FairShare);
    assert_eq!((none.stops, none.wasted), (0, 0.0));
    let half = figures(&generated(|g| g.load = 1.5), &setup, Order::FairShare);
    assert!(half.stops > 0 && half.wasted < 0.1, "{half:?}");
}

/// Nobody with work waits longer for a start than every tenant's longest job takes, one after another.
#[test]
fn a_tenant_with_work_waits_no_longer_than_is_stated() {
    for seed in 0..40 {
        let workload = generated(|g| {
            (g.seed, g.jobs, g.tenants, g.load) = (seed, 300, 5, 2.0);
            g.guaranteed = if seed % 2 == 0 { 0.5 } else { 0.0 };
            g.gangs = if seed % 4 < 2 { 0.2 } else { 0.0 };
        });
        let setup = Setup::default();
        let longest = workload.jobs.iter().map(|job| job.max_runtime_secs).max().unwrap();
        let each = longest as i64 + setup.grace + setup.min_runtime;
        let bound = (each * workload.tenants.len() as i64) as f64;
        let figures = figures(&workload, &setup, Order::FairShare);
        assert!(figures.drought <= bound, "seed {seed}: {} of {bound}", figures.drought);
    }
}

#[test]
fn a_forecast_is_an_interval_that_mostly_holds() {
    let workload = generated(|g| g.jobs = 400);
    let setup = Setup { forecast_every: 5, ..Setup::default() };
    let figures = figures(&workload, &setup, Order::FairShare);
    assert!(figures.forecasts >= 50, "{figures:?}");
    assert!(figures.coverage > 0.5, "{figures:?}");
}

fn written(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("cupola-simulator-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn kueues_baseline_workload_ends_near_its_ideal() {
    let trace =
        written("kueue.json", include_str!("../../../docs/examples/traces/kueue-baseline.json"));
    let setup = Setup::default();
    let workload = read(&trace, None, &setup).unwrap();
    assert_eq!((workload.jobs.len(), workload.tenants.len()), (15_000, 30));
    let figures = figures(&workload, &setup, Order::FairShare);
    // 1,320 unit-seconds for each queue of 20 units: 66 s
    assert!(figures.makespan < 1.1 * 66.0, "{figures:?}");
}

#[test]
fn a_trace_that_is_none_is_refused_by_name() {
    let setup = Setup::default();
    let message = |path: &PathBuf| format!("{:#}", read(path, None, &setup).unwrap_err());
    assert!(message(&written("a.txt", "")).contains("neither a table"));
    assert!(message(&written("b.json", "{}")).contains("b.json"));
    assert!(
        message(&written("c.csv", "a,b\n1,2\n")).contains("node"),
        "{}",
        message(&written("c.csv", ""))
    );
    let bad = Setup { speed: 0.0, ..Setup::default() };
    assert!(bad.check().unwrap_err().to_string().contains("speed"));
}

#[test]
fn the_openb_trace_is_replayed_whole() {
    let Ok(data) = std::env::var("CUPOLA_DATA") else {
        println!("skipped: CUPOLA_DATA is not set");
        return;
    };
    let trace = PathBuf::from(data).join("openb-trace/openb_pod_list_default.csv.gz");
    let setup = Setup { speed: 200.0, ..Setup::default() };
    let workload = read(&trace, None, &setup).unwrap();
    assert_eq!((workload.jobs.len(), workload.workers.len()), (8_152, 1_213));
    let figures = figures(&workload, &setup, Order::FairShare);
    assert_eq!(figures.finished, 8_152);
}

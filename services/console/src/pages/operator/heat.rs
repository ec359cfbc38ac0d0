//! How full workers are: a cell for each, by the share of what it has least left of, in words and in shades; where
//! there are too many for that, how many are how full.

use maud::{Markup, html};
use serde::Deserialize;

use super::pools::{Worker, share};
use crate::{layout, words};

/// Of the stylesheet, from nearly nothing to full.
const SHADES: f64 = 5.0;

#[derive(Deserialize)]
pub(super) struct Load {
    pub pool: String,
    tenths: Vec<u64>,
    idle: u64,
    pub cordoned: u64,
    pub draining: u64,
}

/// Of these workers, which are in the order of their pools.
pub(super) fn cells(workers: &[Worker]) -> Markup {
    html! {
        @for workers in workers.chunk_by(|one, next| one.pool == next.pool) {
            h3 { (workers[0].pool) " " span.quiet.small { (words::many(workers.len() as u64, "worker")) } }
            ul.heat { @for worker in workers { (cell(worker)) } }
        }
        p.hint { "The darker, the fuller: by what a worker has least left of." }
    }
}

fn cell(worker: &Worker) -> Markup {
    let is_gone = worker.state == "gone";
    let (share, what) = busiest(worker);
    let class = if is_gone { "away" } else { shade(share) };
    html! {
        li class=(class) {
            span { (worker.name) }
            @if is_gone { strong { "away" } }
            @else {
                strong { (percent(share)) }
                @if share > 0.0 { span { (what) } } @else { span { "idle" } }
                @if worker.state != "up" { (layout::badge(&worker.state)) }
            }
        }
    }
}

/// What it has least left of, and how much of that is in use.
fn busiest(Worker { used, capacity, accelerator, .. }: &Worker) -> (f64, &str) {
    let all = [
        (share(used.cpu_milli, capacity.cpu_milli), "CPUs"),
        (share(used.memory_bytes, capacity.memory_bytes), "memory"),
        (
            share(used.accelerator_milli, capacity.accelerator_milli),
            accelerator.as_deref().unwrap_or_default(),
        ),
    ];
    // of equals the first
    all.into_iter().rev().max_by(|one, other| one.0.total_cmp(&other.0)).unwrap_or_default()
}

/// Never full before it is, nor idle while it works.
fn percent(share: f64) -> String {
    let whole = (share * 100.0).floor().max(if share > 0.0 { 1.0 } else { 0.0 });
    format!("{whole} %")
}

fn shade(share: f64) -> &'static str {
    match (share * SHADES).ceil() {
        n if n <= 0.0 => "heat-0",
        n if n <= 1.0 => "heat-1",
        n if n <= 2.0 => "heat-2",
        n if n <= 3.0 => "heat-3",
        n if n <= 4.0 => "heat-4",
        _ => "heat-5",
    }
}

/// Of every pool, however many workers it has.
pub(super) fn tenths(loads: &[Load]) -> Markup {
    html! {
        @for load in loads {
            h3 { (load.pool) " " span.quiet.small { (words::many(load.tenths.iter().sum::<u64>(), "worker")) } }
            ul.heat {
                @for (tenth, workers) in load.tenths.iter().enumerate() {
                    li class=(shade((tenth + 1) as f64 / load.tenths.len() as f64)) {
                        span { (tenth * 10) " to " (tenth * 10 + 10) " %" }
                        strong { (words::count(*workers)) }
                    }
                }
            }
            p.small { "Of these " (words::count(load.idle)) " idle, " (words::count(load.cordoned)) " cordoned, " (words::count(load.draining)) " draining." }
        }
        p.hint { "How many workers are how full: by what each has least left of." }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn worker(name: &str, pool: &str, state: &str, cpus: u64, gib: u64, gpus: u64) -> Worker {
        let amounts = |cpus: u64, gib: u64, gpus: u64| json!({"cpu_milli": cpus * 1000, "memory_bytes": gib << 30, "accelerator_milli": gpus * 1000});
        from_value(json!({
            "id": "wrk_1", "name": name, "pool": pool, "state": state, "running_jobs": 1,
            "accelerator": "h200", "capacity": amounts(8, 8, 4), "used": amounts(cpus, gib, gpus),
            "heartbeat_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn each_worker_says_how_full_it_is_and_of_what() {
        let workers = [
            worker("a", "one", "up", 2, 4, 1),
            worker("b", "one", "cordoned", 8, 1, 0),
            worker("c", "two", "draining", 0, 0, 3),
            worker("<d>", "two", "up", 0, 0, 0),
            worker("e", "two", "gone", 1, 1, 1),
        ];
        let drawn = cells(&workers).into_string();
        let cells: Vec<_> = drawn.split("<li class=\"").skip(1).collect();
        let has = |cell: usize, parts: &[&str]| {
            assert!(parts.iter().all(|part| cells[cell].contains(part)), "{}", cells[cell]);
        };
        has(0, &["heat-3", "a", "50 %", "memory"]);
        has(1, &["heat-5", "100 %", "CPUs", "cordoned"]);
        has(2, &["heat-4", "75 %", "h200", "draining"]);
        has(3, &["heat-0", "&lt;d&gt;", "0 %", "idle"]);
        has(4, &["away"]);
        assert_eq!((cells.len(), drawn.matches("<h3>").count()), (5, 2));
        assert_eq!(
            (percent(0.999), percent(0.001), percent(1.0)),
            ("99 %".to_owned(), "1 %".to_owned(), "100 %".to_owned())
        );
    }

    #[test]
    fn of_very_many_workers_it_is_said_how_many_are_how_full() {
        let tenth = [1_000, 0, 0, 0, 0, 500, 0, 0, 0, 500];
        let load =
            json!({"pool": "one", "tenths": tenth, "idle": 990, "cordoned": 3, "draining": 4});
        let drawn = tenths(&[from_value(load).unwrap()]).into_string();
        assert_eq!(drawn.matches("<li").count(), 10);
        for said in
            ["2\u{202f}000 workers", "0 to 10 %", "90 to 100 %", "990 idle", "heat-1", "heat-5"]
        {
            assert!(drawn.contains(said), "{said}: {drawn}");
        }
    }
}

//! A short chaos: a dozen jobs, and every kind of trouble at least once. `make chaos` is the long one.

use e2e::chaos::{self, Options};

/// Every kind of trouble, as it is counted.
const TROUBLES: &[&str] = &[
    "workers killed",
    "workers killed, and back after their lease",
    "workers paused past their lease",
    "workers asked to leave",
    "leading schedulers killed",
    "other schedulers killed",
    "leaders paused past their lease",
    "fights for the lead",
    "gateways killed",
    "Postgres killed",
    "Postgres stopped until it counted as away",
    "Redis killed, and away for a while",
    "Redis flushed, its listeners cut off",
];

#[tokio::test]
async fn whatever_is_done_no_job_is_lost_or_done_twice_or_let_past_a_cap() {
    let report = chaos::run(&Options { seed: 5, jobs: 12, minutes: 0.0 }).await;
    println!("{report}");
    assert!(report.is_clean(), "something is wrong; the lines above say what");
    for trouble in TROUBLES {
        assert_eq!(report.count(trouble), 1, "{trouble}");
    }
    // one of the dozen can only die, which takes as many tries as there are
    assert!(report.count("processes of poisoned jobs killed") >= 1);
    assert!(report.count("duplicates of them, answered with the same job") >= 6);
    let skipped = report.tally.keys().filter(|what| what.starts_with("SKIPPED")).count() as u64;
    assert_eq!(report.count("disks full") + skipped, 1);
}

//! A job of two workers: both train its one model, and when one of them dies, both parts go on from the
//! last round on what is left.

use e2e::Platform;
use serde_json::{Value, json};

use crate::outcome::{MIDDLE, undisturbed_as};

/// So large that a worker has room for one of the two only, and long enough for `MIDDLE`.
fn of_two(draft: &mut Value) {
    draft["workers"] = json!(2);
    draft["resources"] = json!({"cpu_milli": 3_000, "memory_bytes": 256 << 20});
    draft["epochs"] = json!(90);
}

#[tokio::test]
async fn two_workers_train_one_model_and_one_of_them_may_die() {
    let platform = Platform::start().await;
    let mut other = platform.start_worker("two");
    let reference = undisturbed_as(&platform.operator, of_two).await;
    let job = reference.in_the_middle().await;
    let children = [&platform.worker, &other].map(|worker| worker.children().len());
    assert_eq!(children, [1, 1], "each has its part");
    other.kill();
    let _third = platform.start_worker("three");
    reference.equals(&job).await;
    assert!(reference.resumed_from(&job).await >= MIDDLE);
    let job = reference.client.job(&job).await;
    assert_eq!((&job["attempt"], &job["tries"]), (&json!(2), &json!(1)));
}

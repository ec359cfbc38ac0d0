//! `cupola up`: everything in one, on a Postgres of its own.

use e2e::{Up, is_alive, wait_until};

use crate::outcome::{MIDDLE, undisturbed};

async fn all_gone(processes: &[u32]) {
    for process in processes {
        let what = format!("the end of process {process}");
        wait_until(&what, async || (!is_alive(*process)).then_some(())).await;
    }
}

#[tokio::test]
async fn it_is_killed_in_the_middle_and_goes_on_where_it_was() {
    let mut up = Up::start().await;
    let reference = undisturbed(&up.operator).await;
    let job = reference.in_the_middle().await;
    let processes = up.process.children();
    assert!(processes.len() >= 3, "a Postgres, a worker and its child: {processes:?}");
    up.process.kill();
    // at once, while what it had started is still ending
    up.start_again().await;
    reference.equals(&job).await;
    assert!(reference.resumed_from(&job).await >= MIDDLE);
    all_gone(&processes).await;

    let processes = up.process.children();
    assert!(up.process.stop().await.success());
    assert!(processes.iter().all(|process| !is_alive(*process)), "it left a process behind");
}

#[tokio::test]
async fn replicas_come_and_go_with_it() {
    let mut up = Up::start_with(vec![("CUPOLA_SERVING_REPLICAS", "2".to_owned())]).await;
    wait_until("two replicas", async || {
        let metrics = String::from_utf8(up.operator.download("/metrics").await).unwrap();
        metrics.contains("serving_replicas{} 2").then_some(())
    })
    .await;
    let processes = up.process.children();
    assert!(up.process.stop().await.success());
    assert!(processes.iter().all(|process| !is_alive(*process)), "it left a process behind");
}

#[tokio::test]
async fn one_folder_has_one_owner() {
    let up = Up::start().await;
    let mut second = up.start_beside();
    assert!(!second.ended().await.success());
    let said = second.logged();
    let owner = format!("already run by process {}", up.process.pid());
    assert!(said.contains(&owner), "{said}");
    for folder in ["objects", "scratch"] {
        assert!(up.is_private(folder), "{folder} holds what tenants store");
    }
    up.operator.get("/readyz").await.ok();
}

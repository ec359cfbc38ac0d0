//! What tests are given: a database of their own, and servers that they may kill.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::process::Command;

use boot::postgres::find_binaries;
use store::Service;
use testkit::{Cluster, TestDb};

fn ask(url: &str, sql: &str) -> Option<String> {
    let psql = find_binaries(None).unwrap().program("psql");
    let output = Command::new(psql).args([url, "-XAtc", sql]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[tokio::test]
async fn each_database_is_migrated_its_own_and_dropped() {
    let (one, other) = tokio::join!(TestDb::create(), TestDb::create());
    ask(&one.owner_url(), "create table mine ()").unwrap();
    assert_eq!(ask(&one.owner_url(), "select to_regclass('mine')").unwrap(), "mine");
    assert_eq!(ask(&other.owner_url(), "select to_regclass('mine')").unwrap(), "");
    assert_eq!(ask(&one.owner_url(), "select to_regclass('tenant')").unwrap(), "tenant");
    assert_eq!(ask(&one.url(), "select current_user").unwrap(), Service::ANY_LOGIN);

    let gone = one.owner_url();
    drop(one);
    assert_eq!(ask(&gone, "select 1"), None);
    assert_eq!(ask(&other.url(), "select 1").unwrap(), "1");
}

#[tokio::test]
async fn a_private_cluster_is_migrated() {
    let cluster = Cluster::start().await.unwrap();
    assert!(cluster.pid().is_some());
    assert_eq!(ask(&cluster.url(), "select current_user").unwrap(), Service::ANY_LOGIN);
    assert_eq!(ask(&cluster.owner_url(), "select to_regclass('tenant')").unwrap(), "tenant");
}

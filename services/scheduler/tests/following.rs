//! A leader that has followed every change knows what one that begins anew reads.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{collections::BTreeMap, time::Duration};

use domain::{
    JobId,
    world::{Phase, PlannedJob, Quota, WorkerState},
};
use scheduler::{Config, Lead, tick};
use sqlx::{Connection, PgConnection};
use store::{Service, Store, attempts, leader, pools, workers};
use testkit::TestDb;
use uuid::Uuid;

#[path = "support/mod.rs"]
mod support;

use support::{Tenant, register, submit};

fn jobs(lead: &Lead) -> BTreeMap<JobId, PlannedJob> {
    lead.queue().jobs().map(|(id, job)| (id, job.clone())).collect()
}

#[tokio::test]
async fn following_is_as_good_as_reading_everything() {
    let db = TestDb::create().await;
    let store = Store::connect(&db.url(), 4, Service::Scheduler).unwrap();
    let config = Config::default();
    let (holder, mut lead) = (Uuid::now_v7(), None);
    tick(&store, holder, &config, &mut lead).await.unwrap().expect("it leads");

    let acme = Tenant::create(&store, "acme", 5).await;
    let globex = Tenant::create(&store, "globex", 5).await;
    let first = register(&store, "first", 4).await;
    for n in 0..6 {
        submit(&store, if n % 2 == 0 { &acme } else { &globex }, 1).await;
    }
    tick(&store, holder, &config, &mut lead).await.unwrap().expect("it leads");
    same(&store, &config, holder, &mut lead).await;
    let live = |lead: &Option<Lead>| {
        let jobs = jobs(lead.as_ref().unwrap());
        let live = jobs.into_values().filter_map(|job| match job.phase {
            Phase::Live(live) => Some(live),
            Phase::Waiting { .. } => None,
        });
        live.collect::<Vec<_>>()
    };
    assert_eq!(live(&lead).len(), 4);

    // one ends, a quota and a worker change, another worker comes
    let mut tx = store.acting_as(Service::Worker).begin().await.unwrap();
    let ended = live(&lead)[0].attempt;
    attempts::report(&mut tx, ended, domain::job::Report::Succeeded, &config.retry)
        .await
        .unwrap()
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.acting_as(Service::Gateway).begin().await.unwrap();
    let quota = Quota { weight: 7, ..Quota::default() };
    assert!(pools::set_quota(&mut tx, globex.id, "default", &quota).await.unwrap());
    workers::set_state(&mut tx, first, WorkerState::Cordoned).await.unwrap();
    tx.commit().await.unwrap();
    register(&store, "second", 1).await;
    tick(&store, holder, &config, &mut lead).await.unwrap().expect("it leads");
    same(&store, &config, holder, &mut lead).await;
    assert_eq!(live(&lead).len(), 4, "one ended, and one started on the second worker");

    // the first worker is silent for longer than its lease: what it ran waits again
    let impatient = Config { attempt_lease: Duration::ZERO, ..config.clone() };
    let (more, applied) =
        tick(&store, holder, &impatient, &mut lead).await.unwrap().expect("it leads");
    assert!(more && applied.changed.len() == 4, "{applied:?}");
    tick(&store, holder, &config, &mut lead).await.unwrap().expect("it leads");
    same(&store, &config, holder, &mut lead).await;
    assert_eq!(live(&lead).len(), 0);
    store.close().await;
}

/// What the leader knows is what is read by one that begins anew, which leads from then on.
async fn same(store: &Store, config: &Config, holder: Uuid, lead: &mut Option<Lead>) {
    let mut tx = store.begin().await.unwrap();
    let lease = leader::acquire(&mut tx, "scheduler", holder, config.leader_lease).await.unwrap();
    tx.commit().await.unwrap();
    let anew = Lead::begin(store, lease.expect("it leads"), config.policy.clone()).await.unwrap();
    assert_eq!(jobs(lead.as_ref().unwrap()), jobs(&anew));
    let shares = |lead: &Lead, tenant| lead.queue().share(tenant, domain::spec::DEFAULT_POOL_ID);
    for job in jobs(&anew).values() {
        let quota = |lead: &Lead| shares(lead, job.tenant).map(|share| (share.quota, share.used));
        assert_eq!(quota(lead.as_ref().unwrap()), quota(&anew));
    }
    *lead = Some(anew);
}

#[tokio::test]
async fn who_nobody_could_hear_has_a_lease_to_speak_up() {
    let db = TestDb::create().await;
    let store = Store::connect(&db.url(), 4, Service::Scheduler).unwrap();
    let config = Config::default();
    let (holder, mut lead) = (Uuid::now_v7(), None);
    let acme = Tenant::create(&store, "acme", 5).await;
    register(&store, "first", 4).await;
    let job = submit(&store, &acme, 1).await;
    let (_, applied) = tick(&store, holder, &config, &mut lead).await.unwrap().expect("it leads");
    assert_eq!(applied.changed, [job]);

    // the database was away for an hour, whereupon the leader begins anew
    let mut owner = PgConnection::connect(&db.owner_url()).await.unwrap();
    let an_hour_ago = "update worker set heartbeat_at = now() - interval '1 hour'";
    sqlx::query(an_hour_ago).execute(&mut owner).await.unwrap();
    let (_, applied) = tick(&store, holder, &config, &mut None).await.unwrap().expect("it leads");
    assert_eq!(applied.changed, [], "the worker may be there and have a result to report");
    owner.close().await.unwrap();
    store.close().await;
}

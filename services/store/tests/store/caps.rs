//! The hard caps of a quota and a budget, exact also when many submit at once.

use domain::{
    Resources,
    job::JobStatus,
    resources::ResourceName,
    spend::{Prices, Spend},
    world::Quota,
};
use store::{
    Service, budgets,
    jobs::{self, NewJob, Refusal, Submitted},
    pools, tenants,
};

use crate::support::{RESOURCES, World, new_job, retry};

async fn set_quota(world: &World, quota: &Quota) {
    let mut tx = world.begin_as(Service::Gateway).await;
    assert!(pools::set_quota(&mut tx, world.acme.id, "default", quota).await.unwrap());
    let kept = pools::quotas(&mut tx, world.acme.id).await.unwrap();
    assert_eq!(kept, [("default".to_owned(), quota.clone())]);
    tx.commit().await.unwrap();
}

async fn try_submit(world: &World, job: NewJob) -> Submitted {
    let mut tx = world.begin_for(&world.acme).await;
    let submitted = jobs::submit(&mut tx, &job).await.unwrap();
    tx.commit().await.unwrap();
    submitted
}

#[tokio::test]
async fn a_pools_queue_is_full_at_its_cap() {
    let world = World::create().await;
    set_quota(&world, &Quota { max_queued: 3, max_running: 1, ..Quota::default() }).await;
    let submissions = (0..12).map(|_| try_submit(&world, new_job(&world.acme)));
    let outcomes = futures::future::join_all(submissions).await;
    let full = Submitted::Refused(Refusal::PoolQueueFull { limit: 3 });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Submitted::Accepted).count(), 3);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == full).count(), 9);
    let globex = world.tenant("globex").await;
    assert_eq!(world.try_submit(&globex).await.1, Submitted::Accepted);
}

#[tokio::test]
async fn a_job_beyond_its_quotas_size_is_refused() {
    let world = World::create().await;
    let max_job = Resources { memory_bytes: RESOURCES.memory_bytes - 1, ..Resources::UNLIMITED };
    set_quota(&world, &Quota { max_job, ..Quota::default() }).await;
    let refused = Refusal::TooLarge {
        resource: ResourceName::MemoryBytes,
        asked: RESOURCES.memory_bytes,
        most: max_job.memory_bytes,
    };
    assert_eq!(try_submit(&world, new_job(&world.acme)).await, Submitted::Refused(refused));
    let smaller = NewJob { resources: max_job.least(RESOURCES), ..new_job(&world.acme) };
    assert_eq!(try_submit(&world, smaller).await, Submitted::Accepted);
}

#[tokio::test]
async fn a_job_that_may_cost_more_than_is_left_is_refused() {
    let world = World::create().await;
    let mut tx = world.begin_as(Service::Gateway).await;
    let prices = Prices { cpu_hour: 1_000_000, ..Prices::default() };
    assert!(pools::set_prices(&mut tx, "default", &prices).await.unwrap());
    assert!(!pools::set_prices(&mut tx, "none", &prices).await.unwrap());
    let left = Spend { micro_credits: 100_000, accelerator_ms: u64::MAX };
    budgets::grant(&mut tx, world.acme.id, &left).await.unwrap();
    tx.commit().await.unwrap();
    let cost = Spend { micro_credits: 166_667, accelerator_ms: 0 };
    let refused = Submitted::Refused(Refusal::BeyondBudget { cost, left });
    assert_eq!(try_submit(&world, new_job(&world.acme)).await, refused);
    let shorter = NewJob { max_runtime: 300, ..new_job(&world.acme) };
    assert_eq!(try_submit(&world, shorter).await, Submitted::Accepted);
    let mut tx = world.begin_as(Service::Gateway).await;
    assert!(budgets::remove(&mut tx, world.acme.id).await.unwrap());
    assert!(!budgets::remove(&mut tx, world.acme.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(try_submit(&world, new_job(&world.acme)).await, Submitted::Accepted);
}

#[tokio::test]
async fn a_closed_tenant_submits_nothing() {
    let world = World::create().await;
    let waiting = world.submit(&world.acme).await;
    let mut tx = world.begin_as(Service::Gateway).await;
    let running = tenants::close(&mut tx, "acme", &retry()).await.unwrap().unwrap();
    assert_eq!(running, []);
    assert_eq!(tenants::close(&mut tx, "none", &retry()).await.unwrap(), None);
    tx.commit().await.unwrap();
    assert_eq!(world.status(&world.acme, waiting).await, JobStatus::Cancelled);
    let refused = Submitted::Refused(Refusal::TenantClosed);
    assert_eq!(try_submit(&world, new_job(&world.acme)).await, refused);
}

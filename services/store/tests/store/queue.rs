//! Submissions that arrive together: limits and idempotency keys stay exact.

use domain::{
    Digest, JobId,
    job::{JobStatus, Report},
};
use store::{
    PageRequest,
    idempotency::{self, Claim},
    jobs::{self, JobFilter, Refusal, Submitted},
};

use crate::support::{Tenant, World, new_job};

const AT_ONCE: usize = 20;

async fn jobs_of(world: &World, tenant: &Tenant) -> usize {
    let mut tx = world.begin_for(tenant).await;
    let page = PageRequest { before: None, limit: 100 };
    jobs::list(&mut tx, &JobFilter::default(), page).await.unwrap().items.len()
}

#[tokio::test]
async fn the_queue_limit_is_exact_when_many_submit_at_once() {
    let world = World::create().await;
    world.limit_queue(&world.acme, 7).await;
    let submissions = (0..AT_ONCE).map(|_| world.try_submit(&world.acme));
    let submitted = futures::future::join_all(submissions).await;
    let accepted: Vec<_> =
        submitted.iter().filter(|(_, s)| *s == Submitted::Accepted).map(|(id, _)| *id).collect();
    assert_eq!(accepted.len(), 7);
    for (_, outcome) in &submitted {
        assert!(matches!(
            outcome,
            Submitted::Accepted | Submitted::Refused(Refusal::QueueFull { limit: 7 })
        ));
    }
    assert_eq!(jobs_of(&world, &world.acme).await, 7);

    // one that leaves the queue makes room for one
    let cancelled = world.cancel(&world.acme, accepted[0]).await;
    assert_eq!(cancelled.status, JobStatus::Cancelled);
    assert_eq!(world.try_submit(&world.acme).await.1, Submitted::Accepted);
    assert_eq!(
        world.try_submit(&world.acme).await.1,
        Submitted::Refused(Refusal::QueueFull { limit: 7 })
    );
}

#[tokio::test]
async fn jobs_submitted_together_are_queued_all_or_none() {
    let world = World::create().await;
    world.limit_queue(&world.acme, 5).await;
    let together = async |count: usize| {
        let new: Vec<_> = (0..count).map(|_| new_job(&world.acme)).collect();
        let mut tx = world.begin_for(&world.acme).await;
        let submitted = jobs::submit_all(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        (submitted, new)
    };
    assert_eq!(together(6).await.0, Submitted::Refused(Refusal::QueueFull { limit: 5 }));
    assert_eq!(jobs_of(&world, &world.acme).await, 0);
    let (submitted, new) = together(4).await;
    assert_eq!(submitted, Submitted::Accepted);
    for job in &new {
        let kinds: Vec<_> = world
            .events(&world.acme, job.id)
            .await
            .into_iter()
            .map(|e| (e.number, e.kind))
            .collect();
        assert_eq!(kinds, [(1, "queued".to_owned())]);
        assert_eq!(world.job(&world.acme, job.id).await.spec, job.spec);
    }
    assert_eq!(together(2).await.0, Submitted::Refused(Refusal::QueueFull { limit: 5 }));
    assert_eq!(together(1).await.0, Submitted::Accepted);
}

#[tokio::test]
async fn the_queue_limit_counts_what_waits_and_nothing_else() {
    let world = World::create().await;
    world.limit_queue(&world.acme, 2).await;
    for _ in 0..3 {
        let ended = world.running(&world.acme).await;
        world.report(ended, Report::Succeeded).await.unwrap();
    }
    let running = world.running(&world.acme).await;
    let waiting = [world.submit(&world.acme).await, world.submit(&world.acme).await];
    assert_eq!(
        world.try_submit(&world.acme).await.1,
        Submitted::Refused(Refusal::QueueFull { limit: 2 })
    );
    // one that comes back to the queue is beyond the limit, and makes no room for another
    world.report(running, Report::Stopped).await.unwrap();
    world.cancel(&world.acme, waiting[0]).await;
    assert_eq!(
        world.try_submit(&world.acme).await.1,
        Submitted::Refused(Refusal::QueueFull { limit: 2 })
    );
    world.cancel(&world.acme, waiting[1]).await;
    assert_eq!(world.try_submit(&world.acme).await.1, Submitted::Accepted);
    assert_eq!(
        world.try_submit(&world.acme).await.1,
        Submitted::Refused(Refusal::QueueFull { limit: 2 })
    );
}

#[tokio::test]
async fn one_tenants_full_queue_is_not_anothers() {
    let world = World::create().await;
    world.limit_queue(&world.acme, 0).await;
    let globex = world.tenant("globex").await;
    assert_eq!(
        world.try_submit(&world.acme).await.1,
        Submitted::Refused(Refusal::QueueFull { limit: 0 })
    );
    assert_eq!(world.try_submit(&globex).await.1, Submitted::Accepted);
}

/// As the gateway does it: the key and the job in one transaction.
async fn submit_with_key(world: &World, key: &str, body: &[u8]) -> (Claim, JobId) {
    let mut tx = world.begin_for(&world.acme).await;
    let job = new_job(&world.acme);
    let fingerprint = Digest::of(body);
    let claim = idempotency::claim(&mut tx, key, fingerprint, job.id.uuid()).await.unwrap();
    if claim == Claim::Fresh {
        assert_eq!(jobs::submit(&mut tx, &job).await.unwrap(), Submitted::Accepted);
    }
    tx.commit().await.unwrap();
    (claim, job.id)
}

#[tokio::test]
async fn one_key_used_many_times_at_once_makes_one_job() {
    let world = World::create().await;
    let requests = (0..AT_ONCE).map(|_| submit_with_key(&world, "once", b"body"));
    let claims = futures::future::join_all(requests).await;
    let fresh: Vec<_> = claims.iter().filter(|(claim, _)| *claim == Claim::Fresh).collect();
    assert_eq!(fresh.len(), 1);
    let made = fresh[0].1;
    for (claim, _) in claims.iter().filter(|(claim, _)| *claim != Claim::Fresh) {
        assert_eq!(*claim, Claim::Replay(made.uuid()));
    }
    assert_eq!(jobs_of(&world, &world.acme).await, 1);

    let (claim, _) = submit_with_key(&world, "once", b"another body").await;
    assert_eq!(claim, Claim::Mismatch);
    assert_eq!(jobs_of(&world, &world.acme).await, 1);
}

#[tokio::test]
async fn a_key_whose_request_failed_is_free_again() {
    let world = World::create().await;
    let mut failing = world.begin_for(&world.acme).await;
    let fingerprint = Digest::of(b"body");
    let job = JobId::generate().uuid();
    let claim = idempotency::claim(&mut failing, "again", fingerprint, job).await.unwrap();
    assert_eq!(claim, Claim::Fresh);
    // the second request waits for the first one, which fails
    let ((claim, id), ()) =
        tokio::join!(submit_with_key(&world, "again", b"body"), async { drop(failing) });
    assert_eq!(claim, Claim::Fresh);
    assert_eq!(world.status(&world.acme, id).await, JobStatus::Queued);
}

#[tokio::test]
async fn the_same_key_of_two_tenants_is_two_keys() {
    let world = World::create().await;
    let globex = world.tenant("globex").await;
    for tenant in [&world.acme, &globex] {
        let mut tx = world.begin_for(tenant).await;
        let job = JobId::generate().uuid();
        let claim = idempotency::claim(&mut tx, "same", Digest::of(b"body"), job).await.unwrap();
        assert_eq!(claim, Claim::Fresh);
        tx.commit().await.unwrap();
    }
}

//! Submissions that arrive together: limits and idempotency keys stay exact.

use domain::{
    Digest, JobId,
    job::{JobStatus, Report},
};
use sqlx::{Connection, PgConnection};
use store::{
    PageRequest, Service,
    idempotency::{self, Claim},
    jobs::{self, JobFilter, Refusal, Submitted},
};

use crate::support::{Tenant, World, attempt, new_job};

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

/// What is known of the tenant's queue without counting, and what is found by counting: jobs that have not
/// ended, and those of them that are live.
async fn known_and_true(world: &World) -> [(i64, i64); 2] {
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let known = "select b.unfinished - coalesce(sum(c.ended), 0)::bigint, b.live + coalesce(sum(c.live), 0)::bigint
                 from queue_bound b
                 left join queue_change c on c.tenant_id = b.tenant_id and c.xid >= b.horizon
                 where b.tenant_id = $1 group by b.unfinished, b.live";
    let counted = "select count(*), count(*) filter (where worker_id is not null) from job
                   where tenant_id = $1 and finished_at is null and kind = 'train'";
    let mut found = [(0, 0); 2];
    for (numbers, question) in found.iter_mut().zip([known, counted]) {
        let asked = sqlx::query_as(question).bind(world.acme.id.uuid());
        *numbers = asked.fetch_one(&mut owner).await.unwrap();
    }
    found
}

async fn settle(world: &World) {
    let mut tx = world.begin_as(Service::Scheduler).await;
    assert!(!jobs::settle_queues(&mut tx).await.unwrap(), "they are few");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_queue_limit_is_exact_while_jobs_start_end_and_come_back() {
    const LIMIT: i64 = 12;
    let world = World::create().await;
    world.limit_queue(&world.acme, LIMIT as u32).await;
    let mut waiting = Vec::new();
    for round in 1..=4 {
        let submissions =
            futures::future::join_all((0..AT_ONCE).map(|_| world.try_submit(&world.acme)));
        // of those that wait: some start, and of these some end, come back, or are cancelled; some never start
        let moves = waiting.iter().enumerate().map(|(n, job)| {
            let (world, attempt) = (&world, attempt(*job, 1));
            async move {
                if n % 4 == 0 {
                    world.cancel(&world.acme, attempt.job).await;
                    return;
                }
                world.start(attempt).await;
                match n % 4 {
                    1 => drop(world.report(attempt, Report::Succeeded).await.unwrap()),
                    2 => drop(world.report(attempt, Report::Stopped).await.unwrap()),
                    _ => drop(world.cancel(&world.acme, attempt.job).await),
                }
            }
        });
        let moves = futures::future::join_all(moves);
        let (submitted, _, ()) = tokio::join!(submissions, moves, settle(&world));
        let [known, counted] = known_and_true(&world).await;
        assert_eq!(known, counted, "round {round}");
        // what came back is beyond the limit, if that
        let back = waiting.len().div_ceil(4) as i64;
        assert!(known.0 - known.1 <= LIMIT + back, "{known:?} in round {round}");
        let full = Submitted::Refused(Refusal::QueueFull { limit: LIMIT as u32 });
        let accepted = submitted.into_iter().filter_map(|(id, outcome)| {
            assert!(outcome == Submitted::Accepted || outcome == full, "{outcome:?}");
            (outcome == Submitted::Accepted).then_some(id)
        });
        waiting = accepted.collect();
        // to the last place
        while world.try_submit(&world.acme).await.1 == Submitted::Accepted {}
        let [known, counted] = known_and_true(&world).await;
        assert_eq!(known, counted, "round {round}");
        assert!(known.0 - known.1 >= LIMIT, "refused, though there is room: {known:?}");
        for job in jobs_that_wait(&world).await {
            if !waiting.contains(&job) {
                world.cancel(&world.acme, job).await;
            }
        }
    }
}

async fn jobs_that_wait(world: &World) -> Vec<JobId> {
    let mut tx = world.begin_for(&world.acme).await;
    let filter = JobFilter { status: Some(JobStatus::Queued), ..JobFilter::default() };
    let page = PageRequest { before: None, limit: 100 };
    jobs::list(&mut tx, &filter, page).await.unwrap().items.into_iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn a_full_queue_is_counted_by_the_leader_alone_and_rarely() {
    let world = World::create().await;
    world.limit_queue(&world.acme, 2).await;
    while world.try_submit(&world.acme).await.1 == Submitted::Accepted {}
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    // whoever counts knows better
    let a_lie = "insert into queue_change (tenant_id, ended, live) values ($1, 1, 0)";
    sqlx::query(a_lie).bind(world.acme.id.uuid()).execute(&mut owner).await.unwrap();
    assert_eq!(world.try_submit(&world.acme).await.1, Submitted::Accepted);
    settle(&world).await;
    assert_eq!(known_and_true(&world).await, [(2, 0), (3, 0)]);
    let long_ago = "update queue_bound set counted_at = now() - interval '1 hour'";
    sqlx::query(long_ago).execute(&mut owner).await.unwrap();
    settle(&world).await;
    assert_eq!(known_and_true(&world).await, [(3, 0), (3, 0)]);
    // what is in the numbers is noted no longer, once no transaction of the cluster is older than it
    loop {
        let left: i64 = sqlx::query_scalar("select count(*) from queue_change")
            .fetch_one(&mut owner)
            .await
            .unwrap();
        if left == 0 {
            break;
        }
        settle(&world).await;
    }
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

//! Random worlds, small ones crowded with ties and hostile ones with numbers at their ends: every
//! invariant holds for every plan.

use std::ops::Range;

use proptest::{collection::vec, prelude::*};

use super::*;

const TENANTS: Range<u128> = 0..4;
const WORKERS: Range<u128> = 0..4;

fn timestamps() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (NOW - 5..NOW + 5).prop_map(at),
        1 => Just(Timestamp::MIN_UTC),
        1 => Just(Timestamp::MAX_UTC),
    ]
}

fn numbers() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..6_u32, 1 => Just(u32::MAX)]
}

fn resources() -> impl Strategy<Value = Resources> {
    let memory = prop_oneof![8 => 0..6_u64, 1 => Just(u64::MAX)];
    (numbers(), memory).prop_map(|(cpu_milli, memory_bytes)| Resources { cpu_milli, memory_bytes })
}

fn workers() -> impl Strategy<Value = (WorkerId, WorkerView)> {
    (WORKERS, resources(), prop::bool::weighted(0.8), prop::bool::weighted(0.2)).prop_map(
        |(n, capacity, accepts, gone)| (worker_id(n), WorkerView { capacity, accepts, gone }),
    )
}

fn tenants() -> impl Strategy<Value = (TenantId, TenantShare)> {
    (TENANTS, numbers()).prop_map(|(n, max_running)| {
        (tenant_id(n), TenantShare { slug: String::new(), max_running })
    })
}

fn waiting() -> impl Strategy<Value = Phase> {
    (timestamps(), numbers())
        .prop_map(|(not_before, last_attempt)| Phase::Waiting { not_before, last_attempt })
}

/// The attempt's job is filled in once the job has its id.
fn live() -> impl Strategy<Value = Phase> {
    (numbers(), WORKERS, timestamps(), timestamps(), any::<bool>()).prop_map(
        |(number, worker, lease_until, deadline, stopping)| Phase::Live {
            attempt: attempt(0, number.max(1)),
            worker: worker_id(worker),
            lease_until,
            deadline,
            stopping,
        },
    )
}

fn jobs() -> impl Strategy<Value = PlannedJob> {
    let phase = prop_oneof![3 => waiting(), 1 => live()];
    (TENANTS, -1..2_i32, timestamps(), resources(), phase).prop_map(
        |(tenant, priority, created_at, resources, phase)| PlannedJob {
            tenant: tenant_id(tenant),
            priority,
            created_at,
            resources,
            phase,
        },
    )
}

fn worlds() -> impl Strategy<Value = World> {
    (vec(tenants(), 0..4), vec(workers(), 0..4), vec(jobs(), 0..24)).prop_map(
        |(tenants, workers, jobs)| World {
            tenants: tenants.into_iter().collect(),
            workers: workers.into_iter().collect(),
            jobs: (0..).map(job_id).zip(jobs).map(with_its_id).collect(),
        },
    )
}

fn with_its_id((id, mut job): (JobId, PlannedJob)) -> (JobId, PlannedJob) {
    if let Phase::Live { attempt, .. } = &mut job.phase {
        attempt.job = id;
    }
    (id, job)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_invariant_holds_in_every_world(world in worlds(), max_starts_per_plan in 0..8_usize) {
        let policy = Policy { max_starts_per_plan };
        let made = plan(&world, &policy, at(NOW));
        prop_assert_eq!(invariants::all(&world, &policy, at(NOW), &made), Ok(()));
    }

    /// Neither the order nor the places may depend on what cannot be served.
    #[test]
    fn a_job_out_of_turn_changes_nothing_for_the_others(world in worlds()) {
        let policy = Policy::default();
        let made = plan(&world, &policy, at(NOW));
        let mut without = world;
        without.jobs.retain(|id, _| {
            !matches!(
                made.waiting.get(id),
                Some(WaitReason::TooLarge { .. } | WaitReason::BeginTime { .. })
            )
        });
        prop_assert_eq!(plan(&without, &policy, at(NOW)).commands, made.commands);
    }
}

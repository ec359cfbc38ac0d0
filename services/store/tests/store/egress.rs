//! Downloads by the hour and the month, as several gateways add to them.

use chrono::{DateTime, TimeDelta};
use domain::{TenantId, Timestamp};
use store::{
    Service,
    egress::{self, Month, Sent},
};

use crate::support::World;

const HOUR_SECS: i64 = 3_600;

fn at(text: &str) -> Timestamp {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn sent(tenant: TenantId, when: &str, bytes: i64) -> Sent {
    Sent { tenant, hour: at(when).timestamp() / HOUR_SECS, bytes }
}

async fn add(world: &World, all: &[Sent]) {
    let mut tx = world.begin_as(Service::Gateway).await;
    egress::add(&mut tx, all).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_month_is_the_sum_of_its_hours_in_utc() {
    let world = World::create().await;
    let (acme, globex) = (world.acme.id, world.tenant("globex").await.id);
    add(
        &world,
        &[
            sent(acme, "2026-01-31T23:59:59Z", 1),
            sent(acme, "2026-02-01T00:00:00Z", 10),
            sent(acme, "2026-02-28T23:59:59Z", 100),
            sent(acme, "2026-03-01T00:00:00Z", 1_000),
            sent(globex, "2026-02-01T00:00:00Z", 7),
        ],
    )
    .await;
    // another gateway, and a download that broke off
    add(&world, &[sent(acme, "2026-02-01T00:30:00Z", 50), sent(acme, "2026-02-28T23:00:00Z", -20)])
        .await;
    let mut tx = world.begin_for(&world.acme).await;
    for (now, bytes, resets_at) in [
        ("2026-01-15T00:00:00Z", 1, "2026-02-01T00:00:00Z"),
        ("2026-02-01T00:00:00Z", 140, "2026-03-01T00:00:00Z"),
        ("2026-02-28T23:59:59.999999Z", 140, "2026-03-01T00:00:00Z"),
        ("2026-03-01T00:00:00Z", 1_000, "2026-04-01T00:00:00Z"),
        ("2026-12-31T00:00:00Z", 0, "2027-01-01T00:00:00Z"),
    ] {
        let month = egress::month(&mut tx, acme, at(now)).await.unwrap();
        assert_eq!(month, Month { bytes, limit: 1 << 40, resets_at: at(resets_at) }, "{now}");
    }
    let (from, until) = (at("2026-02-01T00:00:00Z"), at("2026-02-28T23:00:00Z"));
    assert_eq!(egress::between(&mut tx, acme, (from, until)).await.unwrap(), 60);
    let whole = (from, until + TimeDelta::hours(1));
    assert_eq!(egress::between(&mut tx, acme, whole).await.unwrap(), 140);
    assert_eq!(egress::between(&mut tx, globex, whole).await.unwrap(), 0, "another tenant's");
}

//! Rates that processes share through a real Redis, and what they do without it.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{num::NonZeroU32, time::Duration};

use boot::rates::{Rate, Rates};
use domain::Timestamp;
use testkit::Redis;

const HOUR: Duration = Duration::from_secs(3_600);

fn keys(holds: u32) -> [(String, Rate); 1] {
    [("tenant".to_owned(), Rate::new(NonZeroU32::new(holds).unwrap(), HOUR))]
}

fn at(secs: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(secs)
}

#[tokio::test]
async fn processes_share_one_count() {
    let redis = Redis::start().unwrap();
    let two = NonZeroU32::new(2).unwrap();
    let one = Rates::open(Some(&redis.url()), two).unwrap();
    let other = Rates::open(Some(&redis.url()), two).unwrap();
    let mut allowed = Vec::new();
    for rates in [&one, &other, &one, &other, &one] {
        let [bucket] = rates.take(&keys(4), at(0)).await[..] else { panic!("one") };
        allowed.push((bucket.is_allowed(), bucket.left()));
    }
    assert_eq!(allowed, [(true, 3), (true, 2), (true, 1), (true, 0), (false, 0)]);
    let [refused] = one.take(&keys(4), at(0)).await[..] else { panic!("one") };
    assert!(refused.wait() > HOUR - Duration::from_secs(60) && refused.wait() <= HOUR);
}

#[tokio::test]
async fn a_redis_that_is_gone_opens_no_doors() {
    let mut redis = Redis::start().unwrap();
    let rates = Rates::open(Some(&redis.url()), NonZeroU32::new(2).unwrap()).unwrap();
    assert!(rates.take(&keys(4), at(0)).await[0].is_allowed());
    redis.kill();
    let mut allowed = 0;
    for _ in 0..6 {
        allowed += u32::from(rates.take(&keys(4), at(0)).await[0].is_allowed());
    }
    assert_eq!(allowed, 2, "the share of one of two processes");
    redis.start_again().unwrap();
    // asked again after a while
    let [bucket] = rates.take(&keys(4), at(2)).await[..] else { panic!("one") };
    assert_eq!((bucket.is_allowed(), bucket.left()), (true, 3), "Redis has begun anew");
}

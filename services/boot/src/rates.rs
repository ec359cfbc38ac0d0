//! How often something may be done: by the generic cell rate algorithm (ITU-T I.371), which keeps one number
//! for each key, the time at which its bucket is full again. All processes share the count through Redis where
//! there is one. Where there is none, or it is away, each process counts for itself and gives its share, so
//! that a Redis that is gone opens no doors.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::Timestamp;
use redis::{
    Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tracing::{info, warn};

/// A request waits no longer for Redis, and asks it no more for a while after it had to.
const PATIENCE: Duration = Duration::from_millis(100);
const AWAY_FOR_MICROS: u64 = 1_000_000;
/// Keys kept here before those whose buckets are full again are forgotten.
const MANY: usize = 10_000;

/// `KEYS` are buckets; `ARGV` has for each of them the microseconds until another one drops in, and how many
/// it holds. Answers for each how long, in microseconds, until it would be full: as
/// [`Bucket::after`] says. Only if all have one left is one taken from each. Redis' clock is the one clock.
const TAKE: &str = r"
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local after, room = {}, true
for i, key in ipairs(KEYS) do
  local step, holds = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local full = math.max(tonumber(redis.call('GET', key) or 0), now)
  after[i] = full + step - now
  room = room and after[i] <= step * holds
end
if room then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', now + after[i]), 'PX', math.ceil(after[i] / 1000))
  end
end
return after";

/// So many at once, and one more each `step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    holds: NonZeroU32,
    step_micros: u64,
}

impl Rate {
    pub const fn new(holds: NonZeroU32, step: Duration) -> Self {
        let micros = step.as_micros() as u64;
        Self { holds, step_micros: if micros == 0 { 1 } else { micros } }
    }

    /// And twice as many at once.
    pub fn per_second(many: NonZeroU32) -> Self {
        Self::new(many.saturating_add(many.get()), Duration::from_secs(1) / many.get())
    }

    pub const fn holds(self) -> u32 {
        self.holds.get()
    }

    /// In which an empty bucket fills.
    pub fn window(self) -> Duration {
        Duration::from_micros(self.whole_micros())
    }

    /// Of several processes that cannot ask each other.
    fn share(self, processes: NonZeroU32) -> Self {
        let holds = NonZeroU32::new(self.holds.get() / processes).unwrap_or(NonZeroU32::MIN);
        Self { holds, step_micros: self.step_micros * u64::from(processes.get()) }
    }

    const fn whole_micros(self) -> u64 {
        self.step_micros * self.holds.get() as u64
    }
}

/// A key's bucket after one more has been taken from it, or would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    pub rate: Rate,
    /// Until it is full.
    after_micros: u64,
}

impl Bucket {
    pub const fn is_allowed(self) -> bool {
        self.after_micros <= self.rate.whole_micros()
    }

    /// How many more may come at once.
    pub fn left(self) -> u32 {
        let room = self.rate.whole_micros().saturating_sub(self.after_micros);
        u32::try_from(room / self.rate.step_micros).unwrap_or(u32::MAX)
    }

    /// Until one more may come, if this one may not.
    pub fn wait(self) -> Duration {
        Duration::from_micros(self.after_micros.saturating_sub(self.rate.whole_micros()))
    }

    /// Until as many may come at once as it holds.
    pub fn full_in(self) -> Duration {
        Duration::from_micros(self.after_micros)
    }
}

pub struct Rates {
    redis: Option<Shared>,
    own: Mutex<Own>,
    processes: NonZeroU32,
}

struct Shared {
    manager: ConnectionManager,
    take: Script,
    /// Redis has not answered, and is not asked until then.
    away_until: Mutex<u64>,
}

#[derive(Default)]
struct Own {
    /// When each bucket is full.
    full: HashMap<String, u64>,
    forget_at: usize,
}

impl Rates {
    /// `processes` is how many count for themselves where Redis does not do it for all.
    pub fn open(redis_url: Option<&str>, processes: NonZeroU32) -> Result<Self, redis::RedisError> {
        let redis = redis_url.map(Shared::open).transpose()?;
        Ok(Self { redis, own: Mutex::default(), processes })
    }

    /// Takes one from every bucket, if each of them has one left; else from none. Their state then, in the
    /// order of the keys.
    pub async fn take(&self, keys: &[(String, Rate)], now: Timestamp) -> Vec<Bucket> {
        let now = micros(now);
        if let Some(shared) = &self.redis
            && let Some(buckets) = shared.take(keys, now).await
        {
            return buckets;
        }
        let share: Vec<_> =
            keys.iter().map(|(key, rate)| (key, rate.share(self.processes))).collect();
        self.own.lock().unwrap_or_else(PoisonError::into_inner).take(&share, now)
    }
}

fn micros(now: Timestamp) -> u64 {
    u64::try_from(now.timestamp_micros()).unwrap_or(0)
}

impl Own {
    fn take(&mut self, keys: &[(&String, Rate)], now: u64) -> Vec<Bucket> {
        let after = |(key, rate): &(&String, Rate)| {
            let full = self.full.get(*key).copied().unwrap_or(0).max(now);
            Bucket { rate: *rate, after_micros: full + rate.step_micros - now }
        };
        let buckets: Vec<_> = keys.iter().map(after).collect();
        if buckets.iter().all(|bucket| bucket.is_allowed()) {
            for ((key, _), bucket) in keys.iter().zip(&buckets) {
                self.full.insert((*key).clone(), now + bucket.after_micros);
            }
        }
        if self.full.len() >= self.forget_at.max(MANY) {
            self.full.retain(|_, full| *full > now);
            self.forget_at = 2 * self.full.len();
        }
        buckets
    }
}

impl Shared {
    fn open(url: &str) -> Result<Self, redis::RedisError> {
        let client = redis::Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(0);
        let manager = ConnectionManager::new_lazy_with_config(client, config)?;
        Ok(Self { manager, take: Script::new(TAKE), away_until: Mutex::new(0) })
    }

    /// `None` if Redis is away.
    async fn take(&self, keys: &[(String, Rate)], now: u64) -> Option<Vec<Bucket>> {
        let away_until = || self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        let was_away = *away_until();
        if now < was_away {
            return None;
        }
        let mut script = self.take.prepare_invoke();
        for (key, rate) in keys {
            script.key(format!("cupola:rate:{key}")).arg(rate.step_micros).arg(rate.holds.get());
        }
        match script.invoke_async::<Vec<u64>>(&mut self.manager.clone()).await {
            Ok(after) => {
                if was_away > 0 {
                    info!("redis counts again how often something is done");
                    *away_until() = 0;
                }
                let buckets = keys.iter().zip(after);
                Some(
                    buckets
                        .map(|((_, rate), after_micros)| Bucket { rate: *rate, after_micros })
                        .collect(),
                )
            }
            Err(error) => {
                if was_away == 0 {
                    warn!(%error, "redis is away; each process counts for itself");
                }
                *away_until() = now + AWAY_FOR_MICROS;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(holds: u32, step: Duration) -> Rate {
        Rate::new(NonZeroU32::new(holds).unwrap(), step)
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[tokio::test]
    async fn a_bucket_holds_so_many_and_fills_by_one_each_step() {
        let rates = Rates::open(None, NonZeroU32::MIN).unwrap();
        let keys = [("a".to_owned(), rate(3, Duration::from_secs(1)))];
        let mut left = Vec::new();
        for _ in 0..3 {
            let [bucket] = rates.take(&keys, at(1_000)).await[..] else { panic!("one") };
            assert!(bucket.is_allowed());
            left.push(bucket.left());
        }
        assert_eq!(left, [2, 1, 0]);
        let [refused] = rates.take(&keys, at(1_400)).await[..] else { panic!("one") };
        assert_eq!((refused.is_allowed(), refused.wait()), (false, Duration::from_millis(600)));
        // what was refused has taken nothing
        let [bucket] = rates.take(&keys, at(2_000)).await[..] else { panic!("one") };
        assert_eq!((bucket.is_allowed(), bucket.full_in()), (true, Duration::from_secs(3)));
        let [other] = rates.take(&[("b".to_owned(), keys[0].1)], at(2_000)).await[..] else {
            panic!()
        };
        assert!(other.is_allowed());
    }

    #[tokio::test]
    async fn one_bucket_that_is_empty_keeps_the_others_as_they_are() {
        let rates = Rates::open(None, NonZeroU32::MIN).unwrap();
        let (small, large) = (rate(1, Duration::from_secs(1)), rate(5, Duration::from_secs(1)));
        let keys = [("small".to_owned(), small), ("large".to_owned(), large)];
        let left =
            async || rates.take(&keys, at(0)).await.iter().map(|b| b.left()).collect::<Vec<_>>();
        assert_eq!(left().await, [0, 4]);
        let refused = rates.take(&keys, at(0)).await;
        assert_eq!((refused[0].is_allowed(), refused[1].is_allowed()), (false, true));
        let [large] = rates.take(&keys[1..], at(0)).await[..] else { panic!("one") };
        assert_eq!(large.left(), 3);
    }

    #[tokio::test]
    async fn processes_that_cannot_ask_each_other_give_their_share() {
        let rates = Rates::open(None, NonZeroU32::new(4).unwrap()).unwrap();
        let keys = [("a".to_owned(), rate(8, Duration::from_secs(1)))];
        let mut allowed = 0;
        for _ in 0..8 {
            allowed += u32::from(rates.take(&keys, at(0)).await[0].is_allowed());
        }
        assert_eq!(allowed, 2);
        assert!(!rates.take(&keys, at(3_999)).await[0].is_allowed());
        assert!(rates.take(&keys, at(4_000)).await[0].is_allowed());
    }

    #[tokio::test]
    async fn keys_whose_buckets_are_full_are_forgotten() {
        let rates = Rates::open(None, NonZeroU32::MIN).unwrap();
        let one = rate(1, Duration::from_millis(1));
        for n in 0..3 * MANY {
            rates.take(&[(n.to_string(), one)], at(n as u64)).await;
        }
        assert!(rates.own.lock().unwrap().full.len() <= MANY);
    }
}

//! What running costs: credits and accelerator time, counted in whole millionths and milliseconds, so
//! that a sum is the same in whatever order it is made.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Resources;

const MILLIS_PER_HOUR: u128 = 3_600_000;

/// A pool's prices for an hour, in millionths of a credit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prices {
    pub cpu_hour: u64,
    pub gib_hour: u64,
    pub accelerator_hour: u64,
}

/// What an attempt costs for as long as it runs, as it was when it started: a later change of prices
/// does not change it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Millionths of a credit.
    pub micro_credits_per_hour: u64,
    pub accelerator_milli: u64,
}

/// So much of both, or a limit of both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Spend {
    /// Millionths of a credit.
    pub micro_credits: u64,
    /// Milliseconds of one accelerator.
    pub accelerator_ms: u64,
}

/// What a tenant may spend, and what its attempts that have ended have cost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub granted: Spend,
    pub spent: Spend,
}

fn least(n: u128) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl Prices {
    /// Parts of a millionth are rounded up.
    pub fn rate(&self, needs: &Resources) -> Rate {
        let product =
            |n: u64, price: u64, of: u128| (u128::from(n) * u128::from(price)).div_ceil(of);
        let sum = product(needs.cpu_milli, self.cpu_hour, 1_000)
            .saturating_add(product(needs.memory_bytes, self.gib_hour, 1 << 30))
            .saturating_add(product(needs.accelerator_milli, self.accelerator_hour, 1_000));
        Rate { micro_credits_per_hour: least(sum), accelerator_milli: needs.accelerator_milli }
    }
}

impl Rate {
    pub const FREE: Self = Self { micro_credits_per_hour: 0, accelerator_milli: 0 };

    /// Parts of the unit are rounded up.
    pub fn over_millis(&self, millis: u64) -> Spend {
        let millis = u128::from(millis);
        let credits = u128::from(self.micro_credits_per_hour) * millis;
        let accelerators = u128::from(self.accelerator_milli) * millis;
        Spend {
            micro_credits: least(credits.div_ceil(MILLIS_PER_HOUR)),
            accelerator_ms: least(accelerators.div_ceil(1_000)),
        }
    }

    pub fn over_secs(&self, seconds: u64) -> Spend {
        self.over_millis(seconds.saturating_mul(1_000))
    }
}

impl Spend {
    pub const NONE: Self = Self { micro_credits: 0, accelerator_ms: 0 };
    /// As a limit: none.
    pub const UNLIMITED: Self = Self { micro_credits: u64::MAX, accelerator_ms: u64::MAX };

    pub const fn plus(self, other: Self) -> Self {
        Self {
            micro_credits: self.micro_credits.saturating_add(other.micro_credits),
            accelerator_ms: self.accelerator_ms.saturating_add(other.accelerator_ms),
        }
    }

    pub const fn minus(self, other: Self) -> Self {
        Self {
            micro_credits: self.micro_credits.saturating_sub(other.micro_credits),
            accelerator_ms: self.accelerator_ms.saturating_sub(other.accelerator_ms),
        }
    }

    pub const fn within(&self, limit: &Self) -> bool {
        self.micro_credits <= limit.micro_credits && self.accelerator_ms <= limit.accelerator_ms
    }
}

impl fmt::Display for Spend {
    /// Without what there is no limit of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credits = format!("{} credits", self.micro_credits as f64 / 1e6);
        let hours = format!("{} accelerator-hours", self.accelerator_ms as f64 / 3.6e6);
        let parts: Vec<_> = [(self.micro_credits, credits), (self.accelerator_ms, hours)]
            .into_iter()
            .filter(|(n, _)| *n != u64::MAX)
            .map(|(_, words)| words)
            .collect();
        f.write_str(&if parts.is_empty() { "any amount".into() } else { parts.join(" and ") })
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { granted: Spend::UNLIMITED, spent: Spend::NONE }
    }
}

impl Budget {
    /// What may still be spent beside what is reserved. Of what has no limit, there is always more.
    pub fn left(&self, reserved: Spend) -> Spend {
        let left = self.granted.minus(self.spent).minus(reserved);
        let of = |granted: u64, left: u64| if granted == u64::MAX { u64::MAX } else { left };
        Spend {
            micro_credits: of(self.granted.micro_credits, left.micro_credits),
            accelerator_ms: of(self.granted.accelerator_ms, left.accelerator_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRICES: Prices =
        Prices { cpu_hour: 40_000, gib_hour: 5_000, accelerator_hour: 2_000_000 };

    #[test]
    fn an_hour_costs_what_the_prices_say() {
        let needs = Resources { accelerator_milli: 500, ..Resources::cpu(2_000, 4 << 30) };
        let rate = PRICES.rate(&needs);
        assert_eq!(rate.micro_credits_per_hour, 80_000 + 20_000 + 1_000_000);
        let hour = rate.over_secs(3_600);
        assert_eq!(hour, Spend { micro_credits: 1_100_000, accelerator_ms: 1_800_000 });
        assert_eq!(rate.over_millis(1), Spend { micro_credits: 1, accelerator_ms: 1 });
        assert_eq!(rate.over_millis(0), Spend::NONE);
    }

    proptest! {
        /// What is reserved for the longest run covers every shorter one, whatever the numbers.
        #[test]
        fn no_part_costs_more_than_the_whole(
            credits in any::<u64>(), milli in any::<u64>(), part in any::<u64>(), more in any::<u64>()
        ) {
            let rate = Rate { micro_credits_per_hour: credits, accelerator_milli: milli };
            let whole = rate.over_millis(part.saturating_add(more));
            prop_assert!(rate.over_millis(part).within(&whole));
        }
    }
}

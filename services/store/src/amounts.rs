//! Amounts as Postgres counts them: its largest integers are signed, and null is no limit.

use domain::{
    Resources,
    spend::{Prices, Spend},
};

pub(crate) fn big(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(crate) fn int(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// A limit that no bigint reaches is none.
pub(crate) fn limit(n: u64) -> Option<i64> {
    i64::try_from(n).ok()
}

pub(crate) fn count_limit(n: u32) -> Option<i32> {
    i32::try_from(n).ok()
}

pub(crate) fn unlimited(n: Option<i64>) -> u64 {
    n.map_or(u64::MAX, i64::unsigned_abs)
}

pub(crate) fn uncounted(n: Option<i32>) -> u32 {
    n.map_or(u32::MAX, i32::unsigned_abs)
}

pub(crate) fn resources(cpu_milli: i64, memory_bytes: i64, accelerator_milli: i64) -> Resources {
    Resources {
        cpu_milli: cpu_milli.unsigned_abs(),
        memory_bytes: memory_bytes.unsigned_abs(),
        accelerator_milli: accelerator_milli.unsigned_abs(),
    }
}

pub(crate) fn resource_limit(
    cpu_milli: Option<i64>,
    memory_bytes: Option<i64>,
    accelerator_milli: Option<i64>,
) -> Resources {
    Resources {
        cpu_milli: unlimited(cpu_milli),
        memory_bytes: unlimited(memory_bytes),
        accelerator_milli: unlimited(accelerator_milli),
    }
}

pub(crate) fn granted(micro_credits: Option<i64>, accelerator_ms: Option<i64>) -> Spend {
    Spend { micro_credits: unlimited(micro_credits), accelerator_ms: unlimited(accelerator_ms) }
}

pub(crate) const fn spent(micro_credits: i64, accelerator_ms: i64) -> Spend {
    Spend {
        micro_credits: micro_credits.unsigned_abs(),
        accelerator_ms: accelerator_ms.unsigned_abs(),
    }
}

pub(crate) const fn prices(cpu_hour: i64, gib_hour: i64, accelerator_hour: i64) -> Prices {
    Prices {
        cpu_hour: cpu_hour.unsigned_abs(),
        gib_hour: gib_hour.unsigned_abs(),
        accelerator_hour: accelerator_hour.unsigned_abs(),
    }
}

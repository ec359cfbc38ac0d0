//! So much of each resource: what a job needs, what a worker has, a quota, what is used.
//!
//! Sums saturate: an operator may write any number, and none of them wraps around.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub cpu_milli: u64,
    pub memory_bytes: u64,
    /// Thousandths of an accelerator of the pool's kind. Up to 1,000 share one; more are whole ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accelerator_milli: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One of the kinds that [`Resources`] counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ResourceName {
    CpuMilli,
    MemoryBytes,
    AcceleratorMilli,
}

impl ResourceName {
    pub const ALL: [Self; 3] = [Self::CpuMilli, Self::MemoryBytes, Self::AcceleratorMilli];

    /// The field of [`Resources`] that counts it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CpuMilli => "cpu_milli",
            Self::MemoryBytes => "memory_bytes",
            Self::AcceleratorMilli => "accelerator_milli",
        }
    }
}

impl Resources {
    pub const NONE: Self = Self { cpu_milli: 0, memory_bytes: 0, accelerator_milli: 0 };
    /// As a limit: none.
    pub const UNLIMITED: Self =
        Self { cpu_milli: u64::MAX, memory_bytes: u64::MAX, accelerator_milli: u64::MAX };

    /// CPUs and memory alone.
    pub const fn cpu(cpu_milli: u64, memory_bytes: u64) -> Self {
        Self { cpu_milli, memory_bytes, accelerator_milli: 0 }
    }

    pub const fn get(&self, name: ResourceName) -> u64 {
        match name {
            ResourceName::CpuMilli => self.cpu_milli,
            ResourceName::MemoryBytes => self.memory_bytes,
            ResourceName::AcceleratorMilli => self.accelerator_milli,
        }
    }

    fn with(self, other: Self, each: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            cpu_milli: each(self.cpu_milli, other.cpu_milli),
            memory_bytes: each(self.memory_bytes, other.memory_bytes),
            accelerator_milli: each(self.accelerator_milli, other.accelerator_milli),
        }
    }

    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    pub fn minus(self, other: Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    /// So many times as much.
    pub fn times(self, n: u32) -> Self {
        self.with(Self::NONE, |each, _| each.saturating_mul(n.into()))
    }

    /// The smaller of each.
    pub fn least(self, other: Self) -> Self {
        self.with(other, u64::min)
    }

    /// Whether `room` has at least as much of each.
    pub fn within(&self, room: &Self) -> bool {
        self.first_beyond(room).is_none()
    }

    /// The first kind of which there is more than in `room`.
    pub fn first_beyond(&self, room: &Self) -> Option<ResourceName> {
        ResourceName::ALL.into_iter().find(|name| self.get(*name) > room.get(*name))
    }

    /// The largest of its shares of `whole`, one for each kind: the dominant share of
    /// dominant-resource fairness (Ghodsi et al., NSDI 2011). Of a kind that `whole` lacks, anything
    /// is all of it.
    pub fn dominant_share(&self, whole: &Self) -> f64 {
        let share = |name: &ResourceName| match (self.get(*name), whole.get(*name)) {
            (0, _) => 0.0,
            (_, 0) => 1.0,
            (part, whole) => part as f64 / whole as f64,
        };
        ResourceName::ALL.iter().map(share).fold(0.0, f64::max)
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} CPUs and {} MiB", self.cpu_milli as f64 / 1_000.0, self.memory_bytes >> 20)?;
        if self.accelerator_milli > 0 {
            write!(f, " and {} accelerators", self.accelerator_milli as f64 / 1_000.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_dominant_share_is_the_largest_one() {
        let whole = Resources { cpu_milli: 9_000, memory_bytes: 18 << 30, accelerator_milli: 0 };
        // the example of the paper: user A takes 1 CPU and 4 GB, user B 3 CPUs and 1 GB
        let share =
            |cpus: u64, gib: u64| Resources::cpu(cpus * 1_000, gib << 30).dominant_share(&whole);
        assert!((share(1, 4) - 4.0 / 18.0).abs() < 1e-12);
        assert!((share(3, 1) - 3.0 / 9.0).abs() < 1e-12);
        let accelerator = Resources { accelerator_milli: 1, ..Resources::NONE };
        assert_eq!(accelerator.dominant_share(&whole), 1.0);
    }

    fn any_resources() -> impl Strategy<Value = Resources> {
        (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(cpu_milli, memory_bytes, a)| {
            Resources { cpu_milli, memory_bytes, accelerator_milli: a }
        })
    }

    proptest! {
        #[test]
        fn sums_never_wrap_and_a_sum_holds_its_parts(a in any_resources(), b in any_resources()) {
            prop_assert!(a.within(&a.plus(b)) && b.within(&a.plus(b)));
            prop_assert!(a.minus(b).within(&a));
            prop_assert!(a.least(b).within(&a) && a.least(b).within(&b));
            prop_assert!(a.dominant_share(&b).is_finite());
        }
    }
}

//! What is submitted, from a seed: dozens of small trainings, some of which have two workers, some of which
//! wait for others, some of which can only die, and some of which are submitted more than once.

use domain::spec::AfterCondition;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Who submits, how many jobs it may run at once, and what it may use of the pool.
pub struct Tenant {
    pub slug: &'static str,
    pub max_running_jobs: u32,
    pub limit_cpu_milli: Option<u64>,
    pub guaranteed_cpu_milli: u64,
}

pub const TENANTS: [Tenant; 5] = [
    Tenant { slug: "acme", max_running_jobs: 1, limit_cpu_milli: None, guaranteed_cpu_milli: 0 },
    Tenant {
        slug: "globex",
        max_running_jobs: 3,
        limit_cpu_milli: Some(2_000),
        guaranteed_cpu_milli: 0,
    },
    Tenant {
        slug: "initech",
        max_running_jobs: 4,
        limit_cpu_milli: None,
        guaranteed_cpu_milli: 2_000,
    },
    Tenant {
        slug: "umbrella",
        max_running_jobs: 2,
        limit_cpu_milli: Some(3_000),
        guaranteed_cpu_milli: 1_000,
    },
    // submits to the worker without room on its disk, and nothing else
    Tenant { slug: "hooli", max_running_jobs: 1, limit_cpu_milli: None, guaranteed_cpu_milli: 0 },
];
pub const OF_THE_TINY_DISK: usize = 4;
pub const TINY_DISK_POOL: &str = "tiny-disk";

/// Poisoned jobs take so many epochs that they never get to the end before they are found.
const ENDLESS: u32 = 10_000;
/// Trainings of one length, by as many workers, have the same specification, so they have to give the same
/// bytes.
const LENGTHS: [u32; 3] = [4, 60, 400];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    One,
    /// Once more after it was accepted.
    Again,
    /// Three requests at the same moment.
    Together,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub number: usize,
    pub tenant: usize,
    pub epochs: u32,
    pub workers: u32,
    /// Its process is killed whenever it is seen.
    pub is_poisoned: bool,
    /// An earlier order of the tenant, and how it has to end.
    pub after: Option<(usize, AfterCondition)>,
    pub copies: Copies,
    pub pool: &'static str,
}

impl Order {
    pub fn for_the_tiny_disk(number: usize) -> Self {
        Self {
            number,
            tenant: OF_THE_TINY_DISK,
            epochs: LENGTHS[0],
            workers: 1,
            is_poisoned: false,
            after: None,
            copies: Copies::One,
            pool: TINY_DISK_POOL,
        }
    }

    /// By which it is known again in the database.
    pub fn name(&self) -> String {
        format!("chaos {}", self.number)
    }

    /// `after`: the job that it waits for.
    pub fn draft(&self, after: Option<&str>) -> Value {
        let mut draft = crate::two_clouds(self.epochs).1;
        draft["name"] = json!(self.name());
        draft["workers"] = json!(self.workers);
        draft["resources"] =
            json!({"cpu_milli": 1_000, "memory_bytes": 512_u64 << 20, "pool": self.pool});
        if let (Some((_, condition)), Some(job)) = (self.after, after) {
            draft["after"] = json!([{"job": job, "condition": condition}]);
        }
        draft
    }
}

pub fn orders(seed: u64, jobs: usize) -> Vec<Order> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut orders: Vec<Order> = Vec::with_capacity(jobs);
    for number in 0..jobs {
        let (place, first) = (number % 12, number - number % 12);
        let mut order = Order {
            number,
            tenant: rng.random_range(0..OF_THE_TINY_DISK),
            epochs: LENGTHS[rng.random_range(0..LENGTHS.len())],
            workers: if matches!(place, 3 | 6) { 2 } else { 1 },
            is_poisoned: place == 0,
            after: None,
            copies: match place {
                5 | 6 => Copies::Again,
                0 | 7 | 8 => Copies::Together,
                _ => Copies::One,
            },
            pool: "default",
        };
        let waits_for = match place {
            0 => {
                order.epochs = ENDLESS;
                None
            }
            1 => Some((first, AfterCondition::Failure)),
            2 => Some((first, AfterCondition::Success)),
            4 => Some((first + 3, AfterCondition::Success)),
            9 => Some((first + 4, AfterCondition::Any)),
            _ => None,
        };
        if let Some((on, condition)) = waits_for {
            order.tenant = orders[on].tenant;
            order.after = Some((on, condition));
        }
        orders.push(order);
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_orders() {
        assert_eq!(orders(3, 100), orders(3, 100));
        assert_ne!(orders(3, 100), orders(4, 100));
    }

    #[test]
    fn who_waits_does_so_for_an_earlier_one_of_its_tenant() {
        let orders = orders(5, 300);
        let waiting: Vec<_> = orders.iter().filter_map(|o| Some((o, o.after?.0))).collect();
        assert_eq!(waiting.len(), 100);
        for (order, on) in waiting {
            assert!(on < order.number && orders[on].tenant == order.tenant);
        }
        assert_eq!(orders.iter().filter(|order| order.is_poisoned).count(), 25);
    }
}

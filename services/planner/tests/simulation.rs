//! Much bad luck in little time: the real planner and the real state machine, with a virtual clock
//! and imaginary workers that stall, die, drain, and report late or twice, while clients submit
//! and cancel. Each seed is one history; a failure prints its seed, and
//! `SIMULATION_SEED=17 cargo nextest run -p planner every_seed` plays that one alone.

#[path = "simulation/cluster.rs"]
mod cluster;
#[path = "simulation/jobs.rs"]
mod jobs;
#[path = "simulation/workers.rs"]
mod workers;

use cluster::Cluster;

const SEEDS: u64 = 1_000;
const TROUBLED_STEPS: u32 = 30;
/// Every pause, lease and stall of the simulation is over long before this many steps in peace.
const PEACEFUL_STEPS: u32 = 2_000;

#[test]
fn every_seed_ends_well() {
    let replay = std::env::var("SIMULATION_SEED").ok();
    let seeds = match replay.map(|seed| seed.parse::<u64>()) {
        Some(seed) => {
            let seed = seed.expect("SIMULATION_SEED is a number");
            seed..seed + 1
        }
        None => 0..SEEDS,
    };
    let mut seen = cluster::Seen::default();
    for seed in seeds.clone() {
        let _seed = NamedOnPanic(seed);
        let mut cluster = Cluster::new(seed);
        for _ in 0..TROUBLED_STEPS {
            cluster.trouble();
            cluster.step();
        }
        cluster.make_peace();
        let mut steps = 0;
        while !cluster.all_ended() {
            assert!(steps < PEACEFUL_STEPS, "jobs that never end: {:#?}", cluster.unended());
            cluster.step();
            steps += 1;
        }
        seen += cluster.seen;
    }
    println!("{seen:?}");
    // A simulation in which nothing goes wrong would prove nothing.
    if seeds.clone().count() > 1 {
        seen.assert_everything_happened();
    }
}

struct NamedOnPanic(u64);

impl Drop for NamedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation failed at seed {0}: SIMULATION_SEED={0} replays it", self.0);
        }
    }
}

//! The machine: what it is, and whether it is quiet enough for figures to mean something.

use std::{fs, hint::black_box, process::Command, thread, time::Duration, time::Instant};

use anyhow::bail;

use super::figures::median;

/// Of all CPUs' time, that others may take.
const BUSY_SHARE: f64 = 0.05;
const LOOK_FOR: Duration = Duration::from_secs(1);
/// Looks at a busy machine before giving up.
const LOOKS: usize = 60;
/// What a fixed piece of work may take longer than it did at best.
const SLOWER: f64 = 1.1;
const SPINS: usize = 11;
/// About 10 ms of work.
const SPIN_STEPS: u64 = 5_000_000;

pub struct Machine {
    pub cores: usize,
    /// `2 cores of an AMD EPYC (avx2), 24 GiB, Debian 12`
    pub about: String,
    /// `rust 1.95.0, burn 0.22.1`
    pub ours: String,
}

impl Machine {
    pub fn describe() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let cpu = value(&info, "model name", ':').unwrap_or_else(|| std::env::consts::ARCH.into());
        let flags = value(&info, "flags", ':').unwrap_or_default();
        let simd: Vec<_> = ["avx2", "avx512f", "avx512_bf16", "amx_tile"]
            .into_iter()
            .filter(|wanted| flags.split(' ').any(|flag| flag == *wanted))
            .collect();
        let memory = value(&read("/proc/meminfo"), "MemTotal", ':')
            .and_then(|text| text.strip_suffix(" kB")?.trim().parse::<f64>().ok())
            .map_or(String::new(), |kib| format!(", {:.0} GiB", kib / 1_048_576.0));
        let system = value(&read("/etc/os-release"), "PRETTY_NAME", '=');
        let system = system.map_or(std::env::consts::OS.into(), |name| name.replace('"', ""));
        let simd = if simd.is_empty() { "no AVX2".into() } else { simd.join(", ") };
        let about = format!("{cores} cores of {cpu} ({simd}){memory}, {system}");
        let rust = Command::new("rustc").arg("--version").output();
        let rust = rust.ok().and_then(|output| String::from_utf8(output.stdout).ok());
        let rust = rust.as_deref().and_then(|text| text.split(' ').nth(1)).unwrap_or("unknown");
        let lock = read(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
        let burn = locked(&lock, "burn").unwrap_or("unknown");
        Self { cores, about, ours: format!("rust {rust}, burn {burn}") }
    }
}

/// Of the first line that is `name`, a sign, and a value.
fn value(text: &str, name: &str, sign: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(sign)?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}

/// A package's version in Cargo.lock.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\n"))?;
    rest.lines().next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// A machine that was quiet when this was made, or is to be used anyway.
pub struct Quiet {
    anyway: bool,
    /// What the fixed piece of work takes at best.
    spin: f64,
}

impl Quiet {
    pub fn find(anyway: bool) -> anyhow::Result<Self> {
        let spins = spins();
        let spin = spins.iter().copied().fold(f64::INFINITY, f64::min);
        let quiet = Self { anyway, spin };
        quiet.wait()?;
        Ok(quiet)
    }

    /// When and how often something was measured, and whether on a machine that was looked at.
    pub fn said(&self, today: &str, repetitions: usize) -> String {
        let busy = if self.anyway { ", perhaps busy" } else { "" };
        format!("{today}, {repetitions} times{busy}")
    }

    /// Until nobody else works on it; fails if that takes too long.
    pub fn wait(&self) -> anyhow::Result<()> {
        if self.anyway {
            return Ok(());
        }
        let mut why = String::new();
        for look in 0..LOOKS {
            match self.disturbed() {
                None => return Ok(()),
                Some(found) => why = found,
            }
            if look == 0 {
                eprintln!("waiting for a quiet machine: {why}");
            }
        }
        bail!("the machine is busy: {why}. Figures would mean little; ANYWAY=1 takes them");
    }

    fn disturbed(&self) -> Option<String> {
        let before = times();
        thread::sleep(LOOK_FOR);
        let busy = match (before, times()) {
            (Some(before), Some(after)) => busy_share(before, after),
            _ => 0.0,
        };
        if busy > BUSY_SHARE {
            return Some(format!("{:.0} % of its CPU time is used", busy * 100.0));
        }
        let slower = median(&spins()) / self.spin;
        let percent = (slower - 1.0) * 100.0;
        (slower > SLOWER).then(|| format!("the same work takes {percent:.0} % longer than before"))
    }
}

/// Since when others are watched.
pub struct Watch(Option<(Times, u64)>);

impl Quiet {
    pub fn watch(&self) -> Watch {
        Watch(if self.anyway { None } else { times().zip(own_time()) })
    }

    /// What share of all CPUs' time others have taken, where that is too much.
    pub fn disturbed_since(&self, watch: &Watch) -> Option<f64> {
        let (before, own_before) = watch.0?;
        let others = others_share(before, times()?, own_time()?.saturating_sub(own_before));
        (others > BUSY_SHARE).then_some(others)
    }
}

/// Of this process and those that it has started and that have ended, in the unit of [`Times`]
/// (proc(5), `/proc/pid/stat`, fields 14 to 17).
fn own_time() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // the second field is a name in brackets
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
    fields.map(|field| field.parse::<u64>().ok()).sum()
}

fn others_share(before: Times, after: Times, own: u64) -> f64 {
    let all = after.all.saturating_sub(before.all).max(1) as f64;
    busy_share(before, after) - own as f64 / all
}

/// Seconds that a fixed piece of work takes, again and again.
fn spins() -> Vec<f64> {
    let spin = |_| {
        let start = Instant::now();
        let mut x = black_box(1_u64);
        for _ in 0..SPIN_STEPS {
            x = x.wrapping_mul(6_364_136_223_846_793_005).rotate_left(7);
        }
        black_box(x);
        start.elapsed().as_secs_f64()
    };
    (0..SPINS).map(spin).collect()
}

/// All CPUs' time since the start and what of it was idle, as Linux counts it (proc(5)).
#[derive(Clone, Copy)]
struct Times {
    all: u64,
    idle: u64,
}

fn times() -> Option<Times> {
    parse_times(&fs::read_to_string("/proc/stat").ok()?)
}

/// user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of these.
fn parse_times(text: &str) -> Option<Times> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().take(8).filter_map(|n| n.parse().ok()).collect();
    Some(Times { all: fields.iter().sum(), idle: fields.get(3)? + fields.get(4)? })
}

fn busy_share(before: Times, after: Times) -> f64 {
    let all = after.all.saturating_sub(before.all).max(1) as f64;
    1.0 - after.idle.saturating_sub(before.idle) as f64 / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_take_is_told_from_what_is_idle() {
        let before = parse_times("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        let after = parse_times("cpu  110 0 50 870 60 0 0 10 0 0\n").unwrap();
        assert!((busy_share(before, after) - 0.2).abs() < 1e-9);
        assert!((others_share(before, after, 12) - 0.08).abs() < 1e-9);
        assert!(parse_times("intr 5").is_none());
    }

    #[test]
    fn a_busy_machine_is_used_where_that_is_asked_for() {
        assert!(Quiet { anyway: true, spin: 0.0 }.wait().is_ok());
    }

    #[test]
    fn versions_and_values_are_found() {
        let lock = "name = \"burn\"\nversion = \"0.1.2\"\n\nname = \"burn-x\"\nversion = \"3\"\n";
        assert_eq!(locked(lock, "burn"), Some("0.1.2"));
        assert_eq!(locked(lock, "ember"), None);
        let info = "processor\t: 0\nmodel name\t: A CPU\n";
        assert_eq!(value(info, "model name", ':').as_deref(), Some("A CPU"));
    }
}

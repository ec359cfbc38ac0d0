//! What the process may use, as the kernel counts it.

use std::io;

use domain::Resources;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A scratch folder's files, three pipes, and a few to spare.
const MAX_OPEN_FILES: u64 = 64;
/// CPU seconds beyond `max_runtime`: the scheduler's deadline comes first, this one is for a
/// process that nobody watches.
const CPU_SLACK_SECS: u64 = 60;
/// Each thread of the pool that computes has a stack, which counts as memory.
const STACK_BYTES: u64 = 8 << 20;
/// No file is larger than the memory it was made from, but the one of a table that memory does not
/// hold: 8 bytes for each cell, of which 8 GiB of text have one in two bytes at most.
const ROWS_FILE_BYTES: u64 = 32 << 30;
/// What the allocator holds beyond what it has been asked for.
const ALLOCATOR_BYTES: u64 = 32 << 20;
/// Addresses count as no memory, but the tables that say where they lead take some: a 512th of them, if
/// all are looked at. The allocator reserves some for each thread.
const ADDRESSES: u64 = 4 << 30;
const ADDRESSES_OF_A_THREAD: u64 = 256 << 20;
/// Of all processes of its user together, threads counted. The agent ends a child long before; this holds
/// between two of its looks. It does not bind root.
const MAX_THREADS_OF_USER: u64 = 16_384;

pub(super) fn set(resources: Resources, max_runtime: u64) -> io::Result<()> {
    let threads = crate::threads(resources);
    let cpu_secs = max_runtime.saturating_mul(threads).saturating_add(CPU_SLACK_SECS);
    let memory = resources
        .memory_bytes
        .saturating_add(held_already())
        .saturating_add(STACK_BYTES.saturating_mul(threads))
        .saturating_add(ALLOCATOR_BYTES);
    at_most(Resource::Data, memory)?;
    let addresses = ADDRESSES_OF_A_THREAD.saturating_mul(threads + 1).saturating_add(ADDRESSES);
    at_most(Resource::As, memory.saturating_mul(2).saturating_add(addresses))?;
    at_most(Resource::Nproc, MAX_THREADS_OF_USER)?;
    at_most(Resource::Cpu, cpu_secs)?;
    at_most(Resource::Fsize, memory.max(ROWS_FILE_BYTES))?;
    at_most(Resource::Nofile, MAX_OPEN_FILES)?;
    at_most(Resource::Core, 0)
}

fn at_most(resource: Resource, limit: u64) -> io::Result<()> {
    let given = getrlimit(resource);
    let limit = given.maximum.map_or(limit, |maximum| maximum.min(limit));
    Ok(setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?)
}

/// The program's own writable memory before it has read anything; 0 where the system does not say.
fn held_already() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(5)?.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}

//! Processes as the system knows them.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal; a process that has ended takes none.
pub fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}

/// Neither ended nor waiting to be buried.
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// The processes that `pid` has started, and those that they have.
pub fn descendants(pid: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> =
        processes().filter_map(|process| Some((process, stat(process)?.1))).collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        next += 1;
    }
    found.split_off(1)
}

/// The process's state and its parent.
fn stat(pid: u32) -> Option<(String, u32)> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name before it may hold anything, also spaces and parentheses
    let (_, rest) = line.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// The processes with an argument for which `is_one` holds, and that have not ended.
pub fn with_argument(is_one: impl Fn(&str) -> bool) -> Vec<u32> {
    let has_one = |process: &u32| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).any(|argument| str::from_utf8(argument).is_ok_and(&is_one))
    };
    processes().filter(has_one).collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

//! A child must not outlive the process that started it, however that process ended.
//!
//! Our own programs are given a pipe as stdin and leave when it closes: that works on every system,
//! even after `kill -9` of the parent. Programs of others (Postgres, Redis) know nothing of the
//! pipe; for them Linux is asked to send a signal when the parent dies.

use std::{io, process::Command, thread};

use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

/// Ends this process when its parent is gone, for a child with nothing to finish.
pub fn exit_with_parent() {
    at_end_of_stdin(|| std::process::exit(0));
}

/// Cancels `token` when the parent of this process is gone.
pub fn cancel_with_parent(token: CancellationToken) {
    at_end_of_stdin(move || token.cancel());
}

fn at_end_of_stdin(then: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .name("lifeline".to_owned())
        .spawn(move || {
            // What arrives is of no interest, and a stdin that cannot be read is a closed one.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            then();
        })
        .expect("a process at its start has room for a thread");
}

/// Sends `signal` to the command's process once the *thread* that spawned it has ended. Spawn it
/// from a thread that lives as long as the process is wanted. Linux only; elsewhere nothing happens.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "pre_exec: the closure makes two system calls and allocates nothing"
)]
pub fn end_with_parent(command: &mut Command, signal: Signal) {
    use std::os::unix::process::CommandExt;

    let parent = rustix::process::getpid();
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        // A parent that died before the question was asked will never answer it.
        match rustix::process::getppid() {
            Some(now) if now == parent => Ok(()),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
pub fn end_with_parent(_command: &mut Command, _signal: Signal) {}

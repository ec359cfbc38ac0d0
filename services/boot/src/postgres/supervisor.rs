//! Keeps one server running until told to stop. Recovery is nothing special: the server is started
//! again and replays its log.
//!
//! The child lies in the shared state for as long as it has not been reaped, and is reaped only
//! under the lock. So whoever signals it under that lock signals this process and no later one
//! with the same pid.

use std::{
    process::{Child, ExitStatus},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::{
    PostgresError,
    server::{PidFile, Server, Spawned},
};

/// What the server says when a predecessor that was killed has not quite gone.
const REMAINS: [&str; 2] = ["lock file", "pre-existing shared memory block"];

const LOOK_AGAIN_EVERY: Duration = Duration::from_millis(100);
const POLL_EVERY: Duration = Duration::from_millis(10);
/// Crash recovery replays the log since the last checkpoint, which can take minutes.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// A killed predecessor's remains go within this time; one that is writing its last checkpoint
/// gets as long as our own stop would give it.
const REMAINS_GONE_WITHIN: Duration = Duration::from_secs(10);
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Up for this long, a server is sound again and its next restart is not delayed.
const SOUND_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    child: Option<Child>,
    wanted: bool,
}

impl Supervisor {
    /// Returns once the server accepts connections.
    pub(super) fn start(server: Server) -> Result<Self, PostgresError> {
        let state = Mutex::new(State { child: None, wanted: true });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let (tell, told) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("postgres".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || supervise(&server, &shared, &tell)
            })
            .expect("a process at its start has room for a thread");
        told.recv().expect("the supervisor tells how the first start went before it ends")?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.shared.lock().child.as_ref().map(Child::id)
    }

    /// Fast shutdown: sessions are cut off, a checkpoint is written. A server that will not go is
    /// told to leave at once; it recovers at its next start.
    pub(super) fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let mut state = self.shared.lock();
        state.wanted = false;
        state.signal(Signal::INT);
        self.shared.changed.notify_all();
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, STOPPED_WITHIN, |state| state.child.is_some())
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            tracing::warn!("postgres ignored a shutdown request, ending it at once");
            state.signal(Signal::QUIT);
        }
        drop(state);
        // It panics nowhere, and there is nothing better to do here if it did.
        let _ = thread.join();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not past the moment when the server is no longer wanted; false then.
    fn pause(&self, time: Duration) -> bool {
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), time, |state| state.wanted)
            .unwrap_or_else(PoisonError::into_inner);
        state.wanted
    }

    /// Waits for the child's end without reaping it, then reaps it under the lock.
    fn wait_for_end(&self) -> Option<ExitStatus> {
        let pid = self.lock().child.as_ref().map(Pid::from_child)?;
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), ended), Err(rustix::io::Errno::INTR)) {}
        let status = self.lock().child.take().and_then(|mut child| child.wait().ok());
        self.changed.notify_all();
        status
    }

    fn has_ended(&self) -> bool {
        let mut state = self.lock();
        let ended = match state.child.as_mut() {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => true,
        };
        if ended {
            state.child = None;
            self.changed.notify_all();
        }
        ended
    }
}

impl State {
    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            // It fails only for a child that has just ended, which is what was asked for.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }
}

fn supervise(server: &Server, shared: &Shared, tell: &mpsc::SyncSender<Result<(), PostgresError>>) {
    let first = first_launch(server, shared);
    let failed = first.is_err();
    // Nobody hangs up before the answer.
    let _ = tell.send(first);
    if failed {
        return;
    }
    let mut backoff = BACKOFF_FIRST;
    loop {
        let since = Instant::now();
        let status = shared.wait_for_end();
        if !shared.lock().wanted {
            return;
        }
        let status = status.map_or("unknown".to_owned(), |status| status.to_string());
        tracing::warn!(status, "postgres died, starting it again");
        if since.elapsed() >= SOUND_AFTER {
            backoff = BACKOFF_FIRST;
        }
        loop {
            if !shared.pause(backoff) {
                return;
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
            match launch(server, shared) {
                Ok(()) => break,
                Err(error) => tracing::error!(%error, "postgres did not come back, trying again"),
            }
        }
        tracing::info!("postgres is back");
    }
}

/// After a `kill -9` of our predecessor its server may still be leaving: that is worth a wait.
fn first_launch(server: &Server, shared: &Shared) -> Result<(), PostgresError> {
    let begin = Instant::now();
    loop {
        let outcome = launch(server, shared);
        let stopping = server.stray().is_some_and(|stray| stray.is_stopping());
        let patience = if stopping { STOPPED_WITHIN } else { REMAINS_GONE_WITHIN };
        match outcome {
            Err(error) if may_pass(&error) && begin.elapsed() < patience => {
                shared.pause(LOOK_AGAIN_EVERY)
            }
            settled => return settled,
        };
    }
}

/// A failure that only waits for a killed predecessor's remains to go.
fn may_pass(error: &PostgresError) -> bool {
    match error {
        PostgresError::AlreadyRunning { .. } => true,
        PostgresError::Start { said, .. } => REMAINS.iter().any(|sign| said.contains(sign)),
        _ => false,
    }
}

/// Elsewhere than on Linux nobody has told a stray server that its parent died.
fn refuse(stray: &PidFile, server: &Server) -> PostgresError {
    let pid = i32::try_from(stray.pid).ok().and_then(Pid::from_raw);
    if let (Some(pid), false) = (pid, cfg!(target_os = "linux")) {
        let _ = kill_process(pid, Signal::INT);
    }
    PostgresError::AlreadyRunning { pid: Some(stray.pid), data_dir: server.root.clone() }
}

/// Starts the server and waits until it is ready, has ended, or is no longer wanted.
fn launch(server: &Server, shared: &Shared) -> Result<(), PostgresError> {
    if let Some(stray) = server.stray() {
        return Err(refuse(&stray, server));
    }
    server.forget_the_dead()?;
    let (pid, log_start) = {
        // Under the lock: a stop that comes now either prevents this child or sees it.
        let mut state = shared.lock();
        let Spawned { child, log_start } = server.spawn()?;
        let pid = child.id();
        state.child = Some(child);
        if !state.wanted {
            state.signal(Signal::INT);
        }
        (pid, log_start)
    };
    let begin = Instant::now();
    while !server.is_ready(pid) {
        if shared.has_ended() {
            return Err(server.why_it_ended(log_start));
        }
        if begin.elapsed() >= READY_WITHIN {
            shared.lock().signal(Signal::INT);
            shared.wait_for_end();
            return Err(server.why_it_ended(log_start));
        }
        thread::sleep(POLL_EVERY);
    }
    Ok(())
}

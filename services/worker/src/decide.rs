//! The decisions of an agent, as functions of what it has seen.

use std::{io, time::Duration};

use domain::{
    child::Event,
    comparison::Comparison,
    dataset::Profile,
    inquiry::Finding,
    job::{Cause, StopReason},
};
use registry::BlobError;
use rustix::process::Signal;
use store::attempts::Directive;

/// How long a child may take to end after it was asked to.
const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// Longer, because a checkpoint is wanted of it.
const PREEMPT_GRACE: Duration = Duration::from_secs(60);

/// What an attempt's task is to do, as of the last heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Run,
    Stop(StopReason),
    /// End at once and report nothing.
    Kill,
}

impl Order {
    /// An order is never taken back: it can only become stricter.
    pub(crate) const fn after(self, directive: Directive) -> Self {
        match (self, directive) {
            (Self::Kill, _) | (_, Directive::Superseded) => Self::Kill,
            (Self::Stop(StopReason::Cancelled), _) | (_, Directive::Continue) => self,
            (_, Directive::Stop(reason)) => Self::Stop(reason),
        }
    }

    /// How much longer the child may live; without an end if it may run.
    pub(crate) const fn grace(self) -> Option<Duration> {
        match self {
            Self::Run => None,
            Self::Stop(StopReason::Cancelled) => Some(CANCEL_GRACE),
            Self::Stop(StopReason::Preempted | StopReason::Paused) => Some(PREEMPT_GRACE),
            Self::Kill => Some(Duration::ZERO),
        }
    }
}

/// How an attempt ended on this worker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    Profiled(Profile),
    /// The model's files are in the scratch folder.
    Trained,
    Evaluated(Comparison),
    /// The files that belong to it are in the scratch folder.
    Found(Finding),
    Stopped,
    Failed(Cause),
    /// It is no longer this worker's to report.
    Superseded,
}

/// What is known of a child that has ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Its allocator said that there is no more.
    pub allocation_failed: bool,
    pub peak_bytes: u64,
    pub memory_bytes: u64,
}

/// `last` is the final event, where there was one.
pub(crate) fn ending(last: Option<Event>, exit: &Exit, order: Order) -> Ending {
    match (last, order) {
        (_, Order::Kill) => Ending::Superseded,
        (Some(Event::Profiled { profile }), _) => Ending::Profiled(profile),
        (Some(Event::Trained { .. }), _) => Ending::Trained,
        (Some(Event::Evaluated { comparison }), _) => Ending::Evaluated(comparison),
        (Some(Event::Found { finding }), _) => Ending::Found(finding),
        (Some(Event::Stopped { .. }), _) => Ending::Stopped,
        (Some(Event::Failed { cause }), _) => Ending::Failed(cause),
        // it had nothing to save, or was killed when its grace was over
        (_, Order::Stop(_)) => Ending::Stopped,
        (_, Order::Run) => Ending::Failed(crash(exit)),
    }
}

/// Why a child went without a word.
fn crash(exit: &Exit) -> Cause {
    let signal = exit.signal.and_then(Signal::from_named_raw);
    let out_of_memory = format!(
        "it needed more than its {} MiB of memory; raise `resources.memory_bytes`",
        exit.memory_bytes >> 20
    );
    if exit.allocation_failed {
        return Cause::fatal("out_of_memory", out_of_memory);
    }
    match (signal, exit.signal, exit.code) {
        // the kernel's choice when the machine runs out of memory; elsewhere there may be more of it
        (Some(Signal::KILL), ..) if exit.peak_bytes >= exit.memory_bytes / 10 * 9 => {
            Cause::retryable("out_of_memory", out_of_memory)
        }
        (Some(Signal::XCPU), ..) => Cause::fatal(
            "max_runtime_exceeded",
            "it used more CPU time than its `max_runtime` and `resources.cpu_milli` allow; raise \
             them, or train for fewer epochs",
        ),
        (_, Some(number), _) => crashed(&format!("was ended by signal {number}")),
        (_, None, Some(code)) => crashed(&format!("exited with code {code}")),
        (_, None, None) => crashed("went away"),
    }
}

fn crashed(how: &str) -> Cause {
    Cause::retryable("child_crashed", format!("the training process {how} before it was done"))
}

/// The machine's trouble, not the job's: another attempt may fare better.
pub(crate) fn io_cause(what: &str, error: &io::Error) -> Cause {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let code = if full { "disk_full" } else { "io" };
    Cause::retryable(code, format!("the worker could not {what}: {error}"))
}

pub(crate) fn blob_cause(error: &BlobError) -> Cause {
    match error {
        BlobError::File { path, source } => io_cause(&format!("use {path}"), source),
        BlobError::Missing(_) => Cause::fatal(
            "bytes_missing",
            format!("{error}; push the dataset again, or ask the operator to look after the store"),
        ),
        BlobError::Damaged { .. } | BlobError::Tampered(_) => {
            Cause::retryable("bytes_damaged", error.to_string())
        }
        BlobError::KeyDestroyed { .. } => Cause::fatal("key_destroyed", error.to_string()),
        // another worker may have been given the key that this one lacks
        BlobError::Master(_) => Cause::retryable("master_key", error.to_string()),
        BlobError::Store(_) if error.is_full() => Cause::retryable(
            "object_store_full",
            format!("{error}; the operator has to make room in the object store"),
        ),
        BlobError::Store(_) | BlobError::BadUrl { .. } | BlobError::Keys(_) => {
            Cause::retryable("object_store_unavailable", error.to_string())
        }
    }
}

/// Whether asking the object store again may help.
pub(crate) const fn may_pass(error: &BlobError) -> bool {
    matches!(error, BlobError::Store(_) | BlobError::Damaged { .. } | BlobError::Keys(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: Exit = Exit {
        code: None,
        signal: Some(9),
        allocation_failed: false,
        peak_bytes: 10 << 20,
        memory_bytes: 64 << 20,
    };

    fn trained() -> Option<Event> {
        Some(Event::Trained { metrics: Default::default() })
    }

    #[test]
    fn an_order_only_becomes_stricter() {
        use Directive::{Continue, Stop, Superseded};
        let preempt = Order::Run.after(Stop(StopReason::Preempted));
        assert_eq!(preempt, Order::Stop(StopReason::Preempted));
        assert_eq!(preempt.after(Continue), preempt);
        let cancel = preempt.after(Stop(StopReason::Cancelled));
        assert_eq!(cancel, Order::Stop(StopReason::Cancelled));
        assert_eq!(cancel.after(Stop(StopReason::Preempted)), cancel);
        assert_eq!(cancel.after(Superseded), Order::Kill);
        assert_eq!(Order::Kill.after(Continue), Order::Kill);
        assert!(cancel.grace() < preempt.grace());
        assert_eq!(Order::Run.grace(), None);
    }

    #[test]
    fn a_result_counts_even_if_a_stop_was_on_its_way() {
        let stop = Order::Stop(StopReason::Cancelled);
        assert_eq!(ending(trained(), &Exit::default(), stop), Ending::Trained);
        assert_eq!(ending(trained(), &Exit::default(), Order::Kill), Ending::Superseded);
        assert_eq!(ending(None, &KILLED, stop), Ending::Stopped);
    }

    #[test]
    fn a_crash_says_what_to_do() {
        let Ending::Failed(cause) = ending(None, &KILLED, Order::Run) else { panic!("a failure") };
        assert_eq!((cause.code.as_str(), cause.retryable), ("child_crashed", true));
        assert!(cause.message.contains("signal 9"), "{}", cause.message);

        let full = Exit { peak_bytes: 60 << 20, ..KILLED };
        assert_eq!(crash(&full).code, "out_of_memory");
        assert!(crash(&full).retryable);

        let refused = Exit { signal: Some(6), allocation_failed: true, ..KILLED };
        let cause = crash(&refused);
        assert_eq!((cause.code.as_str(), cause.retryable), ("out_of_memory", false));
        assert!(cause.message.contains("64 MiB") && cause.message.contains("memory_bytes"));

        let slow = Exit { signal: Some(Signal::XCPU.as_raw()), ..KILLED };
        assert_eq!(crash(&slow).code, "max_runtime_exceeded");
        assert_eq!(crash(&Exit { code: Some(2), ..Exit::default() }).code, "child_crashed");
    }

    #[test]
    fn a_full_disk_is_told_from_other_trouble() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(io_cause("write", &full).code, "disk_full");
        let file = BlobError::File { path: "data".into(), source: full };
        let cause = blob_cause(&file);
        assert_eq!((cause.code.as_str(), cause.retryable), ("disk_full", true));
        assert!(!blob_cause(&BlobError::Missing("x".into())).retryable);
    }
}

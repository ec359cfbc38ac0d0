//! The process that reads a tenant's data: it shuts itself in, does one task in its scratch folder,
//! and says what happens in JSON lines on stdout. See [`domain::child`] for the protocol.

mod limits;
pub mod sandbox;
#[cfg(target_os = "linux")]
mod syscalls;

use std::{
    fs,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use domain::{
    Resources,
    child::{CHECKPOINT_FILE, DATA_FILE, Event, TASK_FILE, Task, WEIGHTS_FILE},
    inquiry::{Finding, Inquiry},
    job::Cause,
};
use engine::{Ending, EngineError, StopFlag};

use crate::MAX_EVENT_BYTES;

/// As ONNX is made: read, drawn, encoded, and what training has not given back.
const COPIES_OF_WEIGHTS: u64 = 8;

/// What the agent tells a child before the child trusts any file.
#[derive(Debug, Clone, clap::Args)]
pub struct ChildArgs {
    /// The folder with the task; the only one that can be read or written.
    #[arg(long)]
    pub scratch: PathBuf,
    #[arg(long)]
    pub memory_bytes: u64,
    /// Thousandths of a CPU.
    #[arg(long)]
    pub cpu_milli: u64,
    /// Seconds.
    #[arg(long)]
    pub max_runtime: u64,
}

/// Does the task and leaves. Call it before the process starts a thread: what shuts it in counts for
/// the calling thread and for those that come after.
pub fn main(args: &ChildArgs) -> ExitCode {
    panic::set_hook(Box::new(|info| log(&format!("internal error: {info}"))));
    let last = panic::catch_unwind(AssertUnwindSafe(|| run(args))).unwrap_or_else(|_| {
        let message = "the training process met an error of its own; its log has the details";
        failed(Cause::retryable("internal_error", message))
    });
    emit(&last);
    ExitCode::SUCCESS
}

fn run(args: &ChildArgs) -> Event {
    let stop = Arc::new(AtomicBool::new(false));
    let resources = Resources::cpu(args.cpu_milli, args.memory_bytes);
    match sandbox::enter(&args.scratch, resources, args.max_runtime) {
        Ok(gaps) => gaps.iter().for_each(|gap| log(&format!("warning: {gap}"))),
        Err(error) => return failed(Cause::retryable("sandbox", error.to_string())),
    }
    boot::lifeline::exit_with_parent();
    // a file that grows beyond its limit is then an error of the write, which can say what to do
    let too_large = Arc::new(AtomicBool::new(false));
    if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, too_large) {
        log(&format!("warning: a file that grows too large ends the process: {error}"));
    }
    let task = match read_task(&args.scratch.join(TASK_FILE)) {
        Ok(task) => task,
        Err(error) => return failed(Cause::retryable("io", format!("{TASK_FILE}: {error}"))),
    };
    if matches!(task, Task::Train { .. })
        && let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGTERM, stop.clone())
    {
        log(&format!("warning: it cannot be asked to stop at a checkpoint: {error}"));
    }
    let last = perform(&task, &args.scratch, &StopFlag::from(stop));
    if matches!(last, Ok(Event::Trained { .. })) {
        leave_for_others(args);
    }
    last.unwrap_or_else(|e| failed(e.cause()))
}

/// The model as other tools read it, beside its own files. One that cannot be written so is a model all the
/// same: whatever goes wrong here is said, and no more.
fn leave_for_others(args: &ChildArgs) {
    let weights = fs::metadata(args.scratch.join(WEIGHTS_FILE)).map_or(u64::MAX, |it| it.len());
    if weights > args.memory_bytes / COPIES_OF_WEIGHTS {
        return log(
            "the model is not written as ONNX: there is too little memory for a second copy",
        );
    }
    let export = || onnx::export_beside(&args.scratch);
    match panic::catch_unwind(AssertUnwindSafe(export)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log(&format!("the model is not written as ONNX: {error}")),
        Err(_) => log("the model is not written as ONNX: see the error above"),
    }
}

fn read_task(path: &Path) -> io::Result<Task> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn perform(task: &Task, scratch: &Path, stop: &StopFlag) -> Result<Event, EngineError> {
    match task {
        Task::Profile { data, limits } => {
            let profile = engine::profile(&scratch.join(DATA_FILE), data, limits)?;
            Ok(fitting(Event::Profiled { profile }))
        }
        Task::Evaluate { data, limits, held_back_by, memory_bytes } => {
            let comparing = engine::Comparing {
                data,
                limits,
                scratch,
                held_back_by: *held_back_by,
                memory_bytes: *memory_bytes,
            };
            Ok(Event::Evaluated { comparison: engine::compare(comparing)? })
        }
        Task::Inquire { data, limits, inquiry, memory_bytes } => {
            let asking = engine::Asking { data, limits, scratch };
            let finding = match *inquiry {
                Inquiry::Predict { bad_rows } => {
                    Finding::Predicted(engine::predict_all(asking, bad_rows)?)
                }
                Inquiry::Importance { how } => {
                    Finding::Importances(engine::importance(asking, how, *memory_bytes)?)
                }
            };
            Ok(Event::Found { finding })
        }
        Task::Train { data, limits, spec, member } => {
            let run = engine::Run { spec, data, limits, scratch, member: *member };
            let ending = match engine::train(run, stop, &mut |event| emit(&event)) {
                // one of several cannot begin anew while the others go on; the next attempt may read it
                Err(error @ EngineError::BadCheckpoint(_)) if member.is_some() => {
                    let cause = Cause::retryable("bad_checkpoint", error.to_string());
                    return Ok(Event::Failed { cause });
                }
                Err(error @ EngineError::BadCheckpoint(_)) => {
                    log(&format!("warning: {error}; starting from the beginning"));
                    let path = scratch.join(CHECKPOINT_FILE);
                    fs::remove_file(&path).map_err(|source| EngineError::Io {
                        what: path.display().to_string(),
                        source,
                    })?;
                    engine::train(run, stop, &mut |event| emit(&event))
                }
                ending => ending,
            }?;
            Ok(match ending {
                Ending::Trained { metrics } => Event::Trained { metrics },
                Ending::Stopped { step } => Event::Stopped { step },
            })
        }
    }
}

/// A profile that the agent would not take is the file's fault, and better said than cut.
fn fitting(profiled: Event) -> Event {
    match line(&profiled).len() {
        bytes if bytes <= MAX_EVENT_BYTES => profiled,
        bytes => failed(Cause::fatal(
            "profile_too_large",
            format!(
                "the profile of the columns is {bytes} bytes large where {MAX_EVENT_BYTES} are \
                 allowed; drop columns, or shorten the values of those with few distinct ones"
            ),
        )),
    }
}

const fn failed(cause: Cause) -> Event {
    Event::Failed { cause }
}

fn log(text: &str) {
    text.lines().for_each(|line| emit(&Event::Log { line: line.to_owned() }));
}

fn line(event: &Event) -> Vec<u8> {
    let mut line = serde_json::to_vec(event).expect("an event is plain JSON");
    line.push(b'\n');
    line
}

/// Nobody who listens means that the agent is gone, and with it the point of going on.
fn emit(event: &Event) {
    let mut stdout = io::stdout().lock();
    if stdout.write_all(&line(event)).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(1);
    }
}

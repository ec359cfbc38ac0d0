//! Shutting the process in: limits, one folder of the file system, no network, no other process.
//! None of it can be undone, and a thread started later inherits all of it.

use std::{io, path::Path};

use domain::Resources;

use super::limits;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the limits of the process could not be set: {0}")]
    Limits(#[source] io::Error),
    #[error("the file system could not be shut out: {0}")]
    Files(String),
}

/// Answers with what this kernel cannot do, in words for the job's log. For a process with one
/// thread: the limits count for all of them, the rest only for the calling one.
pub fn enter(
    scratch: &Path,
    resources: Resources,
    max_runtime: u64,
) -> Result<Vec<String>, SandboxError> {
    volunteer_when_memory_runs_out();
    limits::set(resources, max_runtime).map_err(SandboxError::Limits)?;
    shut_in(scratch)
}

/// When the machine has no memory left, this process goes before its agent or the database does.
fn volunteer_when_memory_runs_out() {
    // only Linux has the file, and a kernel that will not take the offer does no harm
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

#[cfg(target_os = "linux")]
fn shut_in(scratch: &Path) -> Result<Vec<String>, SandboxError> {
    use landlock::RulesetStatus;

    let mut gaps = Vec::new();
    let files = confine_files(scratch).map_err(|error| SandboxError::Files(error.to_string()))?;
    if files == RulesetStatus::NotEnforced {
        gaps.push(
            "this kernel has no landlock (Linux 5.13 and later do): the process can read whatever \
             its user can"
                .to_owned(),
        );
    }
    if let Err(error) = super::syscalls::confine() {
        gaps.push(format!(
            "this kernel has no seccomp filters ({error}): the process can use the network"
        ));
    }
    Ok(gaps)
}

#[cfg(not(target_os = "linux"))]
fn shut_in(_scratch: &Path) -> Result<Vec<String>, SandboxError> {
    Ok(vec!["this system has neither landlock nor seccomp: the process is not shut in".to_owned()])
}

/// Plain files in the scratch folder, and nothing else of the file system; no TCP, and no signal to
/// a process outside. An older kernel enforces what it knows of this.
#[cfg(target_os = "linux")]
fn confine_files(scratch: &Path) -> Result<landlock::RulesetStatus, Box<dyn std::error::Error>> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr,
        RulesetCreatedAttr, Scope, make_bitflags,
    };

    let plain_files = make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile
    });
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(scratch)?, plain_files))?
        .restrict_self()?;
    Ok(status.ruleset)
}

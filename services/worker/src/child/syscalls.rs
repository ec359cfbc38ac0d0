//! The system calls that computing needs. Every other one does not exist for the process: it answers
//! "not implemented", which libraries take as an older kernel and not as a failure.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule,
};

const ALLOWED: &[i64] = &[
    // files, which landlock has narrowed to one folder
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fadvise64,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    libc::SYS_ppoll,
    // memory
    libc::SYS_brk,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_madvise,
    // threads and their end
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // its own signals
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // what it asks about itself, the time and chance
    libc::SYS_getpid,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
];

/// Older spellings of the above, which newer machines do not have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_BY_OLD_NAMES: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_poll,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_BY_OLD_NAMES: &[i64] = &[];

/// For the calling thread and those it starts.
pub(super) fn confine() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&filter(rustix::process::getpid())?)
}

fn filter(own: rustix::process::Pid) -> Result<BpfProgram, seccompiler::BackendError> {
    let always = ALLOWED.iter().chain(ALLOWED_BY_OLD_NAMES).map(|&call| (call, Vec::new()));
    let mut rules: BTreeMap<i64, Vec<Rule>> = always.collect();
    // private memory, that the process's limit counts: not what is shared or grows downwards, which it
    // does not, and no file, which would take room on the disk when it has neither a name nor a reader
    let kind = libc::MAP_TYPE | libc::MAP_GROWSDOWN | libc::MAP_ANONYMOUS;
    let own_memory = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    rules.insert(libc::SYS_mmap, vec![only(3, Is::MaskedEq(kind as u64), own_memory)?]);
    // a thread, never a process, and no open files of its own, which its agent would not see; `clone3`
    // hides its flags in memory, so it stays out and libc falls back to `clone`
    let thread = (libc::CLONE_THREAD | libc::CLONE_FILES) as u64;
    rules.insert(libc::SYS_clone, vec![only(0, Is::MaskedEq(thread), thread)?]);
    // abort() sends itself a signal
    let own = own.as_raw_nonzero().get() as u64;
    rules.insert(libc::SYS_tgkill, vec![only(0, Is::Eq, own)?]);
    // a thread's name
    rules.insert(libc::SYS_prctl, vec![only(0, Is::Eq, libc::PR_SET_NAME as u64)?]);
    // reading a limit, never raising one
    let reading = Condition::new(2, Width::Qword, Is::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![Rule::new(vec![reading])?]);
    let commands = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC];
    let commands = commands.into_iter().map(|command| only(1, Is::Eq, command as u64));
    rules.insert(libc::SYS_fcntl, commands.collect::<Result<_, _>>()?);
    SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()
}

/// Allowed if the lower half of argument `index` is as said.
fn only(index: u8, is: Is, value: u64) -> Result<Rule, seccompiler::BackendError> {
    Rule::new(vec![Condition::new(index, Width::Dword, is, value)?])
}

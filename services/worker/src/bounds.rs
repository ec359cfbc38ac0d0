//! What no limit of the kernel bounds for one process: its files together, and its threads. The agent
//! looks from time to time and ends a child that has taken more than its task can need. What it takes
//! between two looks is bounded by how fast it is.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
};

use domain::{Resources, job::Cause};
use rustix::process::Pid;

/// A task makes a dozen, and a few for each of several workers.
const MAX_FILES: u64 = 2_000;
/// Besides those that compute.
const SPARE_THREADS: u64 = 64;
/// Checkpoints and the model, old and new, and what each of several workers brings the others: none is
/// larger than the memory that it was made from.
const COPIES_OF_MEMORY: u64 = 8;
/// In which files count what they take, whatever the file system's are.
const BLOCK_BYTES: u64 = 512;

/// What a child may have at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    disk_bytes: u64,
    threads: u64,
}

/// What it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The most memory so far.
    pub peak_bytes: u64,
    pub disk_bytes: u64,
    pub files: u64,
    pub threads: u64,
}

impl Bounds {
    /// `given` is what its folder has at the beginning, `scratch_bytes` what the operator lets it have
    /// for a table that memory does not hold.
    pub(crate) fn new(
        given: Taken,
        scratch_bytes: u64,
        resources: Resources,
        workers: u32,
    ) -> Self {
        let copies = COPIES_OF_MEMORY + u64::from(workers);
        let disk_bytes = given
            .disk_bytes
            .saturating_add(scratch_bytes)
            .saturating_add(resources.memory_bytes.saturating_mul(copies));
        Self { disk_bytes, threads: crate::threads(resources) + SPARE_THREADS }
    }

    /// Why it has to end.
    pub(crate) fn exceeded(&self, taken: &Taken) -> Option<Cause> {
        if taken.disk_bytes > self.disk_bytes {
            let why = format!(
                "its files took more of the worker's disk than the {} MiB that they may; train on \
                 fewer rows, or ask the operator for a larger `CUPOLA_SCRATCH_BYTES`",
                self.disk_bytes >> 20
            );
            return Some(Cause::fatal("too_much_disk", why));
        }
        if taken.files > MAX_FILES {
            let why = format!("it made more than {MAX_FILES} files, the most that it may have");
            return Some(Cause::fatal("too_many_files", why));
        }
        let most = self.threads;
        let why = || format!("it had more threads than the {most} that it may have");
        (taken.threads > most).then(|| Cause::fatal("too_many_threads", why()))
    }
}

impl Taken {
    /// As it is at this moment; what the system does not say is 0.
    pub(crate) fn now(folder: &Path, child: Option<Pid>) -> Self {
        let mut taken = Self::default();
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        // one more than allowed is too many: nobody waits for the rest to be counted
        for entry in names.take(MAX_FILES as usize + 1) {
            taken.files += 1;
            taken.disk_bytes += entry.metadata().map_or(0, |file| size(&file));
        }
        let Some(pid) = child else { return taken };
        let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
        for open in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            let Ok(file) = fs::metadata(open.path()) else { continue };
            // without a name in the folder it takes as much room
            if file.is_file() && file.nlink() == 0 {
                taken.disk_bytes += size(&file);
            }
        }
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        taken.peak_bytes = field(&status, "VmHWM:").unwrap_or(0) << 10;
        taken.threads = field(&status, "Threads:").unwrap_or(0);
        taken
    }
}

/// What it takes, or would take in the object store, where a hole is not one.
fn size(file: &Metadata) -> u64 {
    file.len().max(file.blocks() * BLOCK_BYTES)
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write};

    use super::*;

    #[test]
    fn files_count_with_and_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let own = Some(rustix::process::getpid());
        let mebibyte = vec![1; 1 << 20];
        fs::write(folder.path().join("named"), &mebibyte).unwrap();
        let before = Taken::now(folder.path(), own);
        assert_eq!(before.files, 1);
        assert!(before.disk_bytes >= 1 << 20, "{before:?}");

        let path = folder.path().join("unnamed");
        let mut unnamed = File::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        unnamed.write_all(&mebibyte).unwrap();
        let after = Taken::now(folder.path(), own);
        assert_eq!(after.files, 1);
        assert!(after.disk_bytes >= before.disk_bytes + (1 << 20), "{before:?} {after:?}");
        File::create(folder.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
        assert!(Taken::now(folder.path(), own).disk_bytes > 1 << 30);
        assert!(after.threads > 0 && after.peak_bytes > 0, "{after:?}");
    }

    #[test]
    fn what_is_beyond_its_bounds_is_named() {
        let given = Taken { disk_bytes: 5 << 20, ..Taken::default() };
        let bounds = Bounds::new(given, 64 << 20, Resources::cpu(1_000, 1 << 20), 1);
        assert_eq!(bounds.disk_bytes, (5 + 64 + 9) << 20);
        let fine = Taken { disk_bytes: 78 << 20, files: MAX_FILES, threads: 65, peak_bytes: 0 };
        assert_eq!(bounds.exceeded(&fine), None);
        for (taken, code) in [
            (Taken { disk_bytes: fine.disk_bytes + 1, ..fine }, "too_much_disk"),
            (Taken { files: fine.files + 1, ..fine }, "too_many_files"),
            (Taken { threads: fine.threads + 1, ..fine }, "too_many_threads"),
        ] {
            let cause = bounds.exceeded(&taken).unwrap();
            assert_eq!((cause.code.as_str(), cause.retryable), (code, false));
        }
    }

    #[test]
    fn a_status_is_read_by_its_names() {
        let status = "VmPeak:\t 9 kB\nVmHWM:\t   12 kB\nThreads:\t3\n";
        assert_eq!(field(status, "VmHWM:"), Some(12));
        assert_eq!(field(status, "Threads:"), Some(3));
        assert_eq!(field("Name: x\n", "VmHWM:"), None);
    }
}

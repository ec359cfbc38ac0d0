//! A disk that has no room for larger files, as this process sees it: the kernel refuses what would make one
//! of its files larger. The limit is the process's, and a test has one of its own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Until it is dropped.
pub struct FullDisk {
    met: Arc<AtomicBool>,
    before: Rlimit,
}

impl FullDisk {
    /// No file grows beyond so many bytes.
    pub fn beyond(bytes: u64) -> anyhow::Result<Self> {
        let met = Arc::new(AtomicBool::new(false));
        // without it the signal would end the process
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, met.clone())
            .context("listen for SIGXFSZ")?;
        let before = getrlimit(Resource::Fsize);
        setrlimit(Resource::Fsize, Rlimit { current: Some(bytes), ..before })
            .context("limit the size of files")?;
        Ok(Self { met, before })
    }

    /// Whether something was refused.
    pub fn met(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        // raising it to what it was is always allowed
        let _ = setrlimit(Resource::Fsize, self.before);
    }
}

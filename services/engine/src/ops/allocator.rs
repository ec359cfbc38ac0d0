//! Memory that a training step frees is what the next step needs. Left to itself, the C library gives
//! large blocks back to the system at once and gets them again page by page, each page cleared: for
//! long sequences the clearing shows among the costliest parts of a run.

/// Lets this process keep what it frees, up to a few gigabytes. Elsewhere than with glibc it does
/// nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no safe call sets the allocator's limits")]
pub(crate) fn keep_freed_memory() {
    const KEPT: libc::c_int = i32::MAX;
    // SAFETY: both only change where blocks come from and when they go back to the system, and may be
    // called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_freed_memory() {}

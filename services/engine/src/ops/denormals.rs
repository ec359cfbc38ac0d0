//! Subnormal floats: gradients carried back through many steps shrink into them, and a processor
//! computes with them some hundred times slower. What they would add to a weight is far below its
//! last digit, so a thread that trains or answers treats them as zero.

/// Bits of MXCSR: flush-to-zero (15) and denormals-are-zero (6). Intel 64 and IA-32 Architectures
/// Software Developer's Manual, volume 1, section 10.2.3.
#[cfg(target_arch = "x86_64")]
const FLUSH: u32 = 0x8040;

/// Lets the calling thread and the threads of its rayon pool read and write subnormal floats as
/// zero. Elsewhere than on x86-64 it does nothing.
pub(crate) fn flush_denormals() {
    flush_in_this_thread();
    flush_denormals_in_pool();
}

/// Done again for each run and each model, not where a pool is made: rayon makes one by itself on first
/// use, callers others, and no number may depend on whether they knew of this.
pub(crate) fn flush_denormals_in_pool() {
    rayon::broadcast(|_| flush_in_this_thread());
}

/// Runs `work` with subnormals as zero and leaves this thread as it was.
pub(crate) fn without_denormals<T>(work: impl FnOnce() -> T) -> T {
    let before = control();
    flush_in_this_thread();
    let made = work();
    set_control(before);
    made
}

#[cfg(target_arch = "x86_64")]
fn flush_in_this_thread() {
    set_control(control() | FLUSH);
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "no safe call reads the control register")]
fn control() -> u32 {
    let mut control = 0_u32;
    // SAFETY: the instruction writes the four bytes of `control`.
    unsafe {
        std::arch::asm!("stmxcsr [{at}]", at = in(reg) &raw mut control, options(nostack));
    }
    control
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "no safe call sets the control register")]
fn set_control(control: u32) {
    // SAFETY: the instruction reads the four bytes of `control` into the register. They are what the
    // register held, but for two bits that are defined on every x86-64 processor: only how
    // subnormals are rounded changes.
    unsafe {
        std::arch::asm!("ldmxcsr [{at}]", at = in(reg) &raw const control, options(nostack));
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn flush_in_this_thread() {}

#[cfg(not(target_arch = "x86_64"))]
fn control() -> u32 {
    0
}

#[cfg(not(target_arch = "x86_64"))]
fn set_control(_: u32) {}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::hint::black_box;

    use super::*;

    fn halved_smallest() -> f32 {
        black_box(f32::MIN_POSITIVE) * black_box(0.5)
    }

    #[test]
    fn subnormals_become_zero_in_this_thread_and_in_the_pool() {
        // Threads of their own: other tests keep the usual arithmetic.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        assert!(pool.broadcast(|_| halved_smallest()).iter().all(|half| *half > 0.0));
        pool.install(flush_denormals);
        assert_eq!(pool.broadcast(|_| halved_smallest()), [0.0, 0.0]);
        assert!(halved_smallest() > 0.0);
    }

    #[test]
    fn a_thread_is_left_as_it_was() {
        assert_eq!(without_denormals(halved_smallest), 0.0);
        assert!(halved_smallest() > 0.0);
    }
}

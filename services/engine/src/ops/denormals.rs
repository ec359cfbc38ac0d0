//! Subnormal floats: gradients carried back through many steps shrink into them, and a processor
//! computes with them some hundred times slower. What they would add to a weight is far below its
//! last digit, so a training thread treats them as zero.

/// Lets the calling thread and the threads of its rayon pool read and write subnormal floats as
/// zero. Elsewhere than on x86-64 it does nothing.
pub(crate) fn flush_denormals() {
    flush_in_this_thread();
    rayon::broadcast(|_| flush_in_this_thread());
}

/// Sets flush-to-zero (bit 15) and denormals-are-zero (bit 6) of MXCSR: Intel 64 and IA-32
/// Architectures Software Developer's Manual, volume 1, section 10.2.3.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "no safe call sets the control register")]
fn flush_in_this_thread() {
    let mut control = 0_u32;
    // SAFETY: both instructions touch the four bytes of `control` and the register alone, and the
    // two bits are defined on every x86-64 processor. Only how subnormals are rounded changes.
    unsafe {
        std::arch::asm!(
            "stmxcsr [{at}]",
            "or dword ptr [{at}], 0x8040",
            "ldmxcsr [{at}]",
            at = in(reg) &raw mut control,
            options(nostack),
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn flush_in_this_thread() {}

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
}

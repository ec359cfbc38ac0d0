//! What the machine can do at best, to hold a model's rate against.

use std::{thread, time::Instant};

use gemm::Parallelism;

/// Of a square matrix; three of them are more than the caches near a core hold, as a layer's are.
const SIDE: usize = 1_024;
/// Numbers that go through each core's share of memory.
const STREAM: usize = 1 << 24;
/// The best of so many.
const TRIES: usize = 9;

#[derive(Debug, Clone, Copy)]
pub struct Peak {
    /// Multiplications and additions of single precision a second, by all cores.
    pub operations: f64,
    /// Bytes a second that all cores together read and write.
    pub bytes: f64,
}

impl Peak {
    pub fn measure(cores: usize) -> Self {
        let square = vec![1.0; SIDE * SIDE];
        let mut out = vec![0.0; SIDE * SIDE];
        let took = best(|| product(&square, &mut out));
        let operations = 2.0 * (SIDE as f64).powi(3) / took;
        let mut shares: Vec<_> =
            (0..cores).map(|_| (vec![1.0; STREAM], vec![0.0; STREAM])).collect();
        let took = best(|| {
            thread::scope(|scope| {
                for (from, to) in &mut shares {
                    scope.spawn(|| to.copy_from_slice(from));
                }
            });
        });
        let bytes = (2 * size_of::<f32>() * STREAM * cores) as f64 / took;
        Self { operations, bytes }
    }
}

fn best(mut work: impl FnMut()) -> f64 {
    let took = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..TRIES).map(took).fold(f64::INFINITY, f64::min)
}

#[expect(unsafe_code, reason = "the crate's only function takes pointers")]
fn product(square: &[f32], out: &mut [f32]) {
    assert!(square.len() == SIDE * SIDE && out.len() == SIDE * SIDE);
    let side = SIDE as isize;
    // SAFETY: each slice holds a row-major square, which is what the strides reach.
    unsafe {
        gemm::gemm(
            SIDE,
            SIDE,
            SIDE,
            out.as_mut_ptr(),
            1,
            side,
            false,
            square.as_ptr(),
            1,
            side,
            square.as_ptr(),
            1,
            side,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::Rayon(0),
        );
    }
}

//! Loops over plain numbers with the widest vectors of the processor, and elementwise functions written
//! so that the compiler turns a loop over them into vector instructions: no branches, no tables, no
//! calls.
//!
//! The compiler never fuses a multiplication with an addition by itself, work is cut into chunks of a
//! fixed size, and partial sums are added in order: neither the processor nor the number of threads
//! changes a bit of what [`each`], [`each_with`] and [`sum`] give.

use pulp::{Arch, WithSimd};
use rayon::prelude::*;

/// Numbers that one thread takes at a time: with gradients and two moments, half a megabyte.
pub(crate) const CHUNK: usize = 1 << 15;
/// Below this, waking a second thread costs more than it saves.
pub(crate) const PARALLEL_FROM: usize = 1 << 16;

/// Runs a kernel, or a closure without arguments, with the widest vectors of this processor. What it
/// calls must be inlined into it.
#[inline]
pub(crate) fn vectorized<T: WithSimd>(op: T) -> T::Output {
    #[cfg(test)]
    let op = match forced::run(op) {
        Ok(output) => return output,
        Err(op) => op,
    };
    Arch::new().dispatch(op)
}

/// Vectors of a width that this processor need not have, made of plain numbers: what runs on one with
/// wider ones, or with none, can be compared here.
#[cfg(test)]
pub(crate) mod forced {
    use std::cell::Cell;

    use pulp::{Scalar, Scalar128b, Scalar256b, Scalar512b, Simd, WithSimd};

    thread_local! {
        static LANES: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// What `f` gives where all of its threads have vectors of so many lanes: 1, 4, 8 or 16.
    pub(crate) fn with_lanes<R: Send>(lanes: usize, f: impl FnOnce() -> R + Send) -> R {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(2);
        let pool = builder.start_handler(move |_| LANES.set(Some(lanes))).build();
        pool.expect("two threads can be started").install(f)
    }

    /// The kernel itself where the width is left to the processor.
    pub(super) fn run<T: WithSimd>(op: T) -> Result<T::Output, T> {
        match LANES.get() {
            None => Err(op),
            Some(1) => Ok(Scalar.vectorize(op)),
            Some(4) => Ok(Scalar128b.vectorize(op)),
            Some(8) => Ok(Scalar256b.vectorize(op)),
            Some(16) => Ok(Scalar512b.vectorize(op)),
            Some(other) => panic!("no vector has {other} lanes"),
        }
    }
}

/// Runs `pass` over all of `values`.
pub(crate) fn each(values: &mut [f32], pass: impl Fn(&mut f32) + Copy + Sync) {
    let run = |chunk: &mut [f32]| {
        vectorized(
            #[inline(always)]
            || chunk.iter_mut().for_each(pass),
        );
    };
    if values.len() < PARALLEL_FROM {
        run(values);
    } else {
        values.par_chunks_mut(CHUNK).for_each(run);
    }
}

/// Runs `pass` over all of `values`, each with its neighbour in `others`.
pub(crate) fn each_with(
    values: &mut [f32],
    others: &[f32],
    pass: impl Fn(&mut f32, f32) + Copy + Sync,
) {
    assert_eq!(values.len(), others.len(), "arrays of one tensor");
    let run = |(chunk, others): (&mut [f32], &[f32])| {
        vectorized(
            #[inline(always)]
            || chunk.iter_mut().zip(others).for_each(|(value, &other)| pass(value, other)),
        );
    };
    if values.len() < PARALLEL_FROM {
        run((values, others));
    } else {
        values.par_chunks_mut(CHUNK).zip(others.par_chunks(CHUNK)).for_each(run);
    }
}

/// The sum of `term` over `values`.
pub(crate) fn sum(values: &[f32], term: impl Fn(f64) -> f64 + Copy + Sync) -> f64 {
    let run = |chunk: &[f32]| {
        vectorized(
            #[inline(always)]
            || sum_in_lanes(chunk, term),
        )
    };
    if values.len() < PARALLEL_FROM {
        values.chunks(CHUNK).map(run).sum()
    } else {
        let sums: Vec<f64> = values.par_chunks(CHUNK).map(run).collect();
        sums.iter().sum()
    }
}

/// Eight sums side by side, since additions in a row cannot be vectorised without changing the
/// result.
#[inline(always)]
pub(crate) fn sum_in_lanes(values: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for eight in eights {
        for (lane, &value) in lanes.iter_mut().zip(eight) {
            *lane += term(f64::from(value));
        }
    }
    let rest: f64 = rest.iter().map(|&value| term(f64::from(value))).sum();
    lanes.iter().sum::<f64>() + rest
}

/// e^x within 2 units in the last place; 0 below -86.6, where the result nears the subnormals.
///
/// Reduction and polynomial are those of `expf` in Moshier's Cephes Mathematical Library (1992).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -86.6;
    /// Adding and taking away 1.5 * 2^23 rounds to a whole number, which the low bits then hold.
    const ROUND: f32 = 12_582_912.0;
    let within = x.clamp(LOWEST, 89.0);
    let shifted = within * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts: the first has so few digits that its product with n is exact.
    let r = within - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_2e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let mantissa = p * (r * r) + r + 1.0;
    // 2^(n - 1), doubled last so that n = 128 overflows only where e^x does.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(126 << 23));
    if x < LOWEST { 0.0 } else { mantissa * power * 2.0 }
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// tanh within 4e-7 of its size, from the rational approximation of Eigen's
/// `generic_fast_tanh_float` (odd degree 13 over even degree 6).
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let x = x.clamp(-7.905_311, 7.905_311);
    let s = x * x;
    let p = -2.760_768_5e-16;
    let p = p * s + 2.000_188e-13;
    let p = p * s - 8.604_672e-11;
    let p = p * s + 5.122_297e-8;
    let p = p * s + 1.485_722_4e-5;
    let p = p * s + 6.372_619e-4;
    let p = p * s + 4.893_524_6e-3;
    let q = 1.198_258_4e-6;
    let q = q * s + 1.185_347_1e-4;
    let q = q * s + 2.268_434_6e-3;
    let q = q * s + 4.893_525e-3;
    x * p / q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest relative error over `from..to`, against double precision.
    fn worst(
        from: f64,
        to: f64,
        f: impl Fn(f32) -> f32 + Copy + Sync,
        exact: impl Fn(f64) -> f64,
    ) -> f64 {
        let steps = 200_000_u32;
        let inputs: Vec<f32> = (0..=steps)
            .map(|i| (from + (to - from) * f64::from(i) / f64::from(steps)) as f32)
            .collect();
        let mut outputs = inputs.clone();
        each(&mut outputs, |x| *x = f(*x));
        let error = |(x, y): (&f32, &f32)| {
            let exact = exact(f64::from(*x));
            if exact == 0.0 { f64::from(y.abs()) } else { (f64::from(*y) / exact - 1.0).abs() }
        };
        inputs.iter().zip(&outputs).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn exp_is_accurate_over_its_whole_range() {
        let error = worst(-86.5, 88.72, exp, f64::exp);
        assert!(error < 2.5e-7, "{error:e}");
    }

    #[test]
    fn sigmoid_is_accurate_in_its_tail_too() {
        let error = worst(-85.0, 85.0, sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        assert!(error < 4e-7, "{error:e}");
    }

    #[test]
    fn tanh_is_accurate_near_zero_too() {
        for (from, to) in [(-20.0, 20.0), (-1e-3, 1e-3), (-1e-20, 1e-20)] {
            let error = worst(from, to, tanh, f64::tanh);
            assert!(error < 4e-7, "{from}: {error:e}");
        }
        assert!(tanh(f32::MAX) <= 1.0);
    }

    #[test]
    fn the_ends_of_the_range_are_the_limits() {
        let mut ends = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 0.0];
        ends = ends.map(exp);
        assert_eq!((ends[0], ends[1], ends[3]), (0.0, f32::INFINITY, 1.0));
        assert!(ends[2].is_nan());
        assert_eq!((sigmoid(f32::NEG_INFINITY), sigmoid(f32::INFINITY)), (0.0, 1.0));
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }
}

//! The loop over time where nothing is learned: only the state that the next step reads is kept, and
//! all of it stays in the core's nearest cache.

use pulp::{Simd, WithSimd};

use super::{
    Cell, gru, lstm,
    sweep::{Forward, SLOTS},
};
use crate::ops::product::{Rows, add_product};

/// A forward sweep that leaves its states: all of them, in packed rows, or the last ones, in the order
/// of the group's rows.
pub(super) struct Reading<'a> {
    pub forward: Forward<'a>,
    pub all: bool,
}

impl WithSimd for Reading<'_> {
    /// h, `units` numbers for each row.
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { forward, all } = self;
        let units = forward.part.units;
        let packing = forward.part.packing;
        let first = packing.first_step();
        let mut gates = vec![0.0; first * SLOTS * units];
        let (mut before, mut state) = (vec![0.0; first * units], vec![0.0; first * units]);
        // rows are ordered by length: one that has ended is behind those that go on
        let mut hidden = vec![0.0; first * units];
        let mut states = Vec::with_capacity(if all { packing.packed() * units } else { 0 });
        for step in 0..packing.steps() {
            let now = packing.step(step).len();
            let gates = &mut gates[..now * SLOTS * units];
            forward.open(step, gates);
            if step > 0 {
                let left = Rows { values: &hidden[..now * units], stride: units };
                let out = Rows { values: &mut *gates, stride: SLOTS * units };
                add_product(simd, now, left, forward.recurrent_kernel, out);
            }
            let rows = gates
                .chunks_exact_mut(SLOTS * units)
                .zip(before.chunks_exact(units))
                .zip(state.chunks_exact_mut(units))
                .zip(hidden.chunks_exact_mut(units));
            for (((gates, before), state), hidden) in rows {
                match forward.part.cell {
                    Cell::Lstm => lstm::forward(gates, before, state, hidden),
                    Cell::Gru => {
                        gru::forward(gates, before, state);
                        hidden.copy_from_slice(state);
                    }
                }
            }
            std::mem::swap(&mut before, &mut state);
            if all {
                states.extend_from_slice(&hidden[..now * units]);
            }
        }
        if all { states } else { hidden }
    }
}

//! A layer where nothing is learned: the input's products are made for a few steps at a time, and only
//! the state that the next step reads is kept, so that all of it stays in the core's nearest caches.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};

use super::{
    Cell,
    operation::Inputs,
    plan::{Plan, gather},
    sweep::{Part, SLOTS},
};
use crate::ops::{
    flex::stored,
    product::{Onto, Panels, Rows, add_product, product_onto},
    simd::vectorized,
};

/// Rows of one step or of several whose inputs are multiplied together.
const AHEAD: usize = 32;

pub(super) fn read(inputs: Inputs<'_>, plan: &Plan) -> FlexTensor {
    let weights: Vec<Weights> =
        (0..plan.directions.len()).map(|direction| Weights::of(direction, inputs, plan)).collect();
    let read = plan.for_each(|group, direction| {
        vectorized(Reading {
            part: plan.part(group, direction),
            x: inputs.x,
            steps: plan.steps,
            features: plan.features,
            weights: &weights[direction],
            all: plan.sequence.is_some(),
        })
    });
    let hidden: Vec<&[f32]> = read.iter().map(Vec::as_slice).collect();
    stored(gather(&hidden, plan, |end| end.place), plan.shape())
}

/// One direction's, as the loop wants them.
struct Weights {
    /// Parts of the kernel, and the column of the gates' slots that each begins at.
    kernel: Vec<(usize, Panels)>,
    /// Columns that the kernel does not reach.
    rest: Range<usize>,
    recurrent_kernel: Panels,
    /// What the slots hold before any product.
    bias: Vec<f32>,
}

impl Weights {
    fn of(direction: usize, inputs: Inputs<'_>, plan: &Plan) -> Self {
        let (units, columns, features) = (plan.units, plan.columns(), plan.features);
        let width = plan.directions.len() * columns;
        let kernel = |part: Range<usize>| {
            let from = direction * columns + part.start;
            Panels::new(features, part.len(), |row, column| {
                inputs.kernels[row * width + from + column]
            })
        };
        let (recurrent, bias) = plan.split(inputs.weights)[direction];
        let recurrent_kernel = plan.recurrent_kernel(recurrent);
        let (kernel, rest, bias) = match plan.cell {
            Cell::Lstm => (vec![(0, kernel(0..columns))], 0..0, bias.to_vec()),
            Cell::Gru => {
                let (of_input, of_state) = bias.split_at(columns);
                let (sums, candidate) = of_input.split_at(2 * units);
                let sums = sums.iter().zip(of_state).map(|(a, b)| a + b);
                let bias = sums.chain(of_state[2 * units..].iter().copied());
                let bias = bias.chain(candidate.iter().copied()).collect();
                let sums = 0..2 * units;
                let parts = vec![(0, kernel(sums.clone())), (columns, kernel(sums.end..columns))];
                (parts, sums.end..columns, bias)
            }
        };
        Self { kernel, rest, recurrent_kernel, bias }
    }
}

/// The loop over time for one group of rows in one direction. It leaves its states: all of them, in
/// packed rows, or the last ones, in the order of the group's rows.
struct Reading<'a> {
    part: Part<'a>,
    /// `[batch, steps, features]`
    x: &'a [f32],
    steps: usize,
    features: usize,
    weights: &'a Weights,
    all: bool,
}

impl WithSimd for Reading<'_> {
    /// h, `units` numbers for each row.
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Part { units, packing, .. } = self.part;
        let (first, slots) = (packing.first_step(), SLOTS * units);
        let span = (AHEAD / first.max(1)).max(1);
        let mut gates = vec![0.0; span * first * slots];
        let mut inputs = vec![0.0; span * first * self.features];
        let (mut before, mut state) = (vec![0.0; first * units], vec![0.0; first * units]);
        // rows are ordered by length: one that has ended is behind those that go on
        let mut hidden = vec![0.0; first * units];
        let mut states = Vec::with_capacity(if self.all { packing.packed() * units } else { 0 });
        for from in (0..packing.steps()).step_by(span) {
            let to = packing.steps().min(from + span);
            let begin = packing.step(from).start;
            self.open(simd, from..to, &mut inputs, &mut gates);
            for step in from..to {
                let now = packing.step(step);
                let gates = &mut gates[(now.start - begin) * slots..(now.end - begin) * slots];
                if step > 0 {
                    let left = Rows { values: &hidden[..now.len() * units], stride: units };
                    let out = Rows { values: &mut *gates, stride: slots };
                    add_product(simd, now.len(), left, &self.weights.recurrent_kernel, out);
                }
                self.part.advance(gates, &before, &mut state, &mut hidden);
                std::mem::swap(&mut before, &mut state);
                if self.all {
                    states.extend_from_slice(&hidden[..now.len() * units]);
                }
            }
        }
        if self.all { states } else { hidden }
    }
}

impl Reading<'_> {
    /// The gates' sums of some steps without the recurrent product.
    #[inline(always)]
    fn open<S: Simd>(&self, simd: S, steps: Range<usize>, inputs: &mut [f32], gates: &mut [f32]) {
        let Part { packing, reverse, .. } = self.part;
        let (features, slots) = (self.features, self.weights.bias.len());
        let mut rows = 0;
        for step in steps {
            for i in 0..packing.step(step).len() {
                let (row, time) = packing.place(step, i, reverse);
                let x = &self.x[(row * self.steps + time) * features..][..features];
                inputs[rows * features..][..features].copy_from_slice(x);
                rows += 1;
            }
        }
        let left = Rows { values: &*inputs, stride: features };
        for (column, kernel) in &self.weights.kernel {
            let bias = Onto::Row(&self.weights.bias[*column..]);
            let out = Rows { values: &mut gates[*column..], stride: slots };
            product_onto(simd, rows, left, kernel, (bias, out));
        }
        let rest = self.weights.rest.clone();
        for gates in gates.chunks_exact_mut(slots).take(rows) {
            gates[rest.clone()].copy_from_slice(&self.weights.bias[rest.clone()]);
        }
    }
}

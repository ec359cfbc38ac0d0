//! The loops over time, for one group of rows in one direction: plain slices, compiled as a whole
//! for the widest vectors of the processor.

use pulp::{Simd, WithSimd};

use super::{Cell, gru, lstm, packing::Packing};
use crate::ops::product::{Panels, Rows, add_product};

/// Numbers kept per unit and step: the four gates of an LSTM; z, r, q and g of a GRU.
pub(super) const SLOTS: usize = 4;

/// What both loops read of one group of rows in one direction.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub cell: Cell,
    pub units: usize,
    pub packing: &'a Packing,
    pub reverse: bool,
    /// `[batch, units]`: factors of the state before the recurrent product.
    pub state_mask: Option<&'a [f32]>,
}

/// What a forward sweep leaves for the backward one, in packed rows.
#[derive(Debug)]
pub(super) struct Trace {
    /// `[rows, SLOTS * units]`, after their activations.
    pub gates: Vec<f32>,
    /// `[first step's rows + rows, units]`: zeros, then the state after each step, which is c of an
    /// LSTM and h of a GRU.
    pub state: Vec<f32>,
}

/// What a forward sweep computes, in packed rows of `units` numbers.
pub(super) struct Swept {
    pub trace: Trace,
    /// The left side of the recurrent product: h of the step before times the mask.
    pub recurrent: Vec<f32>,
    /// h after every step.
    pub hidden: Vec<f32>,
}

pub(super) struct Forward<'a> {
    pub part: Part<'a>,
    /// The input's product with the kernel: `[batch, steps, width]`, of which this direction's
    /// columns begin at `column`.
    pub projections: &'a [f32],
    pub steps: usize,
    pub width: usize,
    pub column: usize,
    pub recurrent_kernel: &'a Panels,
    pub bias: &'a [f32],
}

impl WithSimd for Forward<'_> {
    type Output = Swept;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Part { units, packing, .. } = self.part;
        let (rows, first) = (packing.packed(), packing.first_step());
        let mut gates = vec![0.0; rows * SLOTS * units];
        let mut state = vec![0.0; (first + rows) * units];
        let mut recurrent = vec![0.0; rows * units];
        let mut hidden = vec![0.0; rows * units];
        let mut previous = 0;
        for step in 0..packing.steps() {
            let now = packing.step(step);
            let gates = &mut gates[now.start * SLOTS * units..now.end * SLOTS * units];
            self.open(step, gates);
            if step > 0 {
                let left =
                    Rows { values: &recurrent[now.start * units..now.end * units], stride: units };
                let out = Rows { values: &mut *gates, stride: SLOTS * units };
                add_product(simd, now.len(), left, self.recurrent_kernel, out);
            }
            let (earlier, later) = state.split_at_mut((first + now.start) * units);
            let before = &earlier[previous * units..];
            self.part.advance(gates, before, later, &mut hidden[now.start * units..]);
            if step + 1 < packing.steps() {
                let next = packing.step(step + 1);
                let next = &mut recurrent[next.start * units..next.end * units];
                next.copy_from_slice(&hidden[now.start * units..][..next.len()]);
                self.part.mask(next);
            }
            previous = first + now.start;
        }
        Swept { trace: Trace { gates, state }, recurrent, hidden }
    }
}

impl Forward<'_> {
    /// The gates' sums without the recurrent product.
    #[inline(always)]
    fn open(&self, step: usize, gates: &mut [f32]) {
        let Part { cell, units, packing, reverse, .. } = self.part;
        let inputs = cell.gates() * units;
        for (i, gates) in gates.chunks_exact_mut(SLOTS * units).enumerate() {
            let (row, time) = packing.place(step, i, reverse);
            let projected =
                &self.projections[(row * self.steps + time) * self.width + self.column..];
            let projected = &projected[..inputs];
            match cell {
                Cell::Lstm => sum(projected, self.bias, gates),
                Cell::Gru => {
                    let (bias, recurrent_bias) = self.bias.split_at(inputs);
                    let (sums, candidate) = gates.split_at_mut(inputs);
                    sum(projected, bias, sums);
                    candidate.copy_from_slice(&sums[2 * units..]);
                    sums[2 * units..].fill(0.0);
                    sums.iter_mut().zip(recurrent_bias).for_each(|(sum, bias)| *sum += bias);
                }
            }
        }
    }
}

#[inline(always)]
fn sum(a: &[f32], b: &[f32], out: &mut [f32]) {
    let n = out.len();
    let (a, b) = (&a[..n], &b[..n]);
    for j in 0..n {
        out[j] = a[j] + b[j];
    }
}

impl Part<'_> {
    /// One step of the rows whose gates' sums are given, with as many states before and after it.
    #[inline(always)]
    pub fn advance(
        &self,
        gates: &mut [f32],
        before: &[f32],
        state: &mut [f32],
        hidden: &mut [f32],
    ) {
        let rows = gates
            .chunks_exact_mut(SLOTS * self.units)
            .zip(before.chunks_exact(self.units))
            .zip(state.chunks_exact_mut(self.units))
            .zip(hidden.chunks_exact_mut(self.units));
        for (((gates, before), state), hidden) in rows {
            match self.cell {
                Cell::Lstm => lstm::forward(gates, before, state, hidden),
                Cell::Gru => {
                    gru::forward(gates, before, state);
                    hidden.copy_from_slice(state);
                }
            }
        }
    }

    /// Multiplies the first rows' numbers with their mask.
    #[inline(always)]
    fn mask(&self, rows: &mut [f32]) {
        let Some(mask) = self.state_mask else { return };
        for (i, row) in rows.chunks_exact_mut(self.units).enumerate() {
            let (batch_row, _) = self.packing.place(0, i, false);
            let mask = &mask[batch_row * self.units..];
            row.iter_mut().zip(mask).for_each(|(x, factor)| *x *= factor);
        }
    }
}

/// The loss' slopes at a layer's result.
#[derive(Clone, Copy)]
pub(super) enum Slopes<'a> {
    /// `[batch, width]`
    Last(&'a [f32]),
    /// `[batch, time, width]`
    Sequence(&'a [f32], usize),
}

pub(super) struct Backward<'a> {
    pub part: Part<'a>,
    pub trace: &'a Trace,
    pub slopes: Slopes<'a>,
    /// Numbers of one result in `slopes`, and where this direction's begin among them.
    pub width: usize,
    pub column: usize,
    /// The recurrent kernel with rows and columns exchanged.
    pub transposed: &'a Panels,
}

impl WithSimd for Backward<'_> {
    /// The slopes before the gates' activations, `[rows, SLOTS * units]`, and their sums.
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Part { units, packing, .. } = self.part;
        let first = packing.first_step();
        let mut d_gates = vec![0.0; packing.packed() * SLOTS * units];
        let mut sums = vec![0.0; SLOTS * units];
        let mut d_hidden = vec![0.0; first * units];
        let mut d_cell = vec![0.0; first * units];
        let mut product = vec![0.0; first * units];
        if let Slopes::Last(slopes) = self.slopes {
            for (i, d_hidden) in d_hidden.chunks_exact_mut(units).enumerate() {
                let (row, _) = packing.place(0, i, false);
                d_hidden.copy_from_slice(&slopes[row * self.width + self.column..][..units]);
            }
        }
        for step in (0..packing.steps()).rev() {
            let now = packing.step(step);
            let d_hidden = &mut d_hidden[..now.len() * units];
            self.add_slopes(step, d_hidden);
            let d_gates = &mut d_gates[now.start * SLOTS * units..now.end * SLOTS * units];
            self.through_gates(step, d_hidden, &mut d_cell, d_gates);
            for row in d_gates.chunks_exact(SLOTS * units) {
                sums.iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
            }
            if step > 0 {
                let product = &mut product[..now.len() * units];
                product.fill(0.0);
                let left = Rows { values: &*d_gates, stride: SLOTS * units };
                let out = Rows { values: &mut *product, stride: units };
                add_product(simd, now.len(), left, self.transposed, out);
                self.part.mask(product);
                d_hidden.iter_mut().zip(product).for_each(|(d, product)| *d += *product);
            }
        }
        (d_gates, sums)
    }
}

impl Backward<'_> {
    #[inline(always)]
    fn add_slopes(&self, step: usize, d_hidden: &mut [f32]) {
        let Slopes::Sequence(slopes, times) = self.slopes else { return };
        let Part { units, packing, reverse, .. } = self.part;
        for (i, d_hidden) in d_hidden.chunks_exact_mut(units).enumerate() {
            let (row, time) = packing.place(step, i, reverse);
            let slopes = &slopes[(row * times + time) * self.width + self.column..];
            d_hidden.iter_mut().zip(slopes).for_each(|(d, slope)| *d += slope);
        }
    }

    #[inline(always)]
    fn through_gates(
        &self,
        step: usize,
        d_hidden: &mut [f32],
        d_cell: &mut [f32],
        d_gates: &mut [f32],
    ) {
        let Part { cell, units, packing, .. } = self.part;
        let (now, first) = (packing.step(step), packing.first_step());
        let previous = if step == 0 { 0 } else { first + packing.step(step - 1).start };
        let Trace { gates, state, .. } = self.trace;
        let rows = gates[now.start * SLOTS * units..]
            .chunks_exact(SLOTS * units)
            .zip(state[previous * units..].chunks_exact(units))
            .zip(state[(first + now.start) * units..].chunks_exact(units))
            .zip(d_hidden.chunks_exact_mut(units))
            .zip(d_cell.chunks_exact_mut(units))
            .zip(d_gates.chunks_exact_mut(SLOTS * units));
        for (((((gates, before), state), d_hidden), d_cell), d_gates) in rows {
            match cell {
                Cell::Lstm => lstm::backward(gates, (before, state), (d_hidden, d_cell), d_gates),
                Cell::Gru => gru::backward(gates, before, d_hidden, d_gates),
            }
        }
    }
}

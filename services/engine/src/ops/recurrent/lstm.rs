//! One step of a long short-term memory: Hochreiter and Schmidhuber (1997) with the forget gate of
//! Gers, Schmidhuber and Cummins (2000). Gates are in Keras' order: input, forget, cell, output.
//!
//! c = f * c' + i * g and h = o * tanh(c), with i, f, o = sigmoid(..), g = tanh(..) of the input's
//! and the previous state's products.

use crate::ops::simd::{sigmoid, tanh};

/// One row's numbers at one step, `units` of each.
#[inline(always)]
pub(super) fn forward(gates: &mut [f32], before: &[f32], cell: &mut [f32], hidden: &mut [f32]) {
    let units = cell.len();
    let (input_forget, rest) = gates.split_at_mut(2 * units);
    let (candidate, output) = rest.split_at_mut(units);
    input_forget.iter_mut().for_each(|x| *x = sigmoid(*x));
    candidate.iter_mut().for_each(|x| *x = tanh(*x));
    output.iter_mut().for_each(|x| *x = sigmoid(*x));
    let (input, forget) = input_forget.split_at(units);
    remember((input, forget, candidate), before, cell);
    show(output, cell, hidden);
}

#[inline(always)]
fn remember((i, f, g): (&[f32], &[f32], &[f32]), before: &[f32], cell: &mut [f32]) {
    let units = cell.len();
    let (i, f, g, before) = (&i[..units], &f[..units], &g[..units], &before[..units]);
    for j in 0..units {
        cell[j] = f[j] * before[j] + i[j] * g[j];
    }
}

#[inline(always)]
fn show(output: &[f32], cell: &[f32], hidden: &mut [f32]) {
    let units = hidden.len();
    let (output, cell) = (&output[..units], &cell[..units]);
    for j in 0..units {
        hidden[j] = output[j] * tanh(cell[j]);
    }
}

/// The loss' slopes before each gate's activation, from those of the new state. `d_hidden` and
/// `d_cell` become what the previous state gets without going through the gates.
#[inline(always)]
pub(super) fn backward(
    gates: &[f32],
    (before, cell): (&[f32], &[f32]),
    (d_hidden, d_cell): (&mut [f32], &mut [f32]),
    d_gates: &mut [f32],
) {
    let units = cell.len();
    let (i, rest) = gates.split_at(units);
    let (f, rest) = rest.split_at(units);
    let (g, o) = rest.split_at(units);
    let (d_i, rest) = d_gates.split_at_mut(units);
    let (d_f, rest) = rest.split_at_mut(units);
    let (d_g, d_o) = rest.split_at_mut(units);
    through_output(o, cell, (d_hidden, d_cell), d_o);
    input_slope(d_cell, (i, g), d_i);
    forget_slope(d_cell, (f, before), d_f);
    candidate_slope(d_cell, (i, g), d_g);
    d_cell.iter_mut().zip(f).for_each(|(d, f)| *d *= f);
    d_hidden.fill(0.0);
}

#[inline(always)]
fn through_output(o: &[f32], cell: &[f32], d: (&[f32], &mut [f32]), d_o: &mut [f32]) {
    let units = d_o.len();
    let (o, cell) = (&o[..units], &cell[..units]);
    let (d_hidden, d_cell) = (&d.0[..units], &mut d.1[..units]);
    for j in 0..units {
        let shown = tanh(cell[j]);
        let slope = d_hidden[j] * o[j];
        d_cell[j] += slope * (1.0 - shown * shown);
        d_o[j] = slope * shown * (1.0 - o[j]);
    }
}

#[inline(always)]
fn input_slope(d_cell: &[f32], (i, g): (&[f32], &[f32]), d_i: &mut [f32]) {
    let units = d_i.len();
    let (d_cell, i, g) = (&d_cell[..units], &i[..units], &g[..units]);
    for j in 0..units {
        d_i[j] = d_cell[j] * g[j] * i[j] * (1.0 - i[j]);
    }
}

#[inline(always)]
fn forget_slope(d_cell: &[f32], (f, before): (&[f32], &[f32]), d_f: &mut [f32]) {
    let units = d_f.len();
    let (d_cell, f, before) = (&d_cell[..units], &f[..units], &before[..units]);
    for j in 0..units {
        d_f[j] = d_cell[j] * before[j] * f[j] * (1.0 - f[j]);
    }
}

#[inline(always)]
fn candidate_slope(d_cell: &[f32], (i, g): (&[f32], &[f32]), d_g: &mut [f32]) {
    let units = d_g.len();
    let (d_cell, i, g) = (&d_cell[..units], &i[..units], &g[..units]);
    for j in 0..units {
        d_g[j] = d_cell[j] * i[j] * (1.0 - g[j] * g[j]);
    }
}

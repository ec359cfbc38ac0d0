//! One step of a gated recurrent unit: Cho et al. (2014) in the form whose reset gate acts after the
//! recurrent product (Keras' `reset_after`, cuDNN's). Gates are in Keras' order: update, reset,
//! candidate.
//!
//! h = z * h' + (1 - z) * g, with z, r = sigmoid(..) and g = tanh(a + r * q), where a comes from the
//! input and q from the previous state.

use crate::ops::simd::{sigmoid, tanh};

/// One row's numbers at one step, `units` of each. `gates` come as z and r before their activation,
/// then q and a; they become z, r, q and g.
#[inline(always)]
pub(super) fn forward(gates: &mut [f32], before: &[f32], state: &mut [f32]) {
    let units = state.len();
    let (update_reset, rest) = gates.split_at_mut(2 * units);
    let (recurrent, candidate) = rest.split_at_mut(units);
    update_reset.iter_mut().for_each(|x| *x = sigmoid(*x));
    let (update, reset) = update_reset.split_at(units);
    propose(reset, recurrent, candidate);
    mix((update, candidate), before, state);
}

#[inline(always)]
fn propose(reset: &[f32], recurrent: &[f32], candidate: &mut [f32]) {
    let units = candidate.len();
    let (reset, recurrent) = (&reset[..units], &recurrent[..units]);
    for j in 0..units {
        candidate[j] = tanh(candidate[j] + reset[j] * recurrent[j]);
    }
}

#[inline(always)]
fn mix((z, g): (&[f32], &[f32]), before: &[f32], state: &mut [f32]) {
    let units = state.len();
    let (z, g, before) = (&z[..units], &g[..units], &before[..units]);
    for j in 0..units {
        state[j] = z[j] * before[j] + (1.0 - z[j]) * g[j];
    }
}

/// The loss' slopes before the activations of z and r, at q and at a, from that of the new state.
/// `d_state` becomes what the previous state gets without going through the gates.
#[inline(always)]
pub(super) fn backward(gates: &[f32], before: &[f32], d_state: &mut [f32], d_gates: &mut [f32]) {
    let units = d_state.len();
    let (z, rest) = gates.split_at(units);
    let (r, rest) = rest.split_at(units);
    let (q, g) = rest.split_at(units);
    let (d_z, rest) = d_gates.split_at_mut(units);
    let (d_r, rest) = rest.split_at_mut(units);
    let (d_q, d_a) = rest.split_at_mut(units);
    candidate_slope(d_state, (z, g), d_a);
    update_slope(d_state, (z, g, before), d_z);
    reset_slopes(d_a, (r, q), (d_r, d_q));
    d_state.iter_mut().zip(z).for_each(|(d, z)| *d *= z);
}

#[inline(always)]
fn candidate_slope(d_state: &[f32], (z, g): (&[f32], &[f32]), d_a: &mut [f32]) {
    let units = d_a.len();
    let (d_state, z, g) = (&d_state[..units], &z[..units], &g[..units]);
    for j in 0..units {
        d_a[j] = d_state[j] * (1.0 - z[j]) * (1.0 - g[j] * g[j]);
    }
}

#[inline(always)]
fn update_slope(d_state: &[f32], (z, g, before): (&[f32], &[f32], &[f32]), d_z: &mut [f32]) {
    let units = d_z.len();
    let (d_state, z, g, before) = (&d_state[..units], &z[..units], &g[..units], &before[..units]);
    for j in 0..units {
        d_z[j] = d_state[j] * (before[j] - g[j]) * z[j] * (1.0 - z[j]);
    }
}

#[inline(always)]
fn reset_slopes(d_a: &[f32], (r, q): (&[f32], &[f32]), (d_r, d_q): (&mut [f32], &mut [f32])) {
    let units = d_q.len();
    let (d_a, r, q, d_r) = (&d_a[..units], &r[..units], &q[..units], &mut d_r[..units]);
    for j in 0..units {
        d_q[j] = d_a[j] * r[j];
        d_r[j] = d_q[j] * q[j] * (1.0 - r[j]);
    }
}

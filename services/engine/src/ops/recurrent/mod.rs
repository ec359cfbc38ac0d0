//! Recurrent layers: LSTM and GRU as Keras computes them, over rows of different lengths and in one
//! or both directions.
//!
//! The tensor library would run each step as a dozen small operations. Here a layer is one operation
//! with a backward pass of its own: the input's products of all steps are one large one, then come the
//! loops over time. Where nothing is learned, both go hand in hand ([`reading`]).

mod gru;
mod lstm;
mod operation;
mod packing;
mod plan;
mod reading;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::{
    backend::Dispatch,
    tensor::{Device, Tensor},
};

use operation::RecurrentSweep;
use packing::Packing;
use plan::{GROUP, Plan, Way};

/// Parameters in Keras' shapes and order of gates.
#[derive(Debug, Clone)]
pub(crate) struct RecurrentWeights {
    /// `[features, gates * units]`
    pub kernel: Tensor<2>,
    /// `[units, gates * units]`
    pub recurrent_kernel: Tensor<2>,
    /// `[gates * units]` of an LSTM; a GRU's has the input's half, then the state's.
    pub bias: Tensor<1>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Gates: input, forget, cell, output.
    Lstm,
    /// Gates: update, reset, candidate; the reset gate acts after the recurrent product.
    Gru,
}

impl Cell {
    pub(crate) const fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// Biases per gate.
    pub(crate) const fn biases(self) -> usize {
        match self {
            Self::Lstm => 1,
            Self::Gru => 2,
        }
    }

    /// Of the slopes that a sweep keeps for each step, those at the input's product.
    fn input_slopes(self, slots: &[f32], out: &mut [f32]) {
        match self {
            Self::Lstm => out.copy_from_slice(slots),
            Self::Gru => {
                let units = slots.len() / sweep::SLOTS;
                out[..2 * units].copy_from_slice(&slots[..2 * units]);
                out[2 * units..].copy_from_slice(&slots[3 * units..]);
            }
        }
    }
}

/// One reading of the rows.
#[derive(Debug)]
pub(crate) struct Direction<'a> {
    pub weights: &'a RecurrentWeights,
    /// Variational dropout of the state, `[batch, units]`: zeros and 1 / (1 - rate), the same at
    /// every step, applied before the recurrent product (Gal and Ghahramani, "A Theoretically
    /// Grounded Application of Dropout in Recurrent Neural Networks", 2016).
    pub state_mask: Option<Vec<f32>>,
    /// From each row's last real step to its first.
    pub reverse: bool,
}

/// The state after every step, `[batch, time, directions * units]`, at the step it was read; zero
/// beyond a row's length.
///
/// `x` is `[batch, time, features]`, each row's steps first and padding after `lengths` of them;
/// without lengths every row is full.
pub(crate) fn sequence(
    cell: Cell,
    x: Tensor<3>,
    lengths: Option<&[usize]>,
    directions: Vec<Direction<'_>>,
) -> Tensor<3> {
    let time = x.dims()[1];
    sweep_all(cell, x, lengths, directions, Some(time))
}

/// The state after each row's last step in reading order, `[batch, directions * units]`; zero for a
/// row of length 0.
pub(crate) fn last(
    cell: Cell,
    x: Tensor<3>,
    lengths: Option<&[usize]>,
    directions: Vec<Direction<'_>>,
) -> Tensor<2> {
    sweep_all(cell, x, lengths, directions, None)
}

fn sweep_all<const D: usize>(
    cell: Cell,
    x: Tensor<3>,
    lengths: Option<&[usize]>,
    directions: Vec<Direction<'_>>,
    sequence: Option<usize>,
) -> Tensor<D> {
    let [batch, time, features] = x.dims();
    let length =
        |row: usize| lengths.and_then(|lengths| lengths.get(row)).map_or(time, |&n| n.min(time));
    let lengths: Vec<usize> = (0..batch).map(length).collect();
    let steps = lengths.iter().copied().max().unwrap_or(0);
    let units = directions.first().map_or(0, |first| first.weights.recurrent_kernel.dims()[0]);
    if steps * units * features == 0 {
        let width = directions.len() * units;
        return nothing(batch, sequence, width, &x.device());
    }
    // Padding that all rows share is not read.
    let x = if steps < time { x.slice([0..batch, 0..steps]) } else { x };
    let kernels = directions.iter().map(|d| d.weights.kernel.clone()).collect();
    let recurrent = |d: &Direction<'_>| {
        let bias = d.weights.bias.clone().reshape([cell.biases(), cell.gates() * units]);
        [d.weights.recurrent_kernel.clone(), bias]
    };
    let weights = side_by_side(directions.iter().flat_map(recurrent).collect(), 0);
    let plan = Plan {
        cell,
        units,
        batch,
        steps,
        features,
        sequence,
        directions: directions
            .into_iter()
            .map(|d| Way { reverse: d.reverse, state_mask: d.state_mask })
            .collect(),
        groups: lengths
            .chunks(GROUP)
            .enumerate()
            .map(|(i, lengths)| Packing::new(i * GROUP, lengths))
            .collect(),
    };
    Tensor::from_dispatch(<Dispatch as RecurrentSweep>::recurrent_sweep(
        x.into_dispatch(),
        side_by_side(kernels, 1).into_dispatch(),
        weights.into_dispatch(),
        Arc::new(plan),
    ))
}

fn nothing<const D: usize>(
    batch: usize,
    sequence: Option<usize>,
    width: usize,
    device: &Device,
) -> Tensor<D> {
    let shape: Vec<usize> = [batch].into_iter().chain(sequence).chain([width]).collect();
    Tensor::zeros(shape, device)
}

fn side_by_side(mut parts: Vec<Tensor<2>>, dim: usize) -> Tensor<2> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, dim) }
}

//! What a recurrent layer has to do, and who does it: groups of rows and directions run in parallel. How
//! rows are grouped does not depend on the number of threads, so neither do the results.

use rayon::prelude::*;

use super::{
    Cell,
    packing::{End, Packing},
    sweep::Part,
};
use crate::ops::product::Panels;

/// Rows swept together.
pub(super) const GROUP: usize = 8;
/// Multiplications from which on a second thread pays.
const PARALLEL_FROM: usize = 1 << 22;

/// Everything about a call that is not a tensor.
#[derive(Debug)]
pub(super) struct Plan {
    pub cell: Cell,
    pub units: usize,
    pub batch: usize,
    /// Of the input: as many as the longest row has.
    pub steps: usize,
    pub features: usize,
    /// Steps of a sequence that comes out; `None` for the last state alone.
    pub sequence: Option<usize>,
    pub directions: Vec<Way>,
    /// One for every [`GROUP`] rows.
    pub groups: Vec<Packing>,
}

#[derive(Debug)]
pub(super) struct Way {
    pub reverse: bool,
    pub state_mask: Option<Vec<f32>>,
}

impl Plan {
    /// Columns of one direction's kernels.
    pub fn columns(&self) -> usize {
        self.cell.gates() * self.units
    }

    pub fn part(&self, group: usize, direction: usize) -> Part<'_> {
        let way = &self.directions[direction];
        Part {
            cell: self.cell,
            units: self.units,
            packing: &self.groups[group],
            reverse: way.reverse,
            state_mask: way.state_mask.as_deref(),
        }
    }

    /// The recurrent kernel and the biases of each direction.
    pub fn split<'a>(&self, weights: &'a [f32]) -> Vec<(&'a [f32], &'a [f32])> {
        let rows = self.units + self.cell.biases();
        let directions = weights.chunks_exact(rows * self.columns());
        directions.map(|weights| weights.split_at(self.units * self.columns())).collect()
    }

    /// A direction's recurrent kernel for products of few rows.
    pub fn recurrent_kernel(&self, values: &[f32]) -> Panels {
        let columns = self.columns();
        Panels::new(self.units, columns, |row, column| values[row * columns + column])
    }

    /// Runs `f` for every group and direction, those of a group side by side.
    pub fn for_each<R: Send>(&self, f: impl Fn(usize, usize) -> R + Send + Sync) -> Vec<R> {
        let directions = self.directions.len();
        let tasks = 0..self.groups.len() * directions;
        let of_task = |i| f(i / directions, i % directions);
        if self.is_small() {
            return tasks.map(of_task).collect();
        }
        tasks.into_par_iter().map(of_task).collect()
    }

    /// So small that another thread would come too late to help.
    fn is_small(&self) -> bool {
        let rows: usize = self.groups.iter().map(Packing::packed).sum();
        rows * self.directions.len() * self.units * self.columns() < PARALLEL_FROM
    }

    /// Shape of what comes out.
    pub fn shape(&self) -> Vec<usize> {
        let width = self.directions.len() * self.units;
        match self.sequence {
            Some(time) => vec![self.batch, time, width],
            None => vec![self.batch, width],
        }
    }
}

/// The states of all groups where they belong in the result; what no row reaches stays zero.
/// `last` tells where a row's last state lies.
pub(super) fn gather(
    hidden: &[&[f32]],
    plan: &Plan,
    last: impl Fn(&End) -> usize + Sync,
) -> Vec<f32> {
    let (units, directions) = (plan.units, plan.directions.len());
    let width = directions * units;
    let row_size = width * plan.sequence.unwrap_or(1);
    let mut result = vec![0.0; plan.batch * row_size];
    let of_group = |(group, result): (usize, &mut [f32])| {
        let mut put = |row: usize, time: usize, direction: usize, packed: usize| {
            let at = (row - group * GROUP) * row_size + time * width + direction * units;
            let hidden = &hidden[group * directions + direction][packed * units..];
            result[at..at + units].copy_from_slice(&hidden[..units]);
        };
        let packing = &plan.groups[group];
        for (direction, way) in plan.directions.iter().enumerate() {
            if plan.sequence.is_none() {
                packing.ends().for_each(|end| put(end.row, 0, direction, last(&end)));
                continue;
            }
            for step in 0..packing.steps() {
                for (i, packed) in packing.step(step).enumerate() {
                    let (row, time) = packing.place(step, i, way.reverse);
                    put(row, time, direction, packed);
                }
            }
        }
    };
    if plan.is_small() {
        result.chunks_mut(GROUP * row_size).enumerate().for_each(of_group);
    } else {
        result.par_chunks_mut(GROUP * row_size).enumerate().for_each(of_group);
    }
    result
}

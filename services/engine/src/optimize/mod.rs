//! From gradients to better weights: what is done to gradients, the optimizer's update, the
//! learning rate over time, when to stop, and how weights start. All over plain slices, so that a
//! checkpoint is a list of arrays.

mod gradient;
mod initialize;
mod optimizer;
mod schedule;
mod stopping;

pub(crate) use gradient::{Accumulation, Held, add_penalty_gradient, clip, penalty};
pub(crate) use initialize::{initial, orthogonal};
pub(crate) use optimizer::{Optimizer, TensorUpdate, blend};
pub(crate) use schedule::{Plateau, Rate};
pub(crate) use stopping::{Decision, Stopping};

/// Finds an array of a checkpoint by its name and size.
pub(crate) type Find<'a> = &'a mut dyn FnMut(&str, usize) -> Result<Vec<f32>, String>;

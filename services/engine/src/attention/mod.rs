//! Transformers: blocks of self-attention and a feed-forward network ("Attention is all you need",
//! Vaswani et al., 2017), with or without sight of what comes after a place. Attention and layer
//! normalisation are operations of their own, forward and backward by hand over plain slices, because
//! the tensor library's passes over memory cost more than the arithmetic.

mod block;
mod cache;
mod kernel;
mod lanes;
mod norm;
mod ops;
#[cfg(test)]
mod tests;

pub(crate) use block::{BlockWeights, block};
pub(crate) use cache::{Cache, step};
pub(crate) use lanes::largest;
pub(crate) use norm::layer_norm;

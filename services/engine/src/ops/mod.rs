//! Operations that the tensor library lacks, or has only in pieces too small to be fast on a CPU.

pub(crate) mod activation;
pub(crate) mod allocator;
pub(crate) mod denormals;
pub(crate) mod dense;
pub(crate) mod flex;
pub(crate) mod fresh;
pub(crate) mod matrix;
pub(crate) mod product;
pub(crate) mod recurrent;
pub(crate) mod seed;
pub(crate) mod simd;
#[cfg(test)]
mod slopes;
#[cfg(test)]
mod widths;

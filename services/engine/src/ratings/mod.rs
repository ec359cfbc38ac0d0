//! Recommendations: who rated or took what, as pairs of numbers that a factorisation learns from.

mod network;
mod ranking;
mod read;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use network::{FactorWeights, two_tower};
pub(crate) use read::{Draw, Rated, RawRatings};
pub(crate) use request::{check, encode_request, encode_user};

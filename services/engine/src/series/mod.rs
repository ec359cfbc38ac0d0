//! Time series: from rows to windows that a network learns to go on from, and back.
//!
//! A step of a window holds the value, then the calendar and the known columns of this step, then
//! those of the step `horizon` later. A window is centred by the mean of its last season and scaled
//! by its spread around that (instance normalisation, as in Kim et al., "Reversible instance
//! normalization", 2022), so a series that grows stays in the range that was learned.

mod fit;
mod read;
mod request;
#[cfg(test)]
mod tests;
mod time;
mod window;

pub(crate) use fit::check;
pub(crate) use read::RawSeries;
pub(crate) use request::{Request, encode_request};
pub(crate) use window::Windows;

//! onnxruntime, as its authors release it, answers held-out rows of an exported model as our own engine
//! does: for every family, every kind of layer and every way of preparing data.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod images;
mod language;
mod ratings;
mod series;
mod support;
mod tables;
mod texts;
mod trouble;

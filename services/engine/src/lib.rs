//! The engine: reads a tenant's file, makes its profile, trains a model on it and answers with it.
//!
//! It is the only crate that knows the tensor library, and none of that library's types leave it:
//! plain data in and out, synchronous. Nothing here asks for the time of day or for the system's
//! randomness; the same specification, data and seed give the same bytes.
//!
//! - [`profile`] reads a file once and says what is in it.
//! - [`train`] runs a [`Run`], tells of it through events, and stops at a step when its [`StopFlag`]
//!   is set; a later run in the same folder goes on from the checkpoint.
//! - [`Model`] loads the two files that a run leaves and predicts.
//! - [`predict_all`] asks one about all rows of a file.
//! - [`Model::explain`] says what an answer is made of, [`importance`] what features are worth on many rows.
//! - [`import`] makes such files of weights that came from elsewhere.
//! - [`EngineError::cause`] turns any failure into a stable code with a remedy.

mod attention;
mod balance;
mod base;
mod batch;
mod calendar;
mod chance;
mod checkpoint;
mod compare;
mod convolution;
mod corpus;
mod error;
mod evaluation;
#[cfg(test)]
mod examples;
mod export;
mod files;
mod generate;
mod hash;
mod head;
mod images;
mod import;
mod importance;
mod infer;
mod network;
mod ops;
mod optimize;
mod profile;
mod ratings;
mod read;
mod samples;
mod series;
mod source;
mod split;
mod table;
mod target;
mod text;
mod train;
mod unit;
mod value;

pub use base::misfits;
pub use batch::{Asking, predict_all};
pub use compare::{Comparing, compare};
pub use error::{At, EngineError};
pub use import::{ImportError, ModelFiles, TensorProblem, blueprint, import};
pub use importance::importance;
pub use infer::{Described, Model, Prepared};
pub use profile::profile;
pub use train::{Ending, Run, StopFlag, train};

//! What the benchmarks share: runs as processes of their own, a machine that is quiet, figures, and
//! tables of them.

mod archive;
mod child;
mod figures;
mod load;
mod machine;
mod made;
mod options;
mod pairs;
mod peak;
mod peers;
mod reference;
mod rows;
mod section;
mod server;
mod started;
mod table;

pub use child::{Ran, TookLonger, Training, parameters, run};
pub use figures::{Spread, median, percentile};
pub use load::{Answered, Load, offer, one_answer, saturate};
pub use machine::{Machine, Quiet};
pub use made::{Made, raw_rows};
pub use options::{Options, binary, data_folder};
pub use pairs::{Once, Side, best_peer, measure, ratio};
pub use peak::Peak;
pub use peers::{Answer, Choices, Peers, Settings, combinations, shown_settings};
pub use reference::{Reference, references};
pub use rows::{Data, load};
pub use section::{Section, conclude};
pub use server::{Server, Turn};
pub use started::{Started, free_port};
pub use table::aligned;

/// Bytes.
pub const MEBIBYTE: f64 = 1_048_576.0;

//! Replicas: processes that answer predictions for gateways. A replica [stands](standing) in Postgres while it runs,
//! and [answers](answering) gateways alone. A gateway [knows](fleet) who stands there, and [asks](remote) for each
//! version the one that answers for it (`domain::replica`), in the [words](wire) that both know.

mod answering;
mod fleet;
mod remote;
mod standing;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::time::Duration;

pub use answering::Replica;
pub(crate) use fleet::Fleet;
pub(crate) use remote::Saying;

/// A replica says that it is there, and gateways look who is.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
pub const REFRESH_EVERY: Duration = Duration::from_secs(1);
/// A replica that has not been heard for as long is given up, and what it was asked is asked elsewhere.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// All gateways have noticed by then that a replica has left.
const NOTICED_AFTER: Duration = Duration::from_secs(2);
/// Of a question. What is larger is answered by the gateway itself.
const MOST_BYTES: usize = 256 << 20;

/// Of what wraps a replica's secret.
fn context(id: domain::ReplicaId) -> String {
    format!("serving replica {id}")
}

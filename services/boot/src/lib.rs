//! What every process of ours does first: say what it does, listen for the end, and, where nothing
//! is configured, bring its own Postgres. No domain logic lives here.

pub mod bus;
pub mod lifeline;
pub mod postgres;
pub mod rates;
pub mod shutdown;
pub mod telemetry;
mod ticker;

pub use ticker::ticker;

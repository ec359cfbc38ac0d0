//! The platform as its users have it: the real binary, as real processes, on a Postgres of its own.
//! A story in `tests/` starts a [`Platform`], talks to it through a [`Client`] as any client would,
//! and does to its processes what the world does: kills, pauses, restarts.
//!
//! Nothing here sleeps for a fixed time: [`wait_until`] looks again and again until something is so,
//! and fails with its name when it does not become so.

//!
//! [`chaos`] does all of that at once, and asks the database afterwards whether its promises held.
//! [`bench`] is apart: what the benchmarks share.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

pub mod bench;
pub mod chaos;
mod client;
mod data;
mod ground;
mod network;
mod platform;
mod process;
mod system;
mod wait;

pub use client::{Answer, Client, Event};
pub use data::{breast_cancer, two_clouds};
pub use network::{Break, Network};
pub use platform::{Gateway, Platform, Up};
pub use process::{Process, cupola, cupola_as, cupola_through};
pub use system::{descendants, is_alive, kill};
pub use wait::wait_until;

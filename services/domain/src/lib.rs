//! The words of Cupola: ids, specifications, states, the scheduler's view of the world, and the
//! protocol between a worker and the process that trains. No I/O, no SQL, no tensor library: every
//! other crate may depend on this one, and this one depends on none of them.

pub mod access;
pub mod audit;
pub mod child;
pub mod comparison;
pub mod dataset;
pub mod digest;
pub mod endpoint;
pub mod evaluation;
pub mod explain;
pub mod field;
pub mod hint;
pub mod id;
pub mod importance;
pub mod inquiry;
pub mod interval;
pub mod job;
pub mod model;
pub mod name;
pub mod predict;
pub mod registry;
pub mod replica;
pub mod resources;
pub mod spec;
pub mod spend;
pub mod time;
pub mod wait;
pub mod world;

pub use digest::Digest;
pub use field::{FieldError, FieldErrors};
pub use id::{
    ApiKeyId, DatasetId, EndpointId, InvitationId, JobId, ModelId, PoolId, RecordId, ReplicaId,
    RequestId, ScheduleId, SessionId, SweepId, TenantId, UploadId, UserId, WorkerId,
};
pub use resources::Resources;
pub use time::{Clock, Timestamp};

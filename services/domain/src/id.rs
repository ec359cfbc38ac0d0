//! Ids: distinct types, sorted by time inside (UUIDv7), prefixed outside (`job_0192f…`), refusing
//! each other's prefix. One list at the end declares them all.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{given}` is not an id of this kind; expected `{prefix}_` and 32 hexadecimal digits")]
pub struct IdError {
    given: String,
    prefix: &'static str,
}

fn parse(text: &str, prefix: &'static str) -> Result<Uuid, IdError> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|hex| hex.len() == 32)
        .and_then(|hex| Uuid::try_parse(hex).ok())
        .ok_or_else(|| IdError { given: text.chars().take(60).collect(), prefix })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, examples(json!(concat!($prefix, "_0192f0c4a1b27c3d8e9fa0b1c2d3e4f5"))))]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;
            /// Before every other one; nobody has it.
            pub const NIL: Self = Self(Uuid::nil());

            /// A fresh id, later than those made before it.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    TenantId = "ten";
    UserId = "usr";
    ApiKeyId = "key";
    DatasetId = "dat";
    JobId = "job";
    ModelId = "mod";
    EndpointId = "end";
    WorkerId = "wrk";
    PoolId = "pool";
    /// A process that answers predictions.
    ReplicaId = "rep";
    SweepId = "swp";
    ScheduleId = "sch";
    SessionId = "ses";
    InvitationId = "inv";
    /// Of the audit log.
    RecordId = "aud";
    RequestId = "req";
    /// A file on its way.
    UploadId = "upl";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let job = JobId::generate().to_string();
        assert!(job.parse::<JobId>().is_ok());
        let error = job.parse::<TenantId>().unwrap_err().to_string();
        assert!(error.contains("ten_"), "{error}");
    }

    proptest! {
        #[test]
        fn text_round_trips_and_nothing_panics(text in ".{0,80}", bits: u128) {
            let _ = text.parse::<JobId>();
            let id = JobId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
        }
    }
}

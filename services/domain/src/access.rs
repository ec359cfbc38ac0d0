//! Who may do what. A role grants permissions; a handler asks for one permission by type
//! (`Caller<SubmitJobs>` in the gateway), so that forgetting the check does not compile.

use serde::{Deserialize, Serialize};

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs a tenant: its people, keys and what is public. Also everything a member may.
    Owner,
    /// Works in a tenant: datasets, jobs, models, predictions.
    Member,
    /// Runs the platform: tenants, their limits, workers. Reads no tenant's data.
    Operator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    ReadSelf,
    /// One's own API keys.
    ManageKeys,
    ReadDatasets,
    WriteDatasets,
    ReadJobs,
    SubmitJobs,
    ReadModels,
    PublishModels,
    Predict,
    ManagePeople,
    ManageTenants,
    ManagePools,
    ReadWorkers,
    ManageWorkers,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Owner, Self::Member, Self::Operator];

    pub const fn allows(self, permission: Permission) -> bool {
        use Permission::*;
        match permission {
            ReadSelf => true,
            ManageKeys | ReadDatasets | WriteDatasets | ReadJobs | SubmitJobs | ReadModels
            | Predict => matches!(self, Self::Owner | Self::Member),
            PublishModels | ManagePeople => matches!(self, Self::Owner),
            ManageTenants | ManagePools | ReadWorkers | ManageWorkers => {
                matches!(self, Self::Operator)
            }
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
            Self::Operator => "operator",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a role; use owner, member or operator"))
    }
}

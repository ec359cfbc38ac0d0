//! Who may do what. A role grants permissions; a handler asks for one permission by type
//! (`Caller<SubmitJobs>` in the gateway), so that forgetting the check does not compile. An API key may
//! be held to some of what its owner's role grants: those are its scopes.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, SessionId};

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
    /// Runs a tenant: everything that an admin may, and who else is an owner.
    Owner,
    /// Runs a tenant's days: its people but for the owners, everybody's keys, what is public. Also everything
    /// that a developer may.
    Admin,
    /// Works in a tenant: datasets, jobs, models, predictions.
    Developer,
    /// Looks, and changes nothing.
    Viewer,
    /// Runs the platform: tenants, their limits, workers. Reads no tenant's data.
    Operator,
    /// Looks at how the platform is run, and changes nothing.
    Auditor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    ReadSelf,
    /// One's own API keys.
    ManageKeys,
    ReadDatasets,
    WriteDatasets,
    ReadJobs,
    SubmitJobs,
    ReadModels,
    /// What is said of a tenant's own models, and drafts of them.
    WriteModels,
    /// Who sees them, and what is still good.
    PublishModels,
    Predict,
    ManagePeople,
    ReadTenants,
    ManageTenants,
    ManagePools,
    ReadWorkers,
    ManageWorkers,
    /// Who else runs the platform.
    ManageOperators,
    /// Who did what.
    ReadAudit,
}

impl Role {
    pub const ALL: [Self; 6] =
        [Self::Owner, Self::Admin, Self::Developer, Self::Viewer, Self::Operator, Self::Auditor];

    pub const fn allows(self, permission: Permission) -> bool {
        use Permission::*;
        match permission {
            ReadSelf => true,
            ManageKeys | ReadDatasets | ReadJobs | ReadModels => {
                matches!(self, Self::Owner | Self::Admin | Self::Developer | Self::Viewer)
            }
            WriteDatasets | SubmitJobs | WriteModels | Predict => {
                matches!(self, Self::Owner | Self::Admin | Self::Developer)
            }
            PublishModels | ManagePeople => matches!(self, Self::Owner | Self::Admin),
            ReadAudit => {
                matches!(self, Self::Owner | Self::Admin | Self::Operator | Self::Auditor)
            }
            ReadTenants | ReadWorkers => matches!(self, Self::Operator | Self::Auditor),
            ManageTenants | ManagePools | ManageWorkers | ManageOperators => {
                matches!(self, Self::Operator)
            }
        }
    }

    /// Whether it may make somebody a `role`, or take it from them.
    pub const fn grants(self, role: Self) -> bool {
        match self {
            Self::Owner => role.is_in_tenant(),
            Self::Admin => role.is_in_tenant() && !matches!(role, Self::Owner),
            Self::Operator => !role.is_in_tenant(),
            Self::Developer | Self::Viewer | Self::Auditor => false,
        }
    }

    /// The names of those of whom this is so.
    pub fn those(is_so: impl Fn(Self) -> bool) -> Vec<&'static str> {
        Self::ALL.into_iter().filter(|role| is_so(*role)).map(Self::as_str).collect()
    }

    /// The others are of the platform.
    pub const fn is_in_tenant(self) -> bool {
        matches!(self, Self::Owner | Self::Admin | Self::Developer | Self::Viewer)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            let roles = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is not a role; use one of {roles}")
        })
    }
}

impl Permission {
    pub const ALL: [Self; 18] = [
        Self::ReadSelf,
        Self::ManageKeys,
        Self::ReadDatasets,
        Self::WriteDatasets,
        Self::ReadJobs,
        Self::SubmitJobs,
        Self::ReadModels,
        Self::WriteModels,
        Self::PublishModels,
        Self::Predict,
        Self::ManagePeople,
        Self::ReadTenants,
        Self::ManageTenants,
        Self::ManagePools,
        Self::ReadWorkers,
        Self::ManageWorkers,
        Self::ManageOperators,
        Self::ReadAudit,
    ];

    /// As it is called among the scopes of a key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadSelf => "self:read",
            Self::ManageKeys => "keys:manage",
            Self::ReadDatasets => "datasets:read",
            Self::WriteDatasets => "datasets:write",
            Self::ReadJobs => "jobs:read",
            Self::SubmitJobs => "jobs:submit",
            Self::ReadModels => "models:read",
            Self::WriteModels => "models:write",
            Self::PublishModels => "models:publish",
            Self::Predict => "models:predict",
            Self::ManagePeople => "people:manage",
            Self::ReadTenants => "tenants:read",
            Self::ManageTenants => "tenants:manage",
            Self::ManagePools => "pools:manage",
            Self::ReadWorkers => "workers:read",
            Self::ManageWorkers => "workers:manage",
            Self::ManageOperators => "operators:manage",
            Self::ReadAudit => "audit:read",
        }
    }
}

impl FromStr for Permission {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| {
            let scopes = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is not a scope; use some of {scopes}")
        })
    }
}

/// Which credential: what an access token is made from, and what an act was done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    Key(ApiKeyId),
    Session(SessionId),
}

/// What a credential may be used for, of what its owner's role grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scopes {
    All,
    Only(BTreeSet<Permission>),
}

impl Scopes {
    pub fn allows(&self, permission: Permission) -> bool {
        match self {
            Self::All => true,
            // a credential can always be asked what it is
            Self::Only(some) => permission == Permission::ReadSelf || some.contains(&permission),
        }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything that its role grants"),
            Self::Only(some) => {
                let names: Vec<_> = some.iter().map(|one| one.as_str()).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_scopes_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
        }
        assert!("king".parse::<Role>().unwrap_err().contains("owner, admin"));
        assert!("jobs".parse::<Permission>().unwrap_err().contains("jobs:read"));
    }

    #[test]
    fn nobody_grants_more_than_they_have() {
        for who in Role::ALL {
            for role in Role::ALL.into_iter().filter(|role| who.grants(*role)) {
                let beyond = |p: &Permission| role.allows(*p) && !who.allows(*p);
                assert_eq!(Permission::ALL.iter().find(|p| beyond(p)), None, "{who:?} {role:?}");
            }
        }
        assert!(!Role::Admin.grants(Role::Owner) && !Role::Operator.grants(Role::Viewer));
    }

    #[test]
    fn a_key_can_always_be_asked_what_it_is() {
        let some = Scopes::Only([Permission::ReadJobs].into());
        assert!(some.allows(Permission::ReadSelf) && some.allows(Permission::ReadJobs));
        assert!(!some.allows(Permission::SubmitJobs) && Scopes::All.allows(Permission::SubmitJobs));
        assert_eq!(some.to_string(), "jobs:read");
    }
}

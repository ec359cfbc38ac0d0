//! Who sees a model, and what its versions are good for.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// For its own tenant alone.
    Private,
    /// For its own tenant, and for those that it names.
    Shared,
    /// For every tenant of this installation.
    Public,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// For its own tenant's eyes, until it is published.
    Draft,
    Published,
    /// As good as it was, but there is something better: it says so.
    Deprecated,
    /// Not to be used any more, for the reason given: `latest` and searches pass it by, who names it by
    /// its number or an alias still gets it, and is told.
    Yanked,
    /// Gone: its number is never given again.
    Deleted,
}

impl Visibility {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Public => "public",
        }
    }
}

impl VersionState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Deprecated => "deprecated",
            Self::Yanked => "yanked",
            Self::Deleted => "deleted",
        }
    }

    /// Whether `next` may follow. A version that was published is never a draft again, and what is
    /// deleted stays so.
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Deleted, _) => false,
            (Self::Draft, Self::Deprecated | Self::Yanked) => false,
            (_, Self::Draft) => matches!(self, Self::Draft),
            _ => true,
        }
    }
}

impl std::str::FromStr for Visibility {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Private, Self::Shared, Self::Public]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a visibility"))
    }
}

impl std::str::FromStr for VersionState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Draft, Self::Published, Self::Deprecated, Self::Yanked, Self::Deleted]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a state of a version"))
    }
}

#[cfg(test)]
mod tests {
    use super::VersionState::{self, Deleted, Deprecated, Draft, Published, Yanked};

    #[test]
    fn a_version_that_was_published_is_never_a_draft_again_and_one_that_is_deleted_stays_so() {
        let all = [Draft, Published, Deprecated, Yanked, Deleted];
        let ways = |from: VersionState| all.map(|next| from.may_become(next));
        assert_eq!(ways(Draft), [true, true, false, false, true]);
        for from in [Published, Deprecated, Yanked] {
            assert_eq!(ways(from), [false, true, true, true, true]);
        }
        assert_eq!(ways(Deleted), [false; 5]);
    }
}

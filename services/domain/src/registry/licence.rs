//! Licences by their SPDX identifiers, in the lower case that model hubs write them in, and what they
//! allow.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of [`Licence::ALL`], by its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, examples("apache-2.0"))]
pub struct Licence(u8);

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a licence that is known here; use one of {known}", known = Licence::ALL.join(", "))]
pub struct LicenceError(String);

impl Licence {
    pub const ALL: [&'static str; 25] = [
        "afl-3.0",
        "agpl-3.0",
        "apache-2.0",
        "artistic-2.0",
        "bigscience-openrail-m",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc-by-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "cdla-permissive-2.0",
        "creativeml-openrail-m",
        "ecl-2.0",
        "eupl-1.2",
        "gpl-3.0",
        "isc",
        "lgpl-3.0",
        "mit",
        "mpl-2.0",
        "openrail",
        "unlicense",
    ];

    pub const fn as_str(self) -> &'static str {
        Self::ALL[self.0 as usize]
    }

    /// Whether others may build upon the model. Creative Commons' ND is what forbids it.
    pub fn allows_derivatives(self) -> bool {
        !self.as_str().contains("-nd-")
    }

    /// Whether what is built upon it may be used to earn money.
    pub fn allows_commerce(self) -> bool {
        !self.as_str().contains("-nc-")
    }
}

impl FromStr for Licence {
    type Err = LicenceError;
    fn from_str(text: &str) -> Result<Self, LicenceError> {
        Self::ALL
            .iter()
            .zip(0..)
            .find(|(known, _)| known.eq_ignore_ascii_case(text))
            .map(|(_, place)| Self(place))
            .ok_or_else(|| LicenceError(text.chars().take(60).collect()))
    }
}

impl TryFrom<String> for Licence {
    type Error = LicenceError;
    fn try_from(text: String) -> Result<Self, LicenceError> {
        text.parse()
    }
}

impl From<Licence> for String {
    fn from(licence: Licence) -> Self {
        licence.as_str().to_owned()
    }
}

impl fmt::Display for Licence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spdx_is_read_in_any_case_and_what_is_unknown_is_told_the_list() {
        assert_eq!("Apache-2.0".parse::<Licence>().unwrap().as_str(), "apache-2.0");
        let refused = "beerware".parse::<Licence>().unwrap_err().to_string();
        assert!(refused.contains("`beerware`") && refused.contains("apache-2.0"), "{refused}");
    }

    #[test]
    fn no_derivatives_and_no_commerce_are_two_things() {
        let allows = |text: &str| {
            let licence: Licence = text.parse().unwrap();
            (licence.allows_derivatives(), licence.allows_commerce())
        };
        assert_eq!(allows("cc-by-nd-4.0"), (false, true));
        assert_eq!(allows("cc-by-nc-4.0"), (true, false));
        assert_eq!(allows("cc-by-nc-nd-4.0"), (false, false));
        assert_eq!(allows("mit"), (true, true));
    }
}

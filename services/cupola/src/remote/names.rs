//! How people name what they mean: `reviews`, `reviews:3`, `acme/reviews@champion`.

use std::{fmt, str::FromStr};

use domain::{
    name::Name,
    registry::{Alias, Reference},
};

use super::{access, api::Client};

/// A dataset, and a version of it; the newest if absent.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetName {
    pub name: Name,
    pub version: Option<u32>,
}

impl FromStr for DatasetName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once(':') {
            None | Some((_, "latest")) => (text.trim_end_matches(":latest"), None),
            Some((name, version)) => match version.parse() {
                Ok(number) => (name, Some(number)),
                Err(_) => {
                    return Err(format!("`{version}` is no version; use a number or `latest`"));
                }
            },
        };
        Ok(Self { name: name.parse::<Name>().map_err(|e| e.to_string())?, version })
    }
}

impl DatasetName {
    pub fn path(&self) -> String {
        let version = self.version.map_or_else(|| "latest".to_owned(), |number| number.to_string());
        format!("/v1/datasets/{}/versions/{version}", self.name)
    }
}

/// A model, of one's own where no tenant is named, and a version of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelName {
    tenant: Option<Name>,
    pub model: Name,
    /// A number, a revision, an alias, or `latest`.
    pub version: String,
}

impl FromStr for ModelName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = match (text.split_once(':'), text.split_once('@')) {
            (Some((name, version)), _) => {
                version.parse::<Reference>().map_err(|e| e.to_string())?;
                (name, version)
            }
            (None, Some((name, alias))) => {
                alias.parse::<Alias>().map_err(|e| e.to_string())?;
                (name, alias)
            }
            (None, None) => (text, "latest"),
        };
        let parse = |name: &str| name.parse::<Name>().map_err(|e| e.to_string());
        let (tenant, model) = match name.split_once('/') {
            Some((tenant, model)) => (Some(parse(tenant)?), parse(model)?),
            None => (None, parse(name)?),
        };
        Ok(Self { tenant, model, version: version.to_owned() })
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = &self.tenant {
            write!(f, "{tenant}/")?;
        }
        write!(f, "{}", self.model)
    }
}

impl ModelName {
    pub async fn path(&self, client: &Client) -> anyhow::Result<String> {
        let tenant = match &self.tenant {
            Some(tenant) => tenant.to_string(),
            None => access::tenant(client).await?,
        };
        Ok(format!("/v1/models/{tenant}/{}", self.model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_as_people_write_them() {
        let named = |text: &str| text.parse::<ModelName>().map(|n| (n.to_string(), n.version));
        for (text, name, version) in [
            ("reviews", "reviews", "latest"),
            ("acme/reviews:3", "acme/reviews", "3"),
            ("reviews@champion", "reviews", "champion"),
            ("acme/reviews:champion", "acme/reviews", "champion"),
        ] {
            assert_eq!(named(text), Ok((name.to_owned(), version.to_owned())));
        }
        for wrong in ["Reviews", "a/b/c", "reviews:", "reviews@3", "reviews:../x", ""] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn datasets_too() {
        let path = |text: &str| text.parse::<DatasetName>().map(|name| name.path());
        assert_eq!(path("rows").unwrap(), "/v1/datasets/rows/versions/latest");
        assert_eq!(path("rows:latest").unwrap(), "/v1/datasets/rows/versions/latest");
        assert_eq!(path("rows:2").unwrap(), "/v1/datasets/rows/versions/2");
        assert!(path("rows:two").is_err() && path("a/b").is_err());
    }
}

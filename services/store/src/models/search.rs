//! Finding models: by words, by what they are, in one of several orders, page after page. What is public lies
//! in a table of its own (`public_model`, kept by triggers); what a tenant sees besides is asked of its own
//! few rows.

mod asked;
mod conditions;
mod terms;
mod way;

use std::collections::BTreeMap;

use domain::{
    ModelId, Timestamp,
    registry::{Licence, Visibility},
};
use serde_json::Value;
use sqlx::{FromRow, Row, postgres::PgRow};

use self::{asked::Asked, terms::Terms};
use super::Tally;
use crate::{StoreError, TenantTx, Tx, page::Page, page::PageRequest};

/// Which models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    Public,
    /// The tenant's own.
    Own,
    /// Others', shared with the tenant.
    Shared,
    /// All that the tenant sees but those of [`Among::Public`].
    NotPublic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// How well the words fit, and how much it is used.
    Relevance,
    Updated,
    Created,
    Downloads,
    Likes,
    Trending,
}

/// The last one of a page: the next begins after it. `key` is what the order compares, moments in
/// microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub key: f64,
    pub id: ModelId,
}

/// What a model is, of which it is one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Task,
    Family,
    Input,
    Pipeline,
    Licence,
    Tenant,
}

impl Kind {
    const fn column(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Family => "family",
            Self::Input => "input",
            Self::Pipeline => "pipeline",
            Self::Licence => "licence",
            Self::Tenant => "tenant",
        }
    }
}

#[derive(Debug, Clone)]
pub struct MetricBound {
    pub name: String,
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
}

#[derive(Debug, Clone)]
pub struct Search {
    pub among: Among,
    /// Letters, digits and spaces.
    pub words: Option<String>,
    pub kinds: Vec<(Kind, String)>,
    /// All of them.
    pub tags: Vec<String>,
    pub metric: Option<MetricBound>,
    pub max_bytes: Option<u64>,
    pub order: Order,
    pub ascending: bool,
    pub after: Option<Place>,
    pub limit: Option<u32>,
}

impl Search {
    /// Everything there is among these, as people take to it.
    pub const fn of(among: Among) -> Self {
        Self {
            among,
            words: None,
            kinds: Vec::new(),
            tags: Vec::new(),
            metric: None,
            max_bytes: None,
            order: Order::Trending,
            ascending: false,
            after: None,
            limit: None,
        }
    }

    const fn is_narrowed(&self) -> bool {
        let Self { words, kinds, tags, metric, max_bytes, .. } = self;
        let is_named = words.is_some() || !kinds.is_empty() || !tags.is_empty();
        is_named || metric.is_some() || max_bytes.is_some()
    }

    fn tenant(&self) -> Option<&str> {
        let (_, tenant) = self.kinds.iter().find(|(kind, _)| *kind == Kind::Tenant)?;
        Some(tenant)
    }

    fn most_bytes(&self) -> Option<i64> {
        Some(i64::try_from(self.max_bytes?).unwrap_or(i64::MAX))
    }
}

/// A model as lists show it.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: ModelId,
    pub tenant_slug: String,
    pub name: String,
    pub visibility: Visibility,
    pub description: String,
    pub licence: Option<Licence>,
    pub tags: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub latest_version: Option<u32>,
    pub metrics: BTreeMap<String, f64>,
    /// The name that model hubs have for what it does.
    pub pipeline: Option<String>,
    pub tally: Tally,
    pub place: Place,
}

impl FromRow<'_, PgRow> for Found {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let corrupt = |why: String| sqlx::Error::Decode(why.into());
        let id = ModelId::from_uuid(row.try_get("id")?);
        let visibility: String = row.try_get("visibility")?;
        let metrics: Value = row.try_get("metrics")?;
        let licence: Option<String> = row.try_get("licence")?;
        let version: Option<i32> = row.try_get("version")?;
        let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
        Ok(Self {
            id,
            tenant_slug: row.try_get("tenant")?,
            name: row.try_get("name")?,
            visibility: visibility.parse().map_err(corrupt)?,
            description: row.try_get("description")?,
            licence: licence
                .map(|text| text.parse::<Licence>())
                .transpose()
                .map_err(|why| corrupt(why.to_string()))?,
            tags: row.try_get("tags")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            latest_version: version.map(i32::unsigned_abs),
            metrics: serde_json::from_value(metrics).map_err(|why| corrupt(why.to_string()))?,
            pipeline: row.try_get("pipeline")?,
            tally: Tally {
                downloads: count("downloads")?,
                likes: count("likes")?,
                predictions: count("predictions")?,
                trending: row.try_get("trending")?,
            },
            place: Place { key: row.try_get("key")?, id },
        })
    }
}

/// A page of what was asked for.
pub async fn search(tx: &mut TenantTx<'_>, search: &Search) -> Result<Page<Found>, StoreError> {
    let page = PageRequest::new(None, search.limit);
    let is_public = search.among == Among::Public;
    let words = match &search.words {
        Some(words) => query_of(tx, words, is_public).await?,
        None => None,
    };
    if search.words.is_some() && words.is_none() {
        return Ok(Page::of(Vec::new(), page));
    }
    let terms = if is_public && search.is_narrowed() {
        Terms::of(tx, search, words.as_deref()).await?
    } else {
        Terms::default()
    };
    let (tenant, fetch) = (tx.tenant().uuid(), page.fetch());
    let asked = Asked { search, words, terms: &terms, tenant, fetch };
    let found = asked.find(tx).await?;
    Ok(Page::of(found, page))
}

async fn query_of(
    tx: &mut TenantTx<'_>,
    words: &str,
    is_public: bool,
) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("select search_query($1, $2)::text", words, is_public)
        .fetch_one(tx.conn())
        .await?)
}

//! Models: a name of a tenant's, what is said of it, and who may see it.

mod aliases;
mod collections;
mod counts;
pub mod evaluations;
pub mod inquiries;
mod lineage;
mod publish;
mod seal;
mod search;
mod shares;
mod versions;

use std::collections::BTreeMap;

use domain::{
    ModelId, TenantId, Timestamp,
    name::Name,
    registry::{Licence, Tag, Visibility, look_alike},
};
use serde_json::Value;
use uuid::Uuid;

pub use aliases::{Named, SetAlias, aliases, remove_alias, set_alias};
pub use collections::{
    Collection, CollectionDraft, FeaturedList, Organization, collection, collections, feature,
    featured, organization, public_ones, put_collection, remove_collection, unfeature,
};
pub use counts::{Counted, Tally, add, like, settle};
pub use evaluations::Evaluates;
pub use inquiries::{Answers, Inquired, Inquires};
pub use lineage::{Relative, ancestors, descendants, of_dataset, relative};
pub use publish::{Artifact, NewVersion, add_version, lock, publish};
pub use seal::{Unsealed, seal, to_seal, unsealed};
pub use search::{Among, Found, Kind, MetricBound, Order, Place, Search, search};
pub use shares::{Shared, share_with, shared_with, tenants_named};
pub use versions::{BaseVersion, Made, ModelVersion, Trained, set_state, version, versions};

use crate::{StoreError, TenantTx, Tx};

#[derive(Debug, Clone)]
pub struct Model {
    pub id: ModelId,
    pub tenant: TenantId,
    pub tenant_slug: String,
    pub name: String,
    pub visibility: Visibility,
    pub description: String,
    pub card: String,
    pub licence: Option<Licence>,
    pub tags: Vec<String>,
    pub created_at: Timestamp,
    /// The newest that is published.
    pub latest_version: Option<u32>,
    /// Its metrics.
    pub metrics: BTreeMap<String, f64>,
    pub tally: Tally,
}

struct Row {
    id: Uuid,
    tenant_id: Uuid,
    slug: String,
    name: String,
    visibility: String,
    description: String,
    card: String,
    licence: Option<String>,
    tags: Vec<String>,
    created_at: Timestamp,
    latest: Option<i32>,
    metrics: Option<Value>,
    downloads: Option<i64>,
    likes: Option<i64>,
    predictions: Option<i64>,
    trending: Option<f64>,
}

impl TryFrom<Row> for Model {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let metrics = row.metrics.map(serde_json::from_value).transpose();
        Ok(Self {
            id: ModelId::from_uuid(row.id),
            tenant: TenantId::from_uuid(row.tenant_id),
            tenant_slug: row.slug,
            name: row.name,
            visibility: row
                .visibility
                .parse()
                .map_err(|why| StoreError::corrupt("model", "visibility", why))?,
            description: row.description,
            card: row.card,
            licence: licence(row.licence, "model")?,
            tags: row.tags,
            created_at: row.created_at,
            latest_version: row.latest.map(i32::unsigned_abs),
            metrics: metrics
                .map_err(|why| StoreError::corrupt("model_version", "metrics", why))?
                .unwrap_or_default(),
            tally: Tally {
                downloads: row.downloads.unwrap_or_default().unsigned_abs(),
                likes: row.likes.unwrap_or_default().unsigned_abs(),
                predictions: row.predictions.unwrap_or_default().unsigned_abs(),
                trending: row.trending.unwrap_or_default(),
            },
        })
    }
}

fn licence(text: Option<String>, table: &'static str) -> Result<Option<Licence>, StoreError> {
    let read = text.map(|text| text.parse()).transpose();
    read.map_err(|why| StoreError::corrupt(table, "licence", why))
}

/// By publisher and name, if the tenant may see it.
pub async fn get(
    tx: &mut TenantTx<'_>,
    publisher: &str,
    name: &str,
) -> Result<Option<Model>, StoreError> {
    sqlx::query_as!(
        Row,
        r#"select m.id, m.tenant_id, t.slug, m.name, m.visibility, m.description, m.card, m.licence,
                  m.tags, m.created_at, v.number as "latest?", v.metrics as "metrics?",
                  c.downloads as "downloads?", c.likes as "likes?", c.predictions as "predictions?",
                  c.trending as "trending?"
           from model m
           join tenant t on t.id = m.tenant_id
           left join model_tally c on c.model_id = m.id
           left join lateral (select number, metrics from model_version
                              where model_id = m.id and state in ('published', 'deprecated')
                              order by number desc limit 1) v on true
           where t.slug = $1 and m.name = $2"#,
        publisher,
        name,
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Model::try_from)
    .transpose()
}

/// What came of making a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    Created(ModelId),
    /// It was there already.
    Exists(ModelId),
    /// The tenant has one whose name people would take for this one.
    LooksLike(String),
}

/// A model without a version.
pub async fn create(tx: &mut TenantTx<'_>, name: &Name) -> Result<Creation, StoreError> {
    if let Some(other) = looks_like(tx, name).await? {
        return Ok(Creation::LooksLike(other));
    }
    let tenant = tx.tenant().uuid();
    let id = ModelId::generate();
    let row = sqlx::query!(
        "insert into model (id, tenant_id, name) values ($1, $2, $3)
         on conflict (tenant_id, name) do update set name = excluded.name
         returning id",
        id.uuid(),
        tenant,
        name.as_str(),
    )
    .fetch_one(tx.conn())
    .await?;
    let found = ModelId::from_uuid(row.id);
    Ok(if found == id { Creation::Created(id) } else { Creation::Exists(found) })
}

/// The tenant's other model whose name people would take for `name`; none where `name` is there itself.
pub async fn looks_like(tx: &mut TenantTx<'_>, name: &Name) -> Result<Option<String>, StoreError> {
    let tenant = tx.tenant().uuid();
    let names = sqlx::query_scalar!(
        "select name from model
         where tenant_id = $1 and translate(name, '_.01i', '--oll') = $2 order by name",
        tenant,
        look_alike(name),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(if names.iter().any(|known| known == name.as_str()) {
        None
    } else {
        names.into_iter().next()
    })
}

/// What is said of a model anew; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub visibility: Option<Visibility>,
    pub description: Option<String>,
    pub card: Option<String>,
    pub licence: Option<Licence>,
    pub tags: Option<Vec<Tag>>,
}

/// `false` if it is not the tenant's own.
pub async fn update(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    change: Change,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let tags: Option<Vec<String>> =
        change.tags.map(|tags| tags.into_iter().map(String::from).collect());
    let changed = sqlx::query!(
        "update model
         set visibility = coalesce($3, visibility), description = coalesce($4, description),
             card = coalesce($5, card), licence = coalesce($6, licence), tags = coalesce($7, tags)
         where id = $2 and tenant_id = $1",
        tenant,
        model.uuid(),
        change.visibility.map(Visibility::as_str),
        change.description,
        change.card,
        change.licence.map(Licence::as_str),
        tags.as_deref(),
    )
    .execute(tx.conn())
    .await?;
    Ok(changed.rows_affected() == 1)
}

//! Models that somebody puts together: a tenant in a collection, the platform's operators in a featured list.
//! Whoever looks is shown those of the models that they may see.

use domain::{ModelId, Timestamp, name::Name, registry::Visibility};
use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx};

#[derive(Debug, Clone)]
pub struct Collection {
    pub tenant_slug: String,
    pub name: String,
    pub title: String,
    pub description: String,
    pub visibility: Visibility,
    /// `tenant/name`, in their order.
    pub models: Vec<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct CollectionDraft {
    pub title: String,
    pub description: String,
    pub visibility: Visibility,
    pub models: Vec<ModelId>,
}

#[derive(Debug, Clone)]
pub struct FeaturedList {
    pub name: String,
    pub title: String,
    /// `tenant/name`, in their order.
    pub models: Vec<String>,
}

struct Row {
    slug: String,
    name: String,
    title: String,
    description: String,
    visibility: String,
    models: Vec<String>,
    created_at: Timestamp,
}

impl TryFrom<Row> for Collection {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let visibility = row.visibility.parse();
        Ok(Self {
            tenant_slug: row.slug,
            name: row.name,
            title: row.title,
            description: row.description,
            visibility: visibility
                .map_err(|why| StoreError::corrupt("collection", "visibility", why))?,
            models: row.models,
            created_at: row.created_at,
        })
    }
}

/// One tenant's, by name, as far as they are shown: only `one` of them, or the first thousand.
async fn select(
    tx: &mut TenantTx<'_>,
    publisher: &str,
    one: Option<&str>,
) -> Result<Vec<Collection>, StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query_as!(
        Row,
        r#"select t.slug, c.name, c.title, c.description, c.visibility, c.created_at,
                  array(select mt.slug || '/' || m.name
                        from unnest(c.models) with ordinality item (id, place)
                        join model m on m.id = item.id
                        join tenant mt on mt.id = m.tenant_id
                        where m.tenant_id = $1 or m.visibility <> 'private'
                        order by item.place) as "models!"
           from collection c join tenant t on t.id = c.tenant_id
           where t.slug = $2 and ($3::text is null or c.name = $3)
             and (c.tenant_id = $1 or c.visibility = 'public')
           order by c.name limit 1000"#,
        tenant,
        publisher,
        one,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(Collection::try_from)
    .collect()
}

pub async fn collections(
    tx: &mut TenantTx<'_>,
    publisher: &str,
) -> Result<Vec<Collection>, StoreError> {
    select(tx, publisher, None).await
}

pub async fn collection(
    tx: &mut TenantTx<'_>,
    publisher: &str,
    name: &str,
) -> Result<Option<Collection>, StoreError> {
    Ok(select(tx, publisher, Some(name)).await?.pop())
}

/// Makes the tenant's own collection, or puts this one in its place. `false` if it would be one too many.
pub async fn put_collection(
    tx: &mut TenantTx<'_>,
    name: &Name,
    draft: &CollectionDraft,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let models: Vec<_> = draft.models.iter().map(|model| model.uuid()).collect();
    let put = sqlx::query!(
        "insert into collection (id, tenant_id, name, title, description, visibility, models)
         select $1, $2, $3, $4, $5, $6, $7
         where (select count(*) from collection where tenant_id = $2) < 1000
            or exists (select from collection where tenant_id = $2 and name = $3)
         on conflict (tenant_id, name) do update set
             title = excluded.title, description = excluded.description,
             visibility = excluded.visibility, models = excluded.models",
        Uuid::now_v7(),
        tenant,
        name.as_str(),
        draft.title,
        draft.description,
        draft.visibility.as_str(),
        models.as_slice(),
    )
    .execute(tx.conn())
    .await?;
    Ok(put.rows_affected() == 1)
}

/// `false` if there was none.
pub async fn remove_collection(tx: &mut TenantTx<'_>, name: &str) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let gone =
        sqlx::query!("delete from collection where tenant_id = $1 and name = $2", tenant, name)
            .execute(tx.conn())
            .await?;
    Ok(gone.rows_affected() == 1)
}

/// All lists that the operators have made, by name.
pub async fn featured(tx: &mut SystemTx<'_>) -> Result<Vec<FeaturedList>, StoreError> {
    let lists = sqlx::query_as!(
        FeaturedList,
        r#"select l.name, l.title,
                  array(select p.tenant || '/' || p.name
                        from unnest(l.models) with ordinality item (id, place)
                        join public_model p on p.id = item.id
                        order by item.place) as "models!"
           from featured_list l order by l.name"#
    );
    Ok(lists.fetch_all(tx.conn()).await?)
}

/// The public models of these names (`tenant/name`), in their order; none for a name that has none.
pub async fn public_ones(
    tx: &mut SystemTx<'_>,
    names: &[String],
) -> Result<Vec<Option<ModelId>>, StoreError> {
    let rows = sqlx::query_scalar!(
        r#"select p.id as "id?"
           from unnest($1::text[]) with ordinality asked (name, place)
           left join public_model p on p.tenant = split_part(asked.name, '/', 1)
                                   and p.name = split_part(asked.name, '/', 2)
           order by asked.place"#,
        names,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|id| id.map(ModelId::from_uuid)).collect())
}

/// Makes a list, or puts this one in its place.
pub async fn feature(
    tx: &mut SystemTx<'_>,
    name: &Name,
    title: &str,
    models: &[ModelId],
) -> Result<(), StoreError> {
    let models: Vec<_> = models.iter().map(|model| model.uuid()).collect();
    sqlx::query!(
        "insert into featured_list (name, title, models) values ($1, $2, $3)
         on conflict (name) do update set title = excluded.title, models = excluded.models",
        name.as_str(),
        title,
        models.as_slice(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// `false` if there was none.
pub async fn unfeature(tx: &mut SystemTx<'_>, name: &str) -> Result<bool, StoreError> {
    let gone = sqlx::query!("delete from featured_list where name = $1", name);
    Ok(gone.execute(tx.conn()).await?.rows_affected() == 1)
}

/// What a tenant shows to everybody, counted.
#[derive(Debug, Clone)]
pub struct Organization {
    pub name: String,
    pub models: u64,
    pub downloads: u64,
    pub likes: u64,
}

/// None where a tenant shows the asking one nothing.
pub async fn organization(
    tx: &mut TenantTx<'_>,
    slug: &str,
) -> Result<Option<Organization>, StoreError> {
    let row = sqlx::query!(
        r#"select t.name, count(p.id) as "models!",
                  coalesce(sum(p.downloads), 0)::bigint as "downloads!",
                  coalesce(sum(p.likes), 0)::bigint as "likes!"
           from tenant t left join public_model p on p.tenant = t.slug
           where t.slug = $1
           group by t.id, t.name"#,
        slug,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Organization {
        name: row.name,
        models: row.models.unsigned_abs(),
        downloads: row.downloads.unsigned_abs(),
        likes: row.likes.unsigned_abs(),
    }))
}

//! Finding models, and reading what is said of one.

use actix_web::{get, web};
use domain::{
    FieldErrors,
    registry::{Licence, Tag},
    spec::Task,
};
use serde::Deserialize;
use serde_json::Value;
use store::models::{self, Among, Kind, MetricBound, Order, Search};
use utoipa::{IntoParams, ToSchema};

use super::{
    ModelDetail, ModelView, detail,
    finding::{self, Cursor},
    known_model,
};
use crate::{
    ApiError, App, Listing, Params,
    auth::{Reader, unauthenticated},
    page::after_cursor,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// `public` lists every tenant's public models, `shared` those that others share with the tenant;
    /// without it, the tenant's own, public or not, and for who has no credential the public ones.
    #[param(inline)]
    visibility: Option<Which>,
    /// Words of name, tags, description and card; a mistyped one is looked for as well.
    q: Option<String>,
    task: Option<Task>,
    /// What the network is made of.
    #[param(inline)]
    family: Option<Family>,
    /// What it reads.
    #[param(inline)]
    input: Option<Input>,
    #[param(value_type = Option<Licence>)]
    licence: Option<String>,
    /// All of these, with commas between.
    tags: Option<String>,
    /// Whose models.
    tenant: Option<String>,
    /// A metric of the newest version, as `val_accuracy`, which is to be `at_least` or `at_most` so much.
    metric: Option<String>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    /// The most bytes that the newest version's files may have together.
    max_bytes: Option<u64>,
    /// `relevance` if absent where there is a `q`, and otherwise `updated`.
    #[param(inline)]
    sort: Option<Sort>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// The most items to answer, 50 if absent, at most 200.
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Which {
    Public,
    Shared,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Family {
    Dense,
    Convolutional,
    Recurrent,
    Transformer,
    Factorization,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Input {
    Table,
    Text,
    Corpus,
    Images,
    Series,
    Ratings,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    Relevance,
    Updated,
    Created,
    Downloads,
    Likes,
    Trending,
}

impl Family {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Convolutional => "convolutional",
            Self::Recurrent => "recurrent",
            Self::Transformer => "transformer",
            Self::Factorization => "factorization",
        }
    }
}

impl Input {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Text => "text",
            Self::Corpus => "corpus",
            Self::Images => "images",
            Self::Series => "series",
            Self::Ratings => "ratings",
        }
    }
}

impl ListParams {
    fn order(&self) -> Order {
        match self.sort {
            None if self.q.is_some() => Order::Relevance,
            None | Some(Sort::Updated) => Order::Updated,
            // without words nothing fits better than another
            Some(Sort::Relevance) if self.q.is_none() => Order::Trending,
            Some(Sort::Relevance) => Order::Relevance,
            Some(Sort::Created) => Order::Created,
            Some(Sort::Downloads) => Order::Downloads,
            Some(Sort::Likes) => Order::Likes,
            Some(Sort::Trending) => Order::Trending,
        }
    }

    fn kinds(&self) -> Result<Vec<(Kind, String)>, FieldErrors> {
        let task = self.task.map(|task| {
            let name = serde_json::to_value(task).ok();
            name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
        });
        let licence = match &self.licence {
            Some(text) => {
                let licence: Result<Licence, _> = text.parse();
                Some(licence.map_err(|why| FieldErrors::one("licence", why.to_string()))?)
            }
            None => None,
        };
        let all = [
            (Kind::Task, task),
            (Kind::Family, self.family.map(|family| family.as_str().to_owned())),
            (Kind::Input, self.input.map(|input| input.as_str().to_owned())),
            (Kind::Licence, licence.map(|licence| licence.to_string())),
            (Kind::Tenant, self.tenant.as_deref().map(finding::tenant)),
        ];
        Ok(all.into_iter().filter_map(|(kind, name)| Some((kind, name?))).collect())
    }

    fn tags(&self) -> Result<Vec<String>, FieldErrors> {
        let tags = self.tags.iter().flat_map(|tags| tags.split(','));
        tags.map(|tag| {
            let tag = Tag::try_from(tag.trim().to_owned());
            let tag = tag.map_err(|why| FieldErrors::one("tags", why.to_string()))?;
            Ok(tag.as_str().to_owned())
        })
        .collect()
    }

    fn metric(&self) -> Result<Option<MetricBound>, FieldErrors> {
        let (at_least, at_most) = (self.at_least, self.at_most);
        match &self.metric {
            Some(_) if at_least.is_none() && at_most.is_none() => {
                Err(FieldErrors::one("metric", "comes with `at_least` or `at_most`, or both"))
            }
            Some(name) => {
                Ok(Some(MetricBound { name: finding::metric(name.clone())?, at_least, at_most }))
            }
            None if at_least.is_some() || at_most.is_some() => {
                Err(FieldErrors::one("metric", "is missing: say of which one it is the bound"))
            }
            None => Ok(None),
        }
    }

    /// A visitor has no models, and nothing is shared with one.
    fn among(&self, reader: &Reader) -> Result<Among, ApiError> {
        Ok(match (self.visibility, reader) {
            (Some(Which::Public), _) | (None, Reader::Visitor) => Among::Public,
            (Some(Which::Shared), Reader::Caller(_)) => Among::Shared,
            (None, Reader::Caller(_)) => Among::Own,
            (Some(Which::Shared), Reader::Visitor) => {
                return Err(unauthenticated("say with whom they are shared: send your API key"));
            }
        })
    }

    fn search(self, reader: &Reader) -> Result<Search, ApiError> {
        let order = self.order();
        let after: Option<Cursor> = after_cursor(self.cursor.clone())?;
        Ok(Search {
            among: self.among(reader)?,
            kinds: self.kinds()?,
            tags: self.tags()?,
            metric: self.metric()?,
            words: finding::words(self.q.as_deref()),
            max_bytes: self.max_bytes,
            order,
            ascending: false,
            after: after.map(|cursor| cursor.of(order)).transpose()?,
            limit: self.limit,
        })
    }
}

/// Search models.
#[utoipa::path(
    operation_id = "list_models",
    tag = "models",
    security((), ("bearer" = [])),
    params(ListParams),
    responses((status = 200, body = Listing<ModelView>)),
)]
#[get("/v1/models")]
pub(super) async fn list(
    app: web::Data<App>,
    reader: Reader,
    params: Params<ListParams>,
) -> Result<web::Json<Listing<ModelView>>, ApiError> {
    let search = params.0.search(&reader)?;
    let mut tx = reader.begin(&app).await?;
    let found = models::search(&mut tx, &search).await?;
    tx.commit().await?;
    let next = Cursor::after(&found, search.order);
    let items = found.items.into_iter().map(ModelView::found).collect();
    Ok(web::Json(Listing { items, next }))
}

/// Read a model.
#[utoipa::path(
    operation_id = "get_model",
    tag = "models",
    security((), ("bearer" = [])),
    params(("tenant" = String, Path, description = "Who publishes it"), ("model" = String, Path)),
    responses((status = 200, body = ModelDetail)),
)]
#[get("/v1/models/{tenant}/{model}")]
pub(super) async fn get(
    app: web::Data<App>,
    reader: Reader,
    path: web::Path<(String, String)>,
) -> Result<web::Json<ModelDetail>, ApiError> {
    let (tenant, name) = path.into_inner();
    let mut tx = reader.begin(&app).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    tx.commit().await?;
    let is_own = Some(model.tenant) == reader.tenant();
    Ok(web::Json(detail(&app, model, is_own).await?))
}

//! Finding repositories, as the client's `list_models` asks for them: what is public, the caller's own, and
//! what others share with them, in one order.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header::LINK, post, web};
use domain::registry::Licence;
use serde::Deserialize;
use store::{
    Page, TenantTx,
    models::{self, Among, Found, Kind, Order, Search},
};
use url::form_urlencoded;
use utoipa::IntoParams;

use super::{Known, endpoint, error::HubError, views::HubModel};
use crate::{
    ApiError, App,
    auth::ReadModels,
    models::{
        finding::{self, Cursor},
        likes,
    },
};

/// Names that model hubs have for what models do; other words are tags.
const PIPELINES: [&str; 7] = [
    "image-classification",
    "recommendation",
    "tabular-classification",
    "tabular-regression",
    "text-classification",
    "text-generation",
    "time-series-forecasting",
];
/// What the client may send besides, of which nothing is found otherwise.
const ACCEPTED: [&str; 5] = ["full", "expand", "cardData", "config", "fetch_config"];
const USUAL_LIMIT: u32 = 50;
const MOST: u32 = 200;

/// As the document shows them; they are read by [`Asked::read`], because `filter` comes several times.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read from the query string by hand")]
pub(super) struct HubListParams {
    /// Words of name, tags, description and card.
    search: Option<String>,
    /// A tenant.
    author: Option<String>,
    /// Tags, `license:…`, and names of what models do, all of which a model has; comes once for each.
    filter: Option<String>,
    /// What models do, as `tabular-classification`.
    pipeline_tag: Option<String>,
    /// `createdAt`, `lastModified`, `downloads`, `likes` or `trendingScore`.
    sort: Option<String>,
    /// `-1`, which is also meant if absent, for the greatest first, or `1`.
    direction: Option<i8>,
    /// The most items of a page, 50 if absent, at most 200.
    limit: Option<u32>,
    /// Of the `Link` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Default)]
struct Asked {
    words: Option<String>,
    kinds: Vec<(Kind, String)>,
    tags: Vec<String>,
    order: Option<Order>,
    ascending: bool,
    limit: Option<u32>,
    cursor: Option<Cursor>,
    /// Of models that have to be asked for; there are none here.
    gated: bool,
}

impl Asked {
    fn read(query: &str) -> Result<Self, HubError> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let wrong = || HubError::bad(format!("`{name}` cannot be `{value}` here"));
            match &*name {
                "search" => asked.words = Some(value.into_owned()),
                "author" => asked.kinds.push((Kind::Tenant, finding::tenant(&value))),
                "filter" => value.split(',').for_each(|word| asked.narrow(word)),
                "pipeline_tag" => asked.kinds.push((Kind::Pipeline, value.into_owned())),
                "sort" => asked.order = Some(order(&value).ok_or_else(wrong)?),
                "direction" => asked.ascending = value == "1",
                "limit" => asked.limit = Some(value.parse().map_err(|_| wrong())?),
                "cursor" => asked.cursor = Some(value.parse().map_err(|()| wrong())?),
                "gated" => asked.gated = value.eq_ignore_ascii_case("true"),
                other if ACCEPTED.contains(&other) => {}
                other => {
                    return Err(HubError::bad(format!("models cannot be listed by `{other}`")));
                }
            }
        }
        // a zero byte is in no name, and nothing that a database takes
        let names = asked.kinds.iter().map(|(_, name)| name).chain(&asked.tags);
        if names.into_iter().any(|name| name.contains('\0')) {
            return Err(HubError::bad("`filter` has a zero byte"));
        }
        Ok(asked)
    }

    fn search(&self) -> Result<Search, ApiError> {
        let usual = if self.words.is_some() { Order::Relevance } else { Order::Trending };
        let order = self.order.unwrap_or(usual);
        Ok(Search {
            words: finding::words(self.words.as_deref()),
            kinds: self.kinds.clone(),
            tags: self.tags.clone(),
            order,
            ascending: self.ascending,
            after: self.cursor.map(|cursor| cursor.of(order)).transpose()?,
            limit: Some(self.limit.unwrap_or(USUAL_LIMIT).clamp(1, MOST)),
            ..Search::of(Among::Public)
        })
    }
}

impl Asked {
    /// A word of `filter`.
    fn narrow(&mut self, word: &str) {
        let word = word.trim().to_lowercase();
        match word.strip_prefix("license:") {
            Some(licence) => {
                let known = licence.parse::<Licence>().map(|licence| licence.to_string());
                self.kinds.push((Kind::Licence, known.unwrap_or_else(|_| licence.to_owned())));
            }
            None if PIPELINES.contains(&word.as_str()) => self.kinds.push((Kind::Pipeline, word)),
            None => self.tags.push(word),
        }
    }
}

fn order(name: &str) -> Option<Order> {
    Some(match name {
        "createdAt" => Order::Created,
        "lastModified" => Order::Updated,
        "downloads" => Order::Downloads,
        "likes" => Order::Likes,
        "trendingScore" => Order::Trending,
        _ => return None,
    })
}

/// List the models that the caller sees.
#[utoipa::path(
    operation_id = "hub_list_models", tag = "hub",
    params(HubListParams),
    responses((status = 200, body = Vec<HubModel>)),
)]
#[get("/hub/api/models")]
pub(super) async fn list(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    req: HttpRequest,
) -> Result<HttpResponse, HubError> {
    let asked = Asked::read(req.query_string())?;
    if asked.gated {
        return Ok(HttpResponse::Ok().json(Vec::<HubModel>::new()));
    }
    let search = asked.search()?;
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    let found = everything(&mut tx, &search).await?;
    tx.commit().await?;
    let next = Cursor::after(&found, search.order);
    let now = app.clock.now();
    let models: Vec<_> =
        found.items.into_iter().map(|found| HubModel::listed(found, now)).collect();
    let mut response = HttpResponse::Ok();
    if let Some(next) = next {
        let query = next_query(req.query_string(), &next);
        let link = format!("<{}/api/models?{query}>; rel=\"next\"", endpoint(&req));
        response.insert_header((LINK, link));
    }
    Ok(response.json(models))
}

/// Of two lists in the same order, one.
async fn everything(
    tx: &mut TenantTx<'_>,
    search: &Search,
) -> Result<Page<Found>, store::StoreError> {
    let mut public = models::search(tx, search).await?;
    let others = Search { among: Among::NotPublic, ..search.clone() };
    let others = models::search(tx, &others).await?;
    public.items.extend(others.items);
    public.items.sort_by(|a, b| {
        let (a, b) = (&a.place, &b.place);
        let order = a.key.total_cmp(&b.key).then(a.id.cmp(&b.id));
        if search.ascending { order } else { order.reverse() }
    });
    let limit = search.limit.unwrap_or(USUAL_LIMIT) as usize;
    public.has_more |= others.has_more || public.items.len() > limit;
    public.items.truncate(limit);
    Ok(public)
}

fn next_query(query: &str, cursor: &str) -> String {
    let before = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor");
    let mut next = form_urlencoded::Serializer::new(String::new());
    next.extend_pairs(before).append_pair("cursor", cursor);
    next.finish()
}

/// Like a repository.
#[utoipa::path(
    operation_id = "hub_like", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, description = "It is liked")),
)]
#[post("/hub/api/models/{tenant}/{model}/like")]
pub(super) async fn like(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, HubError> {
    likes::set(&app, &caller.0, &path, true).await.map_err(HubError::of_repository)?;
    Ok(HttpResponse::Ok().finish())
}

/// Take a like back.
#[utoipa::path(
    operation_id = "hub_unlike", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, description = "It is not liked")),
)]
#[delete("/hub/api/models/{tenant}/{model}/like")]
pub(super) async fn unlike(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, HubError> {
    likes::set(&app, &caller.0, &path, false).await.map_err(HubError::of_repository)?;
    Ok(HttpResponse::Ok().finish())
}

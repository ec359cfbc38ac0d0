//! Making a model, and changing what is said of it and who sees it.

use actix_web::{HttpResponse, patch, post, web};
use domain::{
    FieldError, FieldErrors,
    access::Permission,
    name::Name,
    registry::{Licence, Tag, Visibility},
};
use serde::Deserialize;
use store::models::{self, Change, Creation, Shared};
use utoipa::ToSchema;

use super::{ModelDetail, aliases::own_model, detail};
use crate::{ApiError, App, Body, Caller, Code, audit::Object, auth::WriteModels};

const MAX_DESCRIPTION_CHARS: usize = 300;
const MAX_CARD_BYTES: usize = 256 << 10;
const MAX_SHARES: usize = 100;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewModel {
    #[schema(value_type = Name)]
    name: String,
}

/// Make a model, into which files are sent later. Jobs make theirs themselves.
#[utoipa::path(
    operation_id = "create_model",
    tag = "models",
    request_body = NewModel,
    responses(
        (status = 201, body = ModelDetail),
        (status = 409, description = "The name is taken, or looks like one that is"),
    ),
)]
#[post("/v1/models")]
pub(super) async fn create(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    new: Body<NewModel>,
) -> Result<HttpResponse, ApiError> {
    let name: Name = new
        .0
        .name
        .parse()
        .map_err(|why: domain::name::NameError| ApiError::field("name", why.to_string()))?;
    let (_, tenant) = caller.home().expect("a caller of this permission has a tenant");
    let mut tx = caller.begin(&app).await?;
    match models::create(&mut tx, &name).await? {
        Creation::Created(_) => {}
        Creation::Exists(_) => {
            let why = format!("there is a model `{tenant}/{name}` already");
            return Err(ApiError::new(Code::Conflict, why));
        }
        Creation::LooksLike(other) => return Err(looks_like(&name, &other)),
    }
    let model = own_model(&mut tx, tenant, name.as_str()).await?;
    tx.done(Object::new("model", format!("{tenant}/{name}"))).await?;
    Ok(HttpResponse::Created().json(detail(&app, model, true).await?))
}

pub(crate) fn looks_like(name: &Name, other: &str) -> ApiError {
    let why = format!(
        "there is a model `{other}`, for which people would take `{name}`; use that name, or one that looks different"
    );
    ApiError::new(Code::Conflict, why)
}

/// What is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelChange {
    visibility: Option<Visibility>,
    /// Tenants, by name, in place of those it was shared with.
    #[schema(value_type = Option<Vec<Name>>)]
    shared_with: Option<Vec<String>>,
    /// A line for lists.
    description: Option<String>,
    /// Markdown.
    card: Option<String>,
    #[schema(value_type = Option<Licence>)]
    licence: Option<String>,
    #[schema(value_type = Option<Vec<Tag>>)]
    tags: Option<Vec<String>>,
}

struct Checked {
    change: Change,
    shared_with: Option<Vec<Name>>,
}

impl ModelChange {
    /// Who sees a model, and under which terms, is not for everybody who works on it.
    fn is_publishing(&self) -> bool {
        self.visibility.is_some() || self.shared_with.is_some() || self.licence.is_some()
    }

    fn check(self) -> Result<Checked, FieldErrors> {
        let mut errors = Vec::new();
        let mut wrong = |field: String, why: String| {
            errors.push(FieldError { field, message: why });
        };
        if let Some(text) = &self.description
            && text.chars().count() > MAX_DESCRIPTION_CHARS
        {
            let why = format!(
                "has more than {MAX_DESCRIPTION_CHARS} characters; the card takes the rest"
            );
            wrong("description".to_owned(), why);
        }
        if let Some(text) = &self.card
            && text.len() > MAX_CARD_BYTES
        {
            wrong(
                "card".to_owned(),
                format!("has more than {MAX_CARD_BYTES} bytes; link to the rest"),
            );
        }
        let licence = self.licence.map(|text| text.parse::<Licence>()).transpose();
        let licence = licence.unwrap_or_else(|why| {
            wrong("licence".to_owned(), why.to_string());
            None
        });
        let tags = self.tags.map(|tags| {
            if tags.len() > Tag::MOST {
                wrong("tags".to_owned(), format!("are more than {}", Tag::MOST));
            }
            each(tags, "tags", &mut wrong)
        });
        let shared_with = self.shared_with.map(|names| {
            if names.len() > MAX_SHARES {
                wrong("shared_with".to_owned(), format!("names more than {MAX_SHARES} tenants"));
            }
            each(names, "shared_with", &mut wrong)
        });
        if errors.is_empty() {
            let (visibility, description, card) = (self.visibility, self.description, self.card);
            let change = Change { visibility, description, card, licence, tags };
            Ok(Checked { change, shared_with })
        } else {
            Err(FieldErrors(errors))
        }
    }
}

fn each<T: TryFrom<String, Error: std::fmt::Display>>(
    texts: Vec<String>,
    field: &str,
    wrong: &mut impl FnMut(String, String),
) -> Vec<T> {
    let read = texts.into_iter().enumerate().filter_map(|(n, text)| match T::try_from(text) {
        Ok(value) => Some(value),
        Err(why) => {
            wrong(format!("{field}[{n}]"), why.to_string());
            None
        }
    });
    read.collect()
}

/// Change what is said of a model, its licence, and who sees it.
#[utoipa::path(
    operation_id = "update_model",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path)),
    request_body = ModelChange,
    responses((status = 200, body = ModelDetail)),
)]
#[patch("/v1/models/{tenant}/{model}")]
pub(super) async fn update(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<(String, String)>,
    change: Body<ModelChange>,
) -> Result<web::Json<ModelDetail>, ApiError> {
    let (tenant, name) = path.into_inner();
    if change.0.is_publishing() && !caller.may(Permission::PublishModels) {
        let why = "`visibility`, `shared_with` and `licence` are for those who may publish models; ask an owner or admin";
        return Err(ApiError::new(Code::Forbidden, why));
    }
    let Checked { change, shared_with } = change.0.check()?;
    let with = match &shared_with {
        Some(names) => Some(tenants_named(&app, names).await?),
        None => None,
    };
    let mut tx = caller.begin(&app).await?;
    let model = own_model(&mut tx, &tenant, &name).await?;
    let licence = change.licence.or(model.licence);
    if change.visibility == Some(Visibility::Public) && licence.is_none() {
        let why = "is needed for a public model: it says what others may do with it";
        return Err(ApiError::field("licence", why));
    }
    models::update(&mut tx, model.id, change).await?;
    if let Some(mut with) = with {
        with.retain(|one| *one != model.tenant);
        models::share_with(&mut tx, model.id, &with).await?;
    }
    let model = own_model(&mut tx, &tenant, &name).await?;
    tx.done(Object::new("model", format!("{tenant}/{name}"))).await?;
    Ok(web::Json(detail(&app, model, true).await?))
}

async fn tenants_named(app: &App, names: &[Name]) -> Result<Vec<domain::TenantId>, ApiError> {
    let mut tx = app.store.begin().await?;
    let found = models::tenants_named(&mut tx, names).await?;
    tx.commit().await?;
    match found {
        Shared::With(tenants) => Ok(tenants),
        Shared::Unknown(name) => {
            Err(ApiError::field("shared_with", format!("there is no tenant `{name}`")))
        }
    }
}

//! The people of a tenant: their owners' business.

use actix_web::{HttpResponse, delete, get, post, web};
use domain::{FieldErrors, Timestamp, UserId, access::Role};
use serde::{Deserialize, Serialize};
use store::people::{self, Member};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Code, Listing,
    auth::ManagePeople,
    keys::{self, IssuedKey},
};

const MAX_LABEL_CHARS: usize = 100;
const MAX_EMAIL_CHARS: usize = 254;
const FIRST_KEY_NAME: &str = "first key";

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(add).service(remove);
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    id: UserId,
    email: String,
    name: String,
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

impl From<Member> for UserView {
    fn from(Member { id, email, name, role, since }: Member) -> Self {
        Self { id, email, name, role, since }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserDraft {
    #[schema(examples("ada@example.com"))]
    email: String,
    name: String,
    /// `owner` or `member`.
    role: Role,
}

#[derive(Serialize, ToSchema)]
struct AddedUser {
    id: UserId,
    email: String,
    role: Role,
    api_key: IssuedKey,
}

/// A name that people give to people and keys: anything readable, one line.
pub(crate) fn check_label(errors: &mut FieldErrors, field: &str, label: &str) {
    let chars = label.chars().count();
    if label.trim().is_empty() || chars > MAX_LABEL_CHARS || label.chars().any(char::is_control) {
        let wanted = format!("use 1 to {MAX_LABEL_CHARS} characters on one line; it has {chars}");
        errors.add(field, wanted);
    }
}

pub(crate) fn check_email(errors: &mut FieldErrors, field: &str, email: &str) {
    let readable = |part: &str| {
        !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@')
    };
    let parts = email.split_once('@');
    let good = parts.is_some_and(|(user, host)| readable(user) && readable(host));
    if !good || email.len() > MAX_EMAIL_CHARS {
        let shown: String = email.chars().take(80).collect();
        errors.add(field, format!("`{shown}` is not an e-mail address; as in ada@example.com"));
    }
}

/// People of the tenant.
#[utoipa::path(
    operation_id = "list_users", tag = "people",
    responses((status = 200, body = Listing<UserView>)),
)]
#[get("/v1/users")]
async fn list(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
) -> Result<web::Json<Listing<UserView>>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let members = people::list(&mut tx).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(members.into_iter().map(UserView::from).collect())))
}

/// Add a person, with a first API key.
#[utoipa::path(
    operation_id = "add_user", tag = "people",
    request_body = UserDraft,
    responses((status = 201, body = AddedUser)),
)]
#[post("/v1/users")]
async fn add(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    Body(draft): Body<UserDraft>,
) -> Result<HttpResponse, ApiError> {
    let UserDraft { email, name, role } = draft;
    let mut errors = FieldErrors::default();
    check_email(&mut errors, "email", &email);
    check_label(&mut errors, "name", &name);
    if role == Role::Operator {
        errors.add("role", "`operator` is not a role within a tenant; use owner or member");
    }
    errors.into_result(())?;
    let mut tx = app.store.begin().await?;
    let id = people::ensure_user(&mut tx, UserId::generate(), &email, &name).await?;
    if !people::add_member(&mut tx, caller.tenant(), id, role).await? {
        return Err(ApiError::new(Code::Conflict, format!("`{email}` is a member already")));
    }
    let api_key = keys::issue(&mut tx, caller.tenant(), id, FIRST_KEY_NAME, None).await?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(AddedUser { id, email, role, api_key }))
}

/// Take a person out of the tenant and revoke their keys.
#[utoipa::path(
    operation_id = "remove_user", tag = "people",
    params(("id" = UserId, Path)),
    responses((status = 204)),
)]
#[delete("/v1/users/{id}")]
async fn remove(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    id: web::Path<UserId>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    if !people::remove_member(&mut tx, *id).await? {
        return Err(ApiError::not_found("user", id));
    }
    let left = people::list(&mut tx).await?;
    if !left.iter().any(|member| member.role == Role::Owner) {
        let detail = "this is the tenant's last owner; add another owner first";
        return Err(ApiError::new(Code::Conflict, detail));
    }
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

//! The people of a tenant, and its service accounts: the business of those who run it.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use domain::{FieldErrors, Timestamp, UserId, access::Role, name::Name};
use serde::{Deserialize, Serialize};
use store::people::{self, Member};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Code, Listing,
    audit::Object,
    auth::{ManagePeople, Permits},
};

const MAX_LABEL_CHARS: usize = 100;
const MAX_EMAIL_CHARS: usize = 254;
/// Where a service account's address ends; no mail goes there.
const SERVICE: &str = ".service";

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(change).service(remove).service(add_service_account);
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    id: UserId,
    email: String,
    name: String,
    role: Role,
    /// A service account: it has keys and cannot sign in.
    is_service: bool,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

impl From<Member> for UserView {
    fn from(Member { id, email, name, role, is_service, since }: Member) -> Self {
        Self { id, email, name, role, is_service, since }
    }
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
    let is_service = email.to_ascii_lowercase().ends_with(SERVICE);
    if !good || is_service || email.len() > MAX_EMAIL_CHARS {
        let shown: String = email.chars().take(80).collect();
        errors.add(field, format!("`{shown}` is not an e-mail address; as in ada@example.com"));
    }
}

/// An address as it is kept: two that differ by case alone are one person's.
pub(crate) fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Nobody makes somebody what they could not make them.
pub(crate) fn check_grant<P: Permits>(caller: &Caller<P>, role: Role) -> Result<(), ApiError> {
    if caller.role().grants(role) {
        return Ok(());
    }
    let able = Role::those(|other| other.grants(role)).join(" or ");
    let (own, role) = (caller.role().as_str(), role.as_str());
    let detail = format!("{able} may make or unmake `{role}`; your role is {own}");
    Err(ApiError::new(Code::Forbidden, detail))
}

/// People of the tenant, and its service accounts.
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// One of the tenant's: `owner`, `admin`, `developer` or `viewer`.
    role: Role,
}

/// Give somebody of the tenant another role: it counts from the next request on.
#[utoipa::path(
    operation_id = "change_user", tag = "people",
    params(("id" = UserId, Path)),
    request_body = UserChange,
    responses(
        (status = 204),
        (status = 409, description = "The tenant's last owner"),
    ),
)]
#[patch("/v1/users/{id}")]
async fn change(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    id: web::Path<UserId>,
    Body(UserChange { role }): Body<UserChange>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = caller.begin(&app).await?;
    let roles = people::lock_roles(&mut tx).await?;
    let before = role_of(&roles, *id)?;
    check_grant(&caller, before)?;
    check_grant(&caller, role)?;
    if role != Role::Owner {
        check_owners(&roles, *id)?;
    }
    people::set_role(&mut tx, *id, role).await?;
    tx.done(Object::new("user", id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn role_of(roles: &[(UserId, Role)], id: UserId) -> Result<Role, ApiError> {
    let found = roles.iter().find(|(user, _)| *user == id);
    found.map(|(_, role)| *role).ok_or_else(|| ApiError::not_found("user", id))
}

/// A tenant has an owner also without this one.
fn check_owners(roles: &[(UserId, Role)], without: UserId) -> Result<(), ApiError> {
    if roles.iter().any(|(user, role)| *role == Role::Owner && *user != without) {
        return Ok(());
    }
    let detail = "this is the tenant's last owner; make somebody else an owner first";
    Err(ApiError::new(Code::Conflict, detail))
}

/// Take a person or a service account out of the tenant: their keys and sessions in it end at once.
#[utoipa::path(
    operation_id = "remove_user", tag = "people",
    params(("id" = UserId, Path)),
    responses(
        (status = 204),
        (status = 409, description = "The tenant's last owner"),
    ),
)]
#[delete("/v1/users/{id}")]
async fn remove(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    id: web::Path<UserId>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = caller.begin(&app).await?;
    let roles = people::lock_roles(&mut tx).await?;
    check_grant(&caller, role_of(&roles, *id)?)?;
    check_owners(&roles, *id)?;
    people::remove_member(&mut tx, *id).await?;
    tx.done(Object::new("user", id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ServiceAccountDraft {
    /// Its address becomes `name@tenant.service`.
    #[schema(value_type = Name)]
    name: String,
    /// `admin`, `developer` or `viewer`.
    role: Role,
}

#[derive(Serialize, ToSchema)]
struct AddedServiceAccount {
    id: UserId,
    email: String,
    role: Role,
}

/// Add a service account, for a program: it cannot sign in, and stays when people leave.
///
/// Its keys are made by `POST /v1/keys` with its id as `user`.
#[utoipa::path(
    operation_id = "add_service_account", tag = "people",
    request_body = ServiceAccountDraft,
    responses(
        (status = 201, body = AddedServiceAccount),
        (status = 409, description = "The name is taken"),
    ),
)]
#[post("/v1/service-accounts")]
async fn add_service_account(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    Body(draft): Body<ServiceAccountDraft>,
) -> Result<HttpResponse, ApiError> {
    let ServiceAccountDraft { name, role } = draft;
    let name = name.parse::<Name>().map_err(|error| ApiError::field("name", error.to_string()))?;
    if matches!(role, Role::Owner | Role::Operator | Role::Auditor) {
        let message = format!("`{}`: use admin, developer or viewer", role.as_str());
        return Err(ApiError::field("role", message));
    }
    let email = format!("{name}@{}{SERVICE}", caller.tenant_slug());
    let mut tx = caller.begin_system(&app).await?;
    let tenant = caller.tenant();
    let id = people::add_service_account(&mut tx, tenant, (&email, name.as_str()), role)
        .await?
        .ok_or_else(|| {
            ApiError::new(Code::Conflict, format!("name: there is a `{email}` already"))
        })?;
    tx.done(Object::new("user", id)).await?;
    Ok(HttpResponse::Created().json(AddedServiceAccount { id, email, role }))
}

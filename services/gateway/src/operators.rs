//! Those who run the platform, and those who look at how it is run.

use actix_web::{HttpResponse, delete, get, web};
use domain::{UserId, access::Role};
use serde::Serialize;
use store::people::{self, PlatformUser};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{ApiError, App, Caller, Code, Listing, audit::Object, auth::ManageOperators};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(remove);
}

#[derive(Serialize, ToSchema)]
struct PlatformUserView {
    id: UserId,
    email: String,
    name: String,
    role: Role,
}

/// Operators and auditors.
#[utoipa::path(
    operation_id = "list_platform_users", tag = "platform",
    responses((status = 200, body = Listing<PlatformUserView>)),
)]
#[get("/v1/platform/users")]
async fn list(
    app: web::Data<App>,
    _caller: Caller<ManageOperators>,
) -> Result<web::Json<Listing<PlatformUserView>>, ApiError> {
    let mut tx = app.store.begin().await?;
    let found = people::of_platform(&mut tx).await?;
    tx.commit().await?;
    let view = |PlatformUser { id, email, name, role }| PlatformUserView { id, email, name, role };
    Ok(web::Json(Listing::whole(found.into_iter().map(view).collect())))
}

/// Take somebody's role in the platform: their keys and sessions there end at once.
#[utoipa::path(
    operation_id = "remove_platform_user", tag = "platform",
    params(("id" = UserId, Path)),
    responses(
        (status = 204),
        (status = 409, description = "It is whoever asks"),
    ),
)]
#[delete("/v1/platform/users/{id}")]
async fn remove(
    app: web::Data<App>,
    caller: Caller<ManageOperators>,
    id: web::Path<UserId>,
) -> Result<HttpResponse, ApiError> {
    if *id == caller.user() {
        let detail = "this is you; another operator can take your role";
        return Err(ApiError::new(Code::Conflict, detail));
    }
    let mut tx = caller.begin_system(&app).await?;
    if !people::set_platform_role(&mut tx, *id, None).await? {
        return Err(ApiError::not_found("operator or auditor", id));
    }
    tx.done(Object::new("user", id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

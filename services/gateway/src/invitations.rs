//! Invitations: how people come to a tenant, and to running the platform. The platform sends no mail; whoever
//! invites hands the token over, and whoever accepts it chooses a password or shows that the address is theirs
//! already.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::TimeDelta;
use domain::{FieldErrors, InvitationId, TenantId, Timestamp, UserId, access::Role};
use serde::{Deserialize, Serialize};
use store::{
    SystemTx,
    invitations::{self, Invitation, NewInvitation},
    people::{self, Known},
    tenants,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Code, Listing,
    audit::{Act, Actor, Object},
    auth::{
        ManageOperators, ManagePeople, OfInvitation, Permits, ReadSelf, SignedIn, begin_session,
        check_password, new_secret, read_secret, unauthenticated,
    },
    limits::count_guess,
    people::{check_email, check_grant, check_label, normal},
};

const LASTS: TimeDelta = TimeDelta::days(7);

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(create).service(revoke);
    cfg.service(list_of_platform).service(create_for_platform).service(revoke_of_platform);
    cfg.service(accept);
}

#[derive(Serialize, ToSchema)]
struct InvitationView {
    id: InvitationId,
    email: String,
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Invitation> for InvitationView {
    fn from(Invitation { id, email, role, created_at, expires_at, .. }: Invitation) -> Self {
        Self { id, email, role, created_at, expires_at }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InvitationDraft {
    #[schema(examples("ada@example.com"))]
    email: String,
    /// In a tenant `owner`, `admin`, `developer` or `viewer`; in the platform `operator` or `auditor`.
    role: Role,
}

/// An invitation that has just been made.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedInvitation {
    id: InvitationId,
    email: String,
    role: Role,
    /// For `POST /v1/invitations/accept`, once. It is shown this once and not kept.
    #[schema(examples("cupi_…"))]
    token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Of whoever is at this address, to be `role` in this tenant or, without one, in the platform.
pub(crate) async fn issue(
    app: &App,
    tx: &mut SystemTx<'_>,
    tenant: Option<TenantId>,
    (email, role): (&str, Role),
    invited_by: UserId,
) -> Result<IssuedInvitation, ApiError> {
    let token = new_secret::<OfInvitation>()?;
    let (id, now) = (InvitationId::generate(), app.clock.now());
    let email = normal(email);
    let (sha256, invited_by, expires_at) = (token.sha256(), Some(invited_by), now + LASTS);
    let new =
        NewInvitation { id, tenant, email: &email, role, sha256, invited_by, now, expires_at };
    invitations::create(tx, &new).await?;
    Ok(IssuedInvitation { id, role, token: token.reveal().to_owned(), expires_at, email })
}

async fn invite<P: Permits>(
    app: &App,
    caller: &Caller<P>,
    draft: InvitationDraft,
) -> Result<HttpResponse, ApiError> {
    let InvitationDraft { email, role } = draft;
    let mut errors = FieldErrors::default();
    check_email(&mut errors, "email", &email);
    if role.is_in_tenant() != caller.role().is_in_tenant() {
        let roles = Role::those(|role| caller.role().grants(role)).join(", ");
        errors.add("role", format!("`{}`: use {roles}", role.as_str()));
    }
    errors.into_result(())?;
    check_grant(caller, role)?;
    let tenant = caller.home().map(|(id, _)| *id);
    let mut tx = caller.begin_system(app).await?;
    let issued = issue(app, &mut tx, tenant, (&email, role), caller.user()).await?;
    tx.done(Object::new("invitation", issued.id)).await?;
    Ok(HttpResponse::Created().json(issued))
}

async fn open<P: Permits>(
    app: &App,
    caller: &Caller<P>,
) -> Result<web::Json<Listing<InvitationView>>, ApiError> {
    let tenant = caller.home().map(|(id, _)| *id);
    let mut tx = app.store.begin().await?;
    let found = invitations::list(&mut tx, tenant, app.clock.now()).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(InvitationView::from).collect())))
}

async fn take_back<P: Permits>(
    app: &App,
    caller: &Caller<P>,
    id: InvitationId,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.home().map(|(id, _)| *id);
    let mut tx = caller.begin_system(app).await?;
    if !invitations::revoke(&mut tx, tenant, id, app.clock.now()).await? {
        return Err(ApiError::not_found("open invitation", id));
    }
    tx.done(Object::new("invitation", id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Invitations to the tenant that wait for an answer.
#[utoipa::path(
    operation_id = "list_invitations", tag = "people",
    responses((status = 200, body = Listing<InvitationView>)),
)]
#[get("/v1/invitations")]
async fn list(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
) -> Result<web::Json<Listing<InvitationView>>, ApiError> {
    open(&app, &caller).await
}

/// Invite somebody into the tenant: hand them the token.
#[utoipa::path(
    operation_id = "create_invitation", tag = "people",
    request_body = InvitationDraft,
    responses(
        (status = 201, body = IssuedInvitation),
        (status = 409, description = "A member already"),
    ),
)]
#[post("/v1/invitations")]
async fn create(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    Body(draft): Body<InvitationDraft>,
) -> Result<HttpResponse, ApiError> {
    invite(&app, &caller, draft).await
}

/// Take an invitation back.
#[utoipa::path(
    operation_id = "revoke_invitation", tag = "people",
    params(("id" = InvitationId, Path)),
    responses((status = 204)),
)]
#[delete("/v1/invitations/{id}")]
async fn revoke(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    id: web::Path<InvitationId>,
) -> Result<HttpResponse, ApiError> {
    take_back(&app, &caller, *id).await
}

/// Invitations to run the platform that wait for an answer.
#[utoipa::path(
    operation_id = "list_platform_invitations", tag = "platform",
    responses((status = 200, body = Listing<InvitationView>)),
)]
#[get("/v1/platform/invitations")]
async fn list_of_platform(
    app: web::Data<App>,
    caller: Caller<ManageOperators>,
) -> Result<web::Json<Listing<InvitationView>>, ApiError> {
    open(&app, &caller).await
}

/// Invite somebody to run the platform, or to look at how it is run.
#[utoipa::path(
    operation_id = "create_platform_invitation", tag = "platform",
    request_body = InvitationDraft,
    responses((status = 201, body = IssuedInvitation)),
)]
#[post("/v1/platform/invitations")]
async fn create_for_platform(
    app: web::Data<App>,
    caller: Caller<ManageOperators>,
    Body(draft): Body<InvitationDraft>,
) -> Result<HttpResponse, ApiError> {
    invite(&app, &caller, draft).await
}

/// Take an invitation to the platform back.
#[utoipa::path(
    operation_id = "revoke_platform_invitation", tag = "platform",
    params(("id" = InvitationId, Path)),
    responses((status = 204)),
)]
#[delete("/v1/platform/invitations/{id}")]
async fn revoke_of_platform(
    app: web::Data<App>,
    caller: Caller<ManageOperators>,
    id: web::Path<InvitationId>,
) -> Result<HttpResponse, ApiError> {
    take_back(&app, &caller, *id).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    token: String,
    /// Of somebody who is new here.
    name: Option<String>,
    /// Of somebody who is new, the one they choose, at least 12 characters; of somebody who is not, theirs.
    /// Not needed with a credential of theirs as `Authorization`.
    password: Option<String>,
}

/// Accept an invitation: it begins a session.
#[utoipa::path(
    operation_id = "accept_invitation", tag = "people", security((), ("bearer" = [])),
    request_body = Acceptance,
    responses(
        (status = 200, body = SignedIn),
        (status = 401, description = "The invitation is unknown, used or expired, or the password is wrong"),
        (status = 409, description = "A member already, or the tenant has been closed"),
    ),
)]
#[post("/v1/invitations/accept")]
async fn accept(
    app: web::Data<App>,
    req: HttpRequest,
    caller: Option<Caller<ReadSelf>>,
    Body(draft): Body<Acceptance>,
) -> Result<web::Json<SignedIn>, ApiError> {
    let token = read_secret::<OfInvitation>(&draft.token)?;
    let gone = || {
        let detail = "the invitation is unknown, used, taken back or expired; ask for another one";
        unauthenticated(detail)
    };
    let mut tx = app.store.begin().await?;
    let found = invitations::find(&mut tx, token.sha256(), app.clock.now()).await?;
    let invitation = found.ok_or_else(gone)?;
    let known = people::known(&mut tx, &invitation.email).await?;
    tx.commit().await?;
    let guest = match known {
        Some(known) if known.is_somebody() => {
            Actor::of_user(known.user, invitation.tenant).remember(&req);
            count_guess(&app, &req, &invitation.email).await?;
            check_same(&app, &invitation.email, &known, caller, draft.password).await?;
            Guest::Known(known.user)
        }
        _ => newcomer(&app, &invitation.email, draft).await?,
    };
    let mut tx = app.store.begin().await?;
    if !invitations::accept(&mut tx, invitation.id, app.clock.now()).await? {
        return Err(gone());
    }
    let user = guest.settle(&mut tx, &invitation.email).await?;
    let place = admit(&mut tx, &invitation, user).await?;
    let signed_in = begin_session(&app, &req, &mut tx, user, place).await?;
    let actor = Actor::of_user(user, invitation.tenant);
    Act::by(tx, actor, &req).done(Object::new("invitation", invitation.id)).await?;
    Ok(web::Json(signed_in))
}

/// Whoever has the token of another's invitation must not come by their account.
async fn check_same(
    app: &App,
    email: &str,
    known: &Known,
    caller: Option<Caller<ReadSelf>>,
    password: Option<String>,
) -> Result<(), ApiError> {
    if caller.is_some_and(|caller| caller.user() == known.user) {
        return Ok(());
    }
    let given = password.unwrap_or_default();
    if app.passwords.is(given, known.password_hash.clone()).await? {
        return Ok(());
    }
    let detail = format!("`{email}` is known here: send their password, or a credential of theirs");
    Err(unauthenticated(&detail))
}

/// Whoever accepts.
enum Guest {
    Known(UserId),
    New { name: String, hash: String },
}

async fn newcomer(app: &App, email: &str, draft: Acceptance) -> Result<Guest, ApiError> {
    let (name, password) = (draft.name.unwrap_or_default(), draft.password.unwrap_or_default());
    let mut errors = FieldErrors::default();
    check_label(&mut errors, "name", &name);
    check_password(&mut errors, "password", &password, email);
    errors.into_result(())?;
    Ok(Guest::New { name, hash: app.passwords.hash(password).await? })
}

impl Guest {
    async fn settle(self, tx: &mut SystemTx<'_>, email: &str) -> Result<UserId, ApiError> {
        match self {
            Self::Known(user) => Ok(user),
            Self::New { name, hash } => {
                let user = people::ensure_user(tx, UserId::generate(), email, &name).await?;
                people::set_password(tx, user, &hash).await?;
                Ok(user)
            }
        }
    }
}

/// Into the tenant, which is where the session is then; or to the platform.
async fn admit(
    tx: &mut SystemTx<'_>,
    invitation: &Invitation,
    user: UserId,
) -> Result<Option<(TenantId, String)>, ApiError> {
    let Invitation { tenant, email, role, .. } = invitation;
    let Some(tenant) = *tenant else {
        people::set_platform_role(tx, user, Some(*role)).await?;
        return Ok(None);
    };
    let place = tenants::by_id(tx, tenant).await?.filter(|tenant| tenant.closed_at.is_none());
    let place = place.ok_or_else(|| ApiError::new(Code::Conflict, "the tenant has been closed"))?;
    if !people::add_member(tx, tenant, user, *role).await? {
        return Err(ApiError::new(Code::Conflict, format!("`{email}` is a member already")));
    }
    Ok(Some((tenant, place.slug)))
}

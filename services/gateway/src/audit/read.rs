//! Reading the audit log: a tenant's by its owners, the platform's and anybody's by operators. In pages,
//! the newest first; or all of it in the order of the chain, as lines of JSON that can be verified.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::ACCEPT,
    web::{self, Bytes},
};
use domain::{
    FieldErrors, RecordId, TenantId, Timestamp, UserId,
    audit::{Head, Record, Seal},
    name::Name,
};
use futures::{Stream, stream};
use serde::Deserialize;
use store::{Page, PageRequest, StoreError, Tx, audit};
use tracing::warn;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Caller, Listing, Params, auth::ReadAudit, page::after_cursor, quotas::tenant,
};

const JSON_LINES: &str = "application/jsonl";

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(head);
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditParams {
    /// Of operators alone: this tenant's log; the platform's if absent.
    #[param(value_type = Option<Name>)]
    tenant: Option<String>,
    /// What this user did.
    #[param(value_type = Option<UserId>)]
    user: Option<String>,
    /// An operation's id, as `submit_job`.
    action: Option<String>,
    /// An id or a name.
    object: Option<String>,
    /// `done`, or the code of a refusal.
    result: Option<String>,
    /// The first moment.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The first moment after.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// The most items to answer, 50 if absent, at most 200.
    limit: Option<u32>,
}

impl AuditParams {
    fn filter(&self) -> Result<audit::Filter, ApiError> {
        let user = self.user.as_deref().map(str::parse::<UserId>).transpose();
        let user = user.map_err(|error| ApiError::field("user", error.to_string()))?;
        let mut errors = FieldErrors::default();
        for (field, text) in
            [("action", &self.action), ("object", &self.object), ("result", &self.result)]
        {
            check_word(&mut errors, field, text.as_deref().unwrap_or_default());
        }
        errors.into_result(())?;
        Ok(audit::Filter {
            user,
            action: self.action.clone(),
            object: self.object.clone(),
            result: self.result.clone(),
            from: self.from,
            until: self.until,
        })
    }
}

/// Nothing in the log is called otherwise.
fn check_word(errors: &mut FieldErrors, field: &str, text: &str) {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    if !text.chars().all(is_fine) || text.contains("..") {
        let shown: String = text.chars().take(60).collect();
        errors.add(field, format!("`{shown}`: use letters, digits and `-`, `_`, `.`, `/`, `@`"));
    }
}

/// What was done, by whom, to what, from where, with what result.
///
/// An owner reads the tenant's log, an operator the platform's or, with `tenant`, a tenant's. The newest
/// first. With `Accept: application/jsonl` all records that have been sealed, the oldest first, one a
/// line; `cursor` and `limit` do not count then.
#[utoipa::path(
    operation_id = "list_audit_records", tag = "audit",
    params(AuditParams),
    responses((status = 200, content(
        (Listing<Record> = "application/json"),
        (Record = "application/jsonl"),
    )), (status = 404, description = "There is no such tenant")),
)]
#[get("/v1/audit")]
async fn list(
    app: web::Data<App>,
    caller: Caller<ReadAudit>,
    params: Params<AuditParams>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let filter = params.0.filter()?;
    let of = log_of(&app, &caller, params.0.tenant.as_deref()).await?;
    if wants_lines(&request) {
        let lines = lines(app, of, filter);
        return Ok(HttpResponse::Ok().content_type(JSON_LINES).streaming(lines));
    }
    let before: Option<RecordId> = after_cursor(params.0.cursor)?;
    let page = PageRequest::new(before.map(RecordId::uuid), params.0.limit);
    let found = match of {
        Some(tenant) => page_of(app.store.begin_for(tenant).await?, of, &filter, page).await?,
        None => page_of(app.store.begin().await?, of, &filter, page).await?,
    };
    let next = found.items.last().filter(|_| found.has_more).map(|record| record.id.to_string());
    Ok(HttpResponse::Ok().json(Listing { items: found.items, next }))
}

async fn page_of(
    mut tx: impl Tx,
    of: Option<TenantId>,
    filter: &audit::Filter,
    page: PageRequest,
) -> Result<Page<Record>, StoreError> {
    let found = audit::list(&mut tx, of, filter, page).await?;
    tx.end().await?;
    Ok(found)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HeadParams {
    /// Of operators alone: this tenant's log; the platform's if absent.
    #[param(value_type = Option<Name>)]
    tenant: Option<String>,
}

/// The place and hash of the log's last record.
///
/// Keep it elsewhere: whoever has it can tell later whether anything up to that place was changed.
/// Before the first record the place is 0.
#[utoipa::path(
    operation_id = "get_audit_head", tag = "audit",
    params(HeadParams),
    responses(
        (status = 200, body = Head),
        (status = 404, description = "There is no such tenant"),
    ),
)]
#[get("/v1/audit/head")]
async fn head(
    app: web::Data<App>,
    caller: Caller<ReadAudit>,
    params: Params<HeadParams>,
) -> Result<web::Json<Head>, ApiError> {
    let tenant = log_of(&app, &caller, params.0.tenant.as_deref()).await?;
    let seal = match tenant {
        Some(of) => head_of(app.store.begin_for(of).await?, tenant).await?,
        None => head_of(app.store.begin().await?, tenant).await?,
    };
    Ok(web::Json(Head { tenant, seal }))
}

async fn head_of(mut tx: impl Tx, of: Option<TenantId>) -> Result<Seal, StoreError> {
    let last = audit::head(&mut tx, of).await?;
    tx.end().await?;
    Ok(last.unwrap_or_default())
}

/// Whose log is read: the caller's own tenant's; of operators, the named one's or the platform's.
async fn log_of(
    app: &App,
    caller: &Caller<ReadAudit>,
    named: Option<&str>,
) -> Result<Option<TenantId>, ApiError> {
    let Some(slug) = named else { return Ok(caller.home().map(|(tenant, _)| *tenant)) };
    match caller.home() {
        None => {
            let mut tx = app.store.begin().await?;
            let id = tenant(&mut tx, slug).await?;
            tx.commit().await?;
            Ok(Some(id))
        }
        Some((own, own_slug)) if own_slug == slug => Ok(Some(*own)),
        Some(_) => Err(ApiError::not_found("tenant", slug)),
    }
}

fn wants_lines(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains(JSON_LINES))
}

/// Each look is a transaction of its own: none stays open while a socket waits. A look that fails breaks
/// the answer off.
fn lines(
    app: web::Data<App>,
    of: Option<TenantId>,
    filter: audit::Filter,
) -> impl Stream<Item = Result<Bytes, StoreError>> {
    stream::try_unfold((app, filter, 1), move |(app, filter, from)| async move {
        let records = match of {
            Some(tenant) => next_of(app.store.begin_for(tenant).await?, of, from, &filter).await,
            None => next_of(app.store.begin().await?, of, from, &filter).await,
        };
        let records = records.inspect_err(|error| {
            warn!(error = error as &dyn std::error::Error, "an export of the audit log broke off");
        })?;
        let Some(last) = records.last().and_then(|record| record.seal) else { return Ok(None) };
        Ok(Some((as_lines(&records), (app, filter, last.place + 1))))
    })
}

async fn next_of(
    mut tx: impl Tx,
    of: Option<TenantId>,
    from: u64,
    filter: &audit::Filter,
) -> Result<Vec<Record>, StoreError> {
    let records = audit::sealed(&mut tx, of, from, filter).await?;
    tx.end().await?;
    Ok(records)
}

fn as_lines(records: &[Record]) -> Bytes {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record).expect("a record is plain JSON");
        lines.push(b'\n');
    }
    lines.into()
}

//! Live events over SSE. The store's numbered events are the truth: a follower names the last number
//! it has seen and gets every later one, in order, once. Hints only say when to look; a look every
//! two seconds makes up for lost ones. Each look is a short transaction of its own.

use std::{convert::Infallible, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::{self, Bytes},
};
use domain::{JobId, TenantId, hint::Hint};
use futures::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{
    StoreError,
    events::{self, Event},
    jobs,
};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, timeout},
};
use utoipa::{IntoParams, ToSchema};

use super::{known_id, unknown};
use crate::{ApiError, App, Caller, Params, auth::ReadJobs};

const LOOK_EVERY: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_secs(15);
/// As long as an access token lives: then the client comes back with its credential, and loses nothing.
const FOLLOW_AT_MOST: Duration = Duration::from_secs(900);
const EVENTS_PER_LOOK: u32 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowParams {
    /// Only events after this number; the header `Last-Event-ID` goes before it.
    after: Option<u64>,
}

/// One of the stream, by its lines.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: an event is written line by line")]
struct EventView {
    /// The event's number; `progress` has none.
    id: Option<String>,
    /// Its kind.
    event: String,
    /// JSON.
    data: String,
}

/// Follow a job live (server-sent events).
///
/// `id:` is the event's number, `event:` its kind, `data:` JSON. Events so far come first; after the
/// final one (`succeeded`, `failed` or `cancelled`) the stream ends. `progress` has no number: it
/// says how far the job is, and is not repeated. Answers 204 if there is nothing more to come.
#[utoipa::path(
    operation_id = "follow_job",
    tag = "jobs",
    params(
        ("id" = JobId, Path),
        FollowParams,
        ("Last-Event-ID" = Option<u64>, Header, description = "The last number that was seen"),
    ),
    responses(
        (status = 200, body = EventView, content_type = "text/event-stream"),
        (status = 204, description = "The job has ended and every event has been seen"),
    ),
)]
#[get("/v1/jobs/{id}/events")]
pub(super) async fn follow(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    id: web::Path<String>,
    params: Params<FollowParams>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let job = known_id(&id)?;
    let seen = last_event_id(&request)?.or(params.0.after).unwrap_or(0);
    // before the first look: what happens after it is hinted
    let hints = app.bus.subscribe();
    let mut follower = Follower {
        app: app.clone(),
        tenant: caller.tenant(),
        job,
        seen,
        progress: None,
        over: false,
        behind: false,
        hints,
        until: Instant::now() + FOLLOW_AT_MOST,
        spoke: Instant::now(),
    };
    let first = follower.look().await?.ok_or_else(|| unknown(job))?;
    if first.is_empty() && follower.over {
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        // a proxy that gathers the answer would hold the events back
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream_from(first, follower)))
}

fn last_event_id(request: &HttpRequest) -> Result<Option<u64>, ApiError> {
    let Some(value) = request.headers().get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    text.parse()
        .map(Some)
        .map_err(|_| ApiError::field("Last-Event-ID", "must be the number of an event of this job"))
}

fn stream_from(first: String, follower: Follower) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let start = format!("retry: 2000\n\n{first}");
    stream::unfold((Some(start), follower), |(start, mut follower)| async move {
        let said = match start {
            Some(start) => start,
            None => follower.next().await?,
        };
        follower.spoke = Instant::now();
        Some((Ok(Bytes::from(said)), (None, follower)))
    })
}

struct Follower {
    app: web::Data<App>,
    tenant: TenantId,
    job: JobId,
    /// The number of the last event that was sent.
    seen: u64,
    /// The last step that was told.
    progress: Option<u64>,
    /// Nothing more will come.
    over: bool,
    /// There is more to read already.
    behind: bool,
    hints: broadcast::Receiver<Hint>,
    until: Instant,
    spoke: Instant,
}

impl Follower {
    /// What to send next; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        while !self.over && Instant::now() < self.until {
            if !self.behind {
                let _ = timeout(LOOK_EVERY, self.hinted()).await;
            }
            match self.look().await {
                Ok(None) => return None,
                Ok(Some(news)) if !news.is_empty() => return Some(news),
                Ok(Some(_)) => {}
                // the database may be back at the next look
                Err(error) if error.is_unavailable() => self.behind = false,
                Err(error) => {
                    tracing::error!(%error, job.id = %self.job, "a follower's look failed");
                    return None;
                }
            }
            if self.spoke.elapsed() >= PING_EVERY {
                return Some(": ping\n\n".to_owned());
            }
        }
        None
    }

    /// Until something has happened to this job, as far as hints tell.
    async fn hinted(&mut self) {
        loop {
            match self.hints.recv().await {
                Ok(Hint::Job(job)) if job == self.job => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// What is new, ready to be sent; `None` if there is no such job.
    async fn look(&mut self) -> Result<Option<String>, StoreError> {
        let mut tx = self.app.store.begin_for(self.tenant).await?;
        // the job first: a final state that it shows has its event among those read after it
        let Some(job) = jobs::get(&mut tx, self.job).await? else { return Ok(None) };
        let found = events::after(&mut tx, self.job, self.seen, EVENTS_PER_LOOK).await?;
        tx.commit().await?;
        self.seen = found.last().map_or(self.seen, |event| event.number);
        self.over = job.status.is_final() && self.seen >= job.last_event;
        self.behind = found.len() == EVENTS_PER_LOOK as usize;
        let mut news: String = found.iter().map(numbered).collect();
        if !self.over {
            news.push_str(&self.progress(&job));
        }
        Ok(Some(news))
    }

    fn progress(&mut self, job: &jobs::Job) -> String {
        let (Some(step), Some(total)) = (job.step, job.total_steps) else { return String::new() };
        if self.progress.replace(step) == Some(step) {
            return String::new();
        }
        let data = json!({"attempt": job.attempt, "step": step, "total_steps": total});
        format!("event: progress\ndata: {data}\n\n")
    }
}

/// JSON of one line, so that `data:` needs no second one.
fn numbered(event: &Event) -> String {
    let mut data = event.data.clone();
    if let Value::Object(fields) = &mut data {
        fields.insert("at".to_owned(), json!(event.at));
    }
    format!("id: {}\nevent: {}\ndata: {data}\n\n", event.number, event.kind)
}

//! Puts the routes together and serves them until asked to stop.

use std::{error::Error as StdError, net::TcpListener, time::Duration};

use actix_web::{
    App as Actix, Error, HttpServer,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    error::{PathError, QueryPayloadError},
    middleware::from_fn,
    web,
};
use boot::ticker;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Code, advice,
    audit::{self, Operations, keep_sealing, watch},
    auth,
    body::read_small,
    clearing,
    counts::{keep_counting, write_counts},
    datasets, egress, endpoints, hub, inference_v2, invitations, jobs, keys,
    limits::limit,
    measure::{measure, upkeep},
    metered, models, openapi, operators, people, platform, pools, queue, quotas,
    recent::forget,
    schedules, sharing, sweeps, tenants,
    unrouted::{Routes, unrouted},
    usage, workers,
};

/// How long requests under way may take after the gateway was asked to stop.
const SHUTDOWN_SECS: u64 = 10;
/// For a client that opens a connection and does not say what it wants.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Of each of the server's threads.
const MAX_CONNECTIONS: usize = 10_000;
/// Cron expressions name minutes.
const SCHEDULES_EVERY: Duration = Duration::from_secs(2);
const TEND_EVERY: Duration = Duration::from_secs(60);

/// Every route; the OpenAPI document is made from these too.
pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    platform::routes(cfg);
    audit::routes(cfg);
    auth::routes(cfg);
    tenants::routes(cfg);
    people::routes(cfg);
    invitations::routes(cfg);
    operators::routes(cfg);
    keys::routes(cfg);
    datasets::routes(cfg);
    jobs::routes(cfg);
    advice::routes(cfg);
    models::routes(cfg);
    endpoints::routes(cfg);
    hub::routes(cfg);
    inference_v2::routes(cfg);
    pools::routes(cfg);
    queue::routes(cfg);
    sharing::routes(cfg);
    quotas::routes(cfg);
    schedules::routes(cfg);
    sweeps::routes(cfg);
    usage::routes(cfg);
    workers::routes(cfg);
}

/// The routes, and what answers where there is none. Needs `web::Data<App>` in the application.
pub fn configure(cfg: &mut web::ServiceConfig) {
    let document = openapi();
    cfg.app_data(web::QueryConfig::default().error_handler(|error, _| bad_query(&error).into()))
        .app_data(web::PathConfig::default().error_handler(|error, _| bad_path(&error).into()))
        .app_data(web::Data::new(Routes::of(&document)))
        .app_data(web::Data::new(Operations::of(&document)))
        .app_data(web::Data::new(document));
    routes(&mut ServiceConfig::new(cfg));
    cfg.default_service(web::to(unrouted));
}

/// Routes of somebody else, beside the API's.
pub type Further = fn(&mut web::ServiceConfig);

/// The application as it is served and tested: routes, what was refused, and measurements.
pub fn application(
    app: web::Data<App>,
    further: Further,
) -> Actix<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    Actix::new()
        .app_data(app)
        .configure(configure)
        .configure(further)
        .wrap(from_fn(forget))
        .wrap(from_fn(read_small))
        .wrap(from_fn(limit))
        .wrap(from_fn(watch))
        .wrap(from_fn(inference_v2::in_its_words))
        .wrap(from_fn(measure))
}

/// Serves until `shutdown`, then lets the requests under way finish.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
    further: Further,
) -> std::io::Result<()> {
    let upkeep = app.metrics.clone().map(|handle| tokio::spawn(upkeep(handle)));
    let app = web::Data::new(app);
    let background = background(&app);
    let last = app.clone();
    let server = HttpServer::new(move || application(app.clone(), further))
        .listen(listener)?
        .disable_signals()
        .client_request_timeout(HEAD_WITHIN)
        .client_disconnect_timeout(HEAD_WITHIN)
        .max_connections(MAX_CONNECTIONS)
        .shutdown_timeout(SHUTDOWN_SECS)
        .run();
    let handle = server.handle();
    let stop = async move {
        shutdown.cancelled().await;
        handle.stop(true).await;
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = server => ended,
        () = stop => unreachable!("it only ends with the server"),
    };
    for task in background {
        task.abort();
    }
    write_last(&last).await;
    if let Some(upkeep) = upkeep {
        upkeep.abort();
    }
    ended
}

/// What goes on beside the requests.
fn background(app: &web::Data<App>) -> [JoinHandle<()>; 11] {
    [
        every(SCHEDULES_EVERY, app, "could not look for scheduled runs", |app| async move {
            schedules::fire_due(&app).await.map(drop)
        }),
        // what credentials leave behind: signing keys that others have added or that have had their day, and
        // sessions that have ended long ago
        every(
            TEND_EVERY,
            app,
            "could not look after signing keys and sessions",
            |app| async move { auth::tend(&app).await },
        ),
        every(egress::WRITE_EVERY, app, "could not write what was downloaded", |app| async move {
            app.egress.write(&app.store).await
        }),
        every(metered::WRITE_EVERY, app, "could not write what was predicted", |app| async move {
            app.metered.write(&app.store, app.clock.now()).await
        }),
        every(
            endpoints::WRITE_EVERY,
            app,
            "could not write what came of calls by endpoints",
            |app| async move { endpoints::write_tallies(&app).await },
        ),
        every(
            endpoints::LOOK_EVERY,
            app,
            "could not keep versions of endpoints in memory",
            |app| async move { endpoints::warm(&app).await },
        ),
        every(
            serving::REFRESH_EVERY,
            app,
            "could not look which serving replicas there are",
            |app| async move { app.predictor.look(&app.store).await },
        ),
        every(
            clearing::CLEAR_EVERY,
            app,
            "could not look for what nobody needs in the object store",
            |app| async move { clearing::clear(&app).await },
        ),
        // these remember what they did before
        tokio::spawn(keep_sealing(app.store.clone())),
        tokio::spawn(models::keep_sealing_models(app.clone())),
        tokio::spawn(keep_counting(app.clone())),
    ]
}

/// What was counted since it was written last.
async fn write_last(app: &App) {
    let written = [
        app.egress.write(&app.store).await,
        write_counts(app).await,
        app.metered.write(&app.store, app.clock.now()).await,
        endpoints::write_tallies(app).await,
    ];
    for error in written.into_iter().filter_map(Result::err) {
        warn!(error = &error as &dyn std::error::Error, "what was counted last is lost");
    }
}

/// Does something again and again. Trouble is waited out: the next time it is tried again.
fn every<F, E>(
    period: Duration,
    app: &web::Data<App>,
    trouble: &'static str,
    work: fn(web::Data<App>) -> F,
) -> JoinHandle<()>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn StdError + Send + Sync>> + 'static,
{
    let app = app.clone();
    tokio::spawn(async move {
        let mut next = ticker(period);
        loop {
            next.tick().await;
            if let Err(error) = work(app.clone()).await {
                let error: Box<dyn StdError + Send + Sync> = error.into();
                warn!(error = &*error as &dyn StdError, "{trouble}");
            }
        }
    })
}

fn bad_query(error: &QueryPayloadError) -> ApiError {
    ApiError::new(Code::BadRequest, format!("query string: {error}"))
}

/// Nothing can stand under a path whose parts are not of their kind.
fn bad_path(error: &PathError) -> ApiError {
    ApiError::new(Code::NotFound, format!("there is nothing here: {error}"))
}

//! The process of a replica: it answers gateways, which say what it has told them alone, and anybody who asks whether
//! it is there and what it has done.

use std::{convert::Infallible, net::TcpListener, time::Duration};

use actix_web::{
    App, Error, HttpResponse, HttpServer,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::ErrorUnauthorized,
    get,
    http::header::{AUTHORIZATION, CONTENT_TYPE},
    middleware::{Next, from_fn},
    post, web,
};
use bytes::Bytes;
use domain::{Digest, ModelId};
use futures::stream;
use registry::Masters;
use serde::Serialize;
use store::Store;
use tokio_util::sync::CancellationToken;

use super::{
    MOST_BYTES, NOTICED_AFTER,
    standing::Standing,
    wire::{Fault, Garbled, Question, Told, decode, framed},
};
use crate::{PredictError, Predictor, Source, measured};

/// How long requests under way may take after the replica was asked to stop.
const SHUTDOWN_SECS: u64 = 10;
/// Longer than gateways keep a connection that they do not use.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// What a replica runs on.
pub struct Replica {
    pub predictor: Predictor,
    pub store: Store,
    pub masters: Option<Masters>,
    /// Where gateways reach it.
    pub url: String,
}

#[derive(Clone)]
struct Serving {
    predictor: Predictor,
    /// `Bearer …`, of a gateway.
    credential: Digest,
}

impl Replica {
    /// Until `end`. Then it says so first, answers until every gateway has noticed, and finishes what is under way.
    pub async fn serve(
        self,
        listener: TcpListener,
        end: CancellationToken,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Self { predictor, store, masters, url } = self;
        let (standing, secret) = Standing::new(store, masters.as_ref(), url).await?;
        let credential = Digest::of(bearer(secret).as_bytes());
        let serving = web::Data::new(Serving { predictor, credential });
        let server =
            HttpServer::new(move || App::new().app_data(serving.clone()).configure(routes))
                .listen(listener)?
                .disable_signals()
                .keep_alive(KEEP_ALIVE)
                .shutdown_timeout(SHUTDOWN_SECS)
                .run();
        let handle = server.handle();
        let done = CancellationToken::new();
        let stop = async {
            end.cancelled().await;
            tokio::time::sleep(NOTICED_AFTER).await;
            handle.stop(true).await;
        };
        let answer = async {
            let ended = server.await;
            // without it nobody is to stand there
            end.cancel();
            done.cancel();
            ended
        };
        let standing = standing.keep(end.clone(), done.clone());
        let (ended, (), ()) = tokio::join!(answer, stop, standing);
        Ok(ended?)
    }
}

pub(super) fn bearer(secret: Digest) -> String {
    format!("Bearer {secret}")
}

fn routes(cfg: &mut web::ServiceConfig) {
    let asked = web::scope("/serving")
        .app_data(web::PayloadConfig::new(MOST_BYTES))
        .wrap(from_fn(refuse_strangers))
        .service(predict)
        .service(generate)
        .service(warm)
        .service(counts);
    cfg.service(healthz).service(metrics).service(asked);
}

async fn refuse_strangers(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let said = req.headers().get(AUTHORIZATION).map(|said| Digest::of(said.as_bytes()));
    let serving = req.app_data::<web::Data<Serving>>();
    // by digest, so that how long it takes says nothing
    if serving.is_none_or(|serving| said != Some(serving.credential)) {
        return Err(ErrorUnauthorized("a replica answers the gateways of its platform alone"));
    }
    next.call(req).await
}

#[post("/predict")]
async fn predict(serving: web::Data<Serving>, body: Bytes) -> HttpResponse {
    let mut question: Question<'static> = match decode(&body) {
        Ok(question) => question,
        Err(garbled) => return refused(&garbled),
    };
    let rows = std::mem::take(&mut question.rows).into_owned();
    let answered = serving.predictor.predict(question.asked(), rows).await;
    said(&answered.map_err(Fault::from))
}

#[post("/generate")]
async fn generate(serving: web::Data<Serving>, body: Bytes) -> HttpResponse {
    let mut question: Question<'static> = match decode(&body) {
        Ok(question) => question,
        Err(garbled) => return refused(&garbled),
    };
    let row = std::mem::take(&mut question.rows).into_owned().pop().unwrap_or_default();
    let pieces = match serving.predictor.generate(question.asked(), row).await {
        Ok(pieces) => pieces,
        Err(error) => return said(&Told::End(Err(error.into()))),
    };
    // a gateway that leaves drops this, and with it who would take the next piece
    let told = stream::unfold(pieces, |mut pieces| async move {
        let piece = framed(&Told::from(pieces.recv().await?));
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    HttpResponse::Ok().insert_header(CBOR).streaming(told)
}

#[post("/warm")]
async fn warm(serving: web::Data<Serving>, body: Bytes) -> HttpResponse {
    let version: Source = match decode(&body) {
        Ok(version) => version,
        Err(garbled) => return refused(&garbled),
    };
    let loaded = serving.predictor.warm(version).await;
    said(&loaded.map_err(|error: PredictError| Fault::from(error)))
}

#[post("/counts")]
async fn counts(serving: web::Data<Serving>, body: Bytes) -> HttpResponse {
    match decode::<(ModelId, u32)>(&body) {
        Ok(version) => said(&serving.predictor.counts(version)),
        Err(garbled) => refused(&garbled),
    }
}

#[get("/healthz")]
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().body("ok")
}

#[get("/metrics")]
async fn metrics(serving: web::Data<Serving>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(measured(&serving.predictor))
}

const CBOR: (actix_web::http::header::HeaderName, &str) = (CONTENT_TYPE, "application/cbor");

fn said(value: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header(CBOR).body(framed(value))
}

fn refused(garbled: &Garbled) -> HttpResponse {
    HttpResponse::BadRequest().body(garbled.to_string())
}

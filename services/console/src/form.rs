//! What a form has sent. It is taken only if it has the seal of the session that it comes in, which no page
//! of another site can know. Every handler of a POST takes a [`Sent`], so none forgets to ask.

use std::time::Duration;

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::StatusCode, web};
use domain::Digest;
use futures::{FutureExt, StreamExt, future::LocalBoxFuture};
use gateway::in_time;
use serde_json::{Number, Value};
use url::form_urlencoded;

use crate::{
    failure::{Errors, Failure},
    guard::not_from_here,
    session::seal_of,
};

/// The name of the field with the seal.
pub(crate) const SEAL: &str = "seal";
/// Long enough for a specification, and for a page of text to try a model on.
const MAX_FORM_BYTES: usize = 1 << 20;

/// For the next of its bytes.
const PIECE_WITHIN: Duration = Duration::from_secs(30);

/// The fields of a form, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub Vec<(String, String)>);

/// With the seal of its session.
pub(crate) struct Sent(pub Fields);

impl Fields {
    /// Without blanks around it; empty where there is no such field.
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// As it was typed: a password may begin with a blank.
    pub fn raw(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// A number as JSON, none where the field is empty.
    pub fn number(&self, name: &str) -> Result<Option<Value>, Errors> {
        let Some(text) = self.some(name) else { return Ok(None) };
        let number = text.parse::<i64>().map(Number::from).ok();
        let number = number.or_else(|| text.parse().ok().and_then(Number::from_f64));
        let why = || Errors::of_field(name, format!("`{text}` is no number"));
        number.map(|number| Some(Value::Number(number))).ok_or_else(why)
    }
}

impl FromRequest for Sent {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        async move {
            let body = whole(payload.await.map_err(|_| broke_off())?).await?;
            let fields = Fields(form_urlencoded::parse(&body).into_owned().collect());
            check_seal(&request, fields.raw(SEAL))?;
            Ok(Self(fields))
        }
        .boxed_local()
    }
}

async fn whole(payload: web::Payload) -> Result<Vec<u8>, Failure> {
    let mut pieces = in_time(payload, PIECE_WITHIN);
    let mut body = Vec::new();
    while let Some(piece) = pieces.next().await {
        body.extend_from_slice(&piece.map_err(|_| broke_off())?);
        if body.len() > MAX_FORM_BYTES {
            return Err(too_large());
        }
    }
    Ok(body)
}

fn broke_off() -> Failure {
    Failure::of(StatusCode::BAD_REQUEST, "Not taken", "The form broke off. Send it again.")
}

/// # Errors
/// Unless this is the seal of the session, or of the visit of somebody who is not signed in.
pub(crate) fn check_seal(request: &HttpRequest, given: &str) -> Result<(), Failure> {
    let seal = seal_of(request).ok_or_else(not_from_here)?;
    // by digests, which takes as long however much of it is right
    let is_it = Digest::of(seal.as_bytes()) == Digest::of(given.as_bytes());
    if is_it { Ok(()) } else { Err(not_from_here()) }
}

fn too_large() -> Failure {
    let detail = format!("A form has at most {} KiB; the API takes more.", MAX_FORM_BYTES >> 10);
    Failure::of(StatusCode::PAYLOAD_TOO_LARGE, "Too much at once", detail)
}

//! A language model's text as it comes, over SSE. A client that leaves ends the computation: nobody takes its next
//! piece.

use std::{convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::{self, Bytes},
};
use domain::predict::{Prediction, Row};
use futures::{Stream, stream};
use serde_json::{Value, json};
use serving::{Answered, Piece, PredictError};
use tokio::{sync::mpsc::UnboundedReceiver, time::timeout};
use utoipa::ToSchema;

use super::{
    asking::{By, asked, meter, told},
    predict::of_one,
};
use crate::{ApiError, App, recent::Named};

const PING_EVERY: Duration = Duration::from_secs(15);

/// One of the stream, by its lines.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: an event is written line by line")]
pub(super) struct TextEvent {
    /// Absent where there is more text; `done` or `error` of the last.
    event: Option<String>,
    /// JSON.
    data: String,
}

struct Teller {
    app: web::Data<App>,
    by: By,
    named: Arc<Named>,
    pieces: UnboundedReceiver<Piece>,
    /// Pieces that were told; of a client that leaves, it is what it is counted for.
    told: u64,
    over: bool,
}

/// An answer that begins with the first piece, so that what is wrong from the start has its status.
pub(super) async fn tell(
    app: web::Data<App>,
    by: By,
    named: Arc<Named>,
    row: Row,
) -> Result<HttpResponse, ApiError> {
    let wrong = |error| of_one(told(error), true);
    let mut pieces = app.predictor.generate(asked(&by, &named), row).await.map_err(wrong)?;
    let first = match pieces.recv().await {
        Some(Piece::End(Err(error))) => return Err(wrong(error)),
        Some(first) => first,
        None => return Err(wrong(PredictError::Broken)),
    };
    let teller = Teller { app, by, named, pieces, told: 0, over: false };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        // a proxy that gathers the answer would hold the pieces back
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(teller.events(first)))
}

impl Teller {
    fn events(self, first: Piece) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold((Some(first), self), |(first, mut teller)| async move {
            let event = match first {
                Some(first) => teller.event(first),
                None => teller.next().await?,
            };
            Some((Ok(Bytes::from(event)), (None, teller)))
        })
    }

    async fn next(&mut self) -> Option<String> {
        if self.over {
            return None;
        }
        Some(match timeout(PING_EVERY, self.pieces.recv()).await {
            Ok(Some(piece)) => self.event(piece),
            Ok(None) => self.event(Piece::End(Err(PredictError::Broken))),
            Err(_) => ": ping\n\n".to_owned(),
        })
    }

    fn event(&mut self, piece: Piece) -> String {
        match piece {
            Piece::More(text) => {
                self.told += 1;
                format!("data: {}\n\n", json!({ "text": text }))
            }
            Piece::End(Ok(answered)) => {
                self.over = true;
                meter(&self.app, &self.by, &self.named, &answered);
                format!("event: done\ndata: {}\n\n", self.whole(answered))
            }
            Piece::End(Err(error)) => {
                self.over = true;
                let ApiError { code, detail, .. } = of_one(told(error), true);
                let problem = json!({ "code": code.as_str(), "detail": detail });
                format!("event: error\ndata: {problem}\n\n")
            }
        }
    }

    fn whole(&self, answered: Answered) -> Value {
        let (text, tokens) = match answered.predictions.into_iter().next() {
            Some(Prediction::Text { text, tokens }) => (text, tokens),
            _ => (String::new(), 0),
        };
        let mut whole = json!({
            "model": self.named.name, "version": self.named.version.number, "text": text, "tokens": tokens,
        });
        if let (Some(fields), Some(warning)) = (whole.as_object_mut(), self.named.warning()) {
            fields.insert("warning".to_owned(), warning.into());
        }
        whole
    }
}

/// Who leaves in between has had what it was told.
impl Drop for Teller {
    fn drop(&mut self) {
        if !self.over && self.told > 0 {
            let text = Prediction::Text { text: String::new(), tokens: self.told as u32 };
            let answered = Answered {
                predictions: vec![text],
                batch_rows: 1,
                waited: Duration::ZERO,
                took: Duration::ZERO,
            };
            meter(&self.app, &self.by, &self.named, &answered);
        }
    }
}

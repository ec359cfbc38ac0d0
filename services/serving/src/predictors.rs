//! What answers a gateway's predictions: the serving replicas where there are some, else the predictor of its own
//! process. Who asks does not see which it was: answers and errors are the same.
//!
//! A prediction changes nothing, so what a replica did not answer is asked once more elsewhere. A text of which a part
//! was told is not begun again: whoever reads it is told that it broke off.

use std::sync::Arc;

use domain::{ModelId, TenantId, predict::Row};
use registry::Masters;
use store::{
    Store, StoreError,
    models::{Made, ModelVersion},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    Answered, Asked, Counts, Hot, LoadError, Piece, PredictError, Predictor, Source, measured,
    replicas::{
        Fleet, Saying,
        wire::{self, Fault, Question, Told, encode},
    },
};

type Said<T> = Result<T, Fault>;

pub struct Predictors {
    own: Predictor,
    fleet: Fleet,
}

impl Predictors {
    /// `masters`: what the replicas' secrets are wrapped with.
    pub fn new(own: Predictor, masters: Option<Masters>) -> Self {
        Self { own, fleet: Fleet::new(masters) }
    }

    /// Looks which replicas there are.
    pub async fn look(&self, store: &Store) -> Result<(), StoreError> {
        self.fleet.look(store).await
    }

    pub async fn predict(
        &self,
        asked: Asked<'_>,
        rows: Vec<Row>,
    ) -> Result<Answered, PredictError> {
        if self.fleet.is_empty() {
            return self.own.predict(asked, rows).await;
        }
        let question = encode(&Question::new(asked, &rows));
        match self.fleet.ask::<Said<_>>(asked.version.key(), wire::PREDICT, question).await? {
            Some((answer, _)) => Ok(answer?),
            None => self.own.predict(asked, rows).await,
        }
    }

    /// A language model's text, piece by piece. Who drops the receiver ends it.
    pub async fn generate(
        &self,
        asked: Asked<'_>,
        row: Row,
    ) -> Result<UnboundedReceiver<Piece>, PredictError> {
        if self.fleet.is_empty() {
            return self.own.generate(asked, row).await;
        }
        let rows = [row];
        let question = encode(&Question::new(asked, &rows));
        let [row] = rows;
        match self.fleet.ask::<Told>(asked.version.key(), wire::GENERATE, question).await? {
            Some((first, saying)) => {
                let (to, pieces) = unbounded_channel();
                tokio::spawn(pass_on(first.into(), saying, to));
                Ok(pieces)
            }
            None => self.own.generate(asked, row).await,
        }
    }

    /// Loads it ahead of its first use, where it will be used.
    pub async fn warm(&self, version: &ModelVersion) -> Result<(), PredictError> {
        let source = Source::from(version);
        if self.fleet.is_empty() {
            return self.own.warm(source).await;
        }
        match self.fleet.ask::<Said<_>>(source.key(), wire::WARM, encode(&source)).await? {
            Some((loaded, _)) => Ok(loaded?),
            None => self.own.warm(source).await,
        }
    }

    /// In this process, and this process answers. It counts as a use of it.
    pub fn is_loaded(&self, model: ModelId, number: u32) -> bool {
        self.fleet.is_empty() && self.own.is_loaded(model, number)
    }

    /// What a version has done since it was loaded, where it is used now.
    pub async fn counts(&self, version: (ModelId, u32)) -> Result<Counts, PredictError> {
        if self.fleet.is_empty() {
            return Ok(self.own.counts(version));
        }
        let counts = self.fleet.ask(version, wire::COUNTS, encode(&version)).await?;
        Ok(counts.map_or_else(|| self.own.counts(version), |(counts, _)| counts))
    }

    /// Whether the files are those of a model that can be run; nothing of it is kept. In this process.
    pub async fn check(&self, tenant: TenantId, made: &Made) -> Result<(), LoadError> {
        self.own.check(tenant, made).await
    }

    /// The versions that are loaded in this process.
    pub fn loaded(&self) -> Vec<Arc<Hot>> {
        self.own.loaded()
    }

    /// What this process has done and asked, in Prometheus' text format.
    pub fn measured(&self) -> String {
        let mut text = measured(&self.own);
        self.fleet.measured(&mut text);
        text
    }
}

/// Until its end, or until nobody reads it any more.
async fn pass_on(first: Piece, mut saying: Saying, to: UnboundedSender<Piece>) {
    let mut piece = first;
    loop {
        let is_last = matches!(piece, Piece::End(_));
        if to.send(piece).is_err() || is_last {
            return;
        }
        piece = tokio::select! {
            said = saying.piece() => said,
            () = to.closed() => return,
        };
    }
}

//! A replica as a gateway sees it: where it is, what is said to it, whether it has answered, and what it says.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use domain::{Digest, ReplicaId, Timestamp};
use reqwest::{Client, header::AUTHORIZATION, redirect::Policy};
use serde::de::DeserializeOwned;
use store::replicas;
use tokio::sync::watch;
use tracing::warn;

use super::{
    answering::bearer,
    wire::{self, Told},
};
use crate::{Piece, PredictError};

const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// For which a connection is kept that is not used; shorter than a replica keeps it.
const IDLE_FOR: Duration = Duration::from_secs(60);

pub(super) type List = Arc<[Arc<Remote>]>;

pub(super) struct Remote {
    pub id: ReplicaId,
    pub url: String,
    http: Client,
    credential: String,
    heard: Mutex<Heard>,
    pub answered: AtomicU64,
    pub unreached: AtomicU64,
}

struct Heard {
    last: Timestamp,
    /// It has not answered since.
    is_avoided: bool,
    /// It is to finish what it was asked.
    is_leaving: bool,
}

/// A question that a replica has not answered: nothing of it was told to anybody.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("it answered {0}")]
    Refused(reqwest::StatusCode),
    #[error(transparent)]
    Garbled(#[from] wire::Garbled),
    #[error("it ended without an answer")]
    Nothing,
    #[error("it has been silent for too long")]
    Silent,
}

impl Unanswered {
    /// Whether somebody may have begun to answer.
    pub fn was_heard(&self) -> bool {
        !matches!(self, Self::Http(error) if error.is_connect())
    }
}

impl Remote {
    /// # Errors
    /// Where this machine has no certificates to know others by, which a URL may need.
    pub fn new(row: &replicas::Replica, secret: Digest) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(IDLE_FOR)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        let heard = Heard { last: row.heartbeat_at, is_avoided: false, is_leaving: row.leaving };
        Ok(Self {
            id: row.id,
            url: row.url.clone(),
            http,
            credential: bearer(secret),
            heard: Mutex::new(heard),
            answered: AtomicU64::new(0),
            unreached: AtomicU64::new(0),
        })
    }

    /// One that speaks again is asked again.
    pub fn heard(&self, at: Timestamp, is_leaving: bool) {
        let mut heard = self.state();
        if heard.last != at {
            *heard = Heard { last: at, is_avoided: false, is_leaving };
        }
    }

    /// Whether it can be asked.
    pub fn answers(&self) -> bool {
        let heard = self.state();
        !heard.is_avoided && !heard.is_leaving
    }

    /// What it says first, and it may go on.
    pub async fn ask<T: DeserializeOwned>(
        self: &Arc<Self>,
        (path, body): (&str, &Bytes),
        mut list: watch::Receiver<List>,
    ) -> Result<(T, Saying), Unanswered> {
        let request = self.http.post(format!("{}{path}", self.url));
        let request = request.header(AUTHORIZATION, &self.credential).body(body.clone());
        let asked = async {
            let response = unless_gone(&mut list, self.id, request.send()).await??;
            if !response.status().is_success() {
                return Err(Unanswered::Refused(response.status()));
            }
            let mut saying = Saying { of: self.id, response, buffer: BytesMut::new(), list };
            let first = saying.next().await?.ok_or(Unanswered::Nothing)?;
            Ok((first, saying))
        };
        let answer = asked.await;
        match &answer {
            Ok(_) => self.answered.fetch_add(1, Ordering::Relaxed),
            Err(_) => {
                self.state().is_avoided = true;
                self.unreached.fetch_add(1, Ordering::Relaxed)
            }
        };
        answer
    }

    fn state(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a replica says, one after the other. Dropping it ends the computation.
pub(crate) struct Saying {
    of: ReplicaId,
    response: reqwest::Response,
    buffer: BytesMut,
    list: watch::Receiver<List>,
}

impl Saying {
    /// None at its end.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Unanswered> {
        loop {
            if let Some(said) = wire::unframed(&mut self.buffer)? {
                return Ok(Some(said));
            }
            let chunk = unless_gone(&mut self.list, self.of, self.response.chunk()).await??;
            match chunk {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

impl Saying {
    /// The next one of a text; that it broke off where there is none.
    pub async fn piece(&mut self) -> Piece {
        let said = self.next::<Told>().await.and_then(|said| said.ok_or(Unanswered::Nothing));
        match said {
            Ok(told) => told.into(),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(replica.id = %self.of, error, "a replica broke off in the middle of a text");
                Piece::End(Err(PredictError::Unreached))
            }
        }
    }
}

/// An answer, if it comes before the replica is given up: one that hangs is silent, in the database too.
async fn unless_gone<T>(
    list: &mut watch::Receiver<List>,
    id: ReplicaId,
    answer: impl Future<Output = T>,
) -> Result<T, Unanswered> {
    tokio::select! {
        answer = answer => Ok(answer),
        Ok(_) = list.wait_for(|list| list.iter().all(|one| one.id != id)) => Err(Unanswered::Silent),
    }
}

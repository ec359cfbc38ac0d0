//! What a prediction asks of the database, remembered for a second: who calls, and which version a name means. So
//! most predictions ask nothing. A key that is revoked, a version that is yanked and an alias that is moved are noticed
//! within that second, and at once where the change went through this gateway: any change forgets everything.
//!
//! Several who ask the same at once wait for one answer. It is read by a task of its own: who leaves meanwhile keeps
//! nobody's connection. Errors are told and not remembered.
//!
//! What is asked all the time is asked anew before its second is over, and nobody waits for that: else one call in
//! each second would wait for the database.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};
use chrono::TimeDelta;
use domain::{Digest, ModelId, TenantId, Timestamp, registry::VersionState};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use store::{models::ModelVersion, principals::Principal};

use crate::{ApiError, App, audit::Origin};

const KEPT: TimeDelta = TimeDelta::seconds(1);
/// From then on the next answer is asked for.
const RENEWED: TimeDelta = TimeDelta::milliseconds(500);
/// Of each kind, before those that are too old are forgotten.
const MANY: usize = 10_000;

#[derive(Default)]
pub struct Recent {
    /// By the credential's digest.
    pub(crate) principals: Answers<Digest, (Principal, bool)>,
    /// By who asks, and the model and the version as they name them.
    pub(crate) versions: Answers<(TenantId, String), Arc<Named>>,
}

/// A version that can be asked.
pub(crate) struct Named {
    /// `tenant/model`
    pub name: String,
    pub model: ModelId,
    pub version: Arc<ModelVersion>,
}

impl Named {
    /// That the version should not be used any more, and why.
    pub fn warning(&self) -> Option<String> {
        let ModelVersion { number, reason, state, .. } = &*self.version;
        let what = match state {
            VersionState::Deprecated => "is deprecated",
            VersionState::Yanked => "was yanked",
            VersionState::Draft | VersionState::Published | VersionState::Deleted => return None,
        };
        let colon = if reason.is_empty() { "" } else { ": " };
        Some(format!("version {number} {what}{colon}{reason}"))
    }
}

impl Recent {
    pub fn forget(&self) {
        self.principals.all().clear();
        self.versions.all().clear();
    }
}

type Answer<V> = Shared<BoxFuture<'static, Result<V, ApiError>>>;

pub(crate) struct Answers<K, V>(Mutex<HashMap<K, Kept<V>>>);

struct Kept<V> {
    asked: Timestamp,
    answer: Answer<V>,
    /// The answer that follows it, from when on it was asked.
    next: Option<(Timestamp, Answer<V>)>,
}

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone, V: Clone + Send + Sync + 'static> Answers<K, V> {
    /// As it was within the last second, or asked now.
    pub async fn get<F>(
        &self,
        key: K,
        now: Timestamp,
        ask: impl FnOnce() -> F,
    ) -> Result<V, ApiError>
    where
        F: Future<Output = Result<V, ApiError>> + Send + 'static,
    {
        let answer = self.answer(&key, now, ask);
        let told = answer.clone().await;
        if told.is_err() {
            let mut all = self.all();
            if all.get(&key).is_some_and(|kept| kept.answer.ptr_eq(&answer)) {
                all.remove(&key);
            }
        }
        told
    }

    fn answer<F>(&self, key: &K, now: Timestamp, ask: impl FnOnce() -> F) -> Answer<V>
    where
        F: Future<Output = Result<V, ApiError>> + Send + 'static,
    {
        let mut all = self.all();
        if let Some(kept) = all.get_mut(key) {
            kept.follow(now);
            if kept.is_recent(now) {
                if now - kept.asked >= RENEWED && kept.next.is_none() {
                    kept.next = Some((now, begun(ask())));
                }
                return kept.answer.clone();
            }
        }
        if all.len() >= MANY {
            all.retain(|_, kept| kept.is_recent(now));
        }
        let answer = begun(ask());
        all.insert(key.clone(), Kept { asked: now, answer: answer.clone(), next: None });
        answer
    }

    fn all(&self) -> MutexGuard<'_, HashMap<K, Kept<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Clone> Kept<V> {
    fn is_recent(&self, now: Timestamp) -> bool {
        (TimeDelta::zero()..KEPT).contains(&(now - self.asked))
    }

    /// The next answer takes its place once it is there, and waited for when this one is too old.
    fn follow(&mut self, now: Timestamp) {
        let is_due = !self.is_recent(now);
        let is_there =
            |(_, next): &mut (_, Answer<V>)| is_due || next.clone().now_or_never().is_some();
        if let Some((asked, answer)) = self.next.take_if(is_there) {
            (self.asked, self.answer) = (asked, answer);
        }
    }
}

fn begun<V: Clone + Send + Sync + 'static>(
    ask: impl Future<Output = Result<V, ApiError>> + Send + 'static,
) -> Answer<V> {
    let told = tokio::spawn(ask);
    told.map(|told| told.unwrap_or_else(|error| Err(ApiError::internal(&error)))).boxed().shared()
}

/// Around every request: after a change nothing is as it was.
pub(crate) async fn forget(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let response = next.call(req).await?;
    let request = response.request();
    if !request.method().is_safe()
        && Origin::of(request).changes
        && let Some(app) = request.app_data::<web::Data<App>>()
    {
        app.recent.forget();
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::Code;

    fn at(millis: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::milliseconds(millis)
    }

    /// Answers with how often it was asked.
    #[derive(Default)]
    struct Counting {
        answers: Answers<&'static str, u32>,
        asked: Arc<AtomicU32>,
    }

    impl Counting {
        async fn get(&self, key: &'static str, now: i64) -> Result<u32, ApiError> {
            let asked = Arc::clone(&self.asked);
            let ask = || async move {
                tokio::task::yield_now().await;
                let before = asked.fetch_add(1, Ordering::Relaxed);
                let missing = || ApiError::new(Code::NotFound, "missing");
                if key == "missing" { Err(missing()) } else { Ok(before) }
            };
            self.answers.get(key, at(now), ask).await
        }
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_a_second_and_shared_by_those_who_ask_at_once() {
        let counting = Counting::default();
        let (a, b) = tokio::join!(counting.get("a", 0), counting.get("a", 0));
        assert_eq!((a.unwrap(), b.unwrap()), (0, 0));
        assert_eq!(counting.get("a", 999).await.unwrap(), 0);
        assert_eq!(counting.get("b", 999).await.unwrap(), 1);
        assert_eq!(counting.get("a", 1_000).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn what_is_asked_often_is_asked_anew_in_time_and_nobody_waits_for_it() {
        let counting = Counting::default();
        assert_eq!(counting.get("a", 0).await.unwrap(), 0);
        assert_eq!(counting.get("a", 500).await.unwrap(), 0, "asked anew, behind this answer");
        while counting.asked.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(counting.get("a", 600).await.unwrap(), 1);
        assert_eq!(counting.get("a", 999).await.unwrap(), 1, "it is from 500");
    }

    #[tokio::test]
    async fn who_comes_after_the_second_waits_for_the_answer_that_was_asked_for_meanwhile() {
        let counting = Counting::default();
        counting.get("a", 0).await.unwrap();
        counting.get("a", 900).await.unwrap();
        assert_eq!(counting.get("a", 1_100).await.unwrap(), 1);
        assert_eq!(counting.asked.load(Ordering::Relaxed), 2);
        assert_eq!(counting.get("a", 1_900).await.unwrap(), 2, "that one is from 900");
    }

    #[tokio::test]
    async fn errors_are_told_to_all_who_wait_and_asked_for_again() {
        let counting = Counting::default();
        let (a, b) = tokio::join!(counting.get("missing", 0), counting.get("missing", 0));
        assert!(a.is_err() && b.is_err());
        assert_eq!(counting.asked.load(Ordering::Relaxed), 1);
        assert!(counting.get("missing", 0).await.is_err());
        assert_eq!(counting.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn many_keys_are_forgotten_with_time() {
        let answers = Answers::<u32, ()>::default();
        for key in 0..3 * MANY as u32 {
            let ask = || async { Ok(()) };
            answers.get(key, at(i64::from(key)), ask).await.unwrap();
        }
        assert!(answers.all().len() <= MANY + 1);
    }
}

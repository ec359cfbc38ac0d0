//! Waiting out trouble that passes. A database that is away is waited for as long as it takes, since
//! a finished result is not to be lost; an object store is asked a few times.

use std::time::Duration;

use registry::BlobError;
use store::StoreError;
use tokio::{sync::watch, time::sleep};
use tracing::warn;

use crate::decide::{Order, may_pass};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// For what another attempt would do as well.
pub(crate) const SOME: u32 = 4;
/// For what took long to make: about two minutes.
pub(crate) const MANY: u32 = 16;

/// The order under which an attempt works.
pub(crate) type Orders = watch::Receiver<Order>;

/// Returns once the attempt is to end without a word.
pub(crate) async fn killed(orders: &mut Orders) {
    // an agent that is gone cannot speak for the attempt either
    let _ = orders.wait_for(|order| *order == Order::Kill).await;
}

/// The answer of a database that may be away for a while; `None` if the attempt was killed meanwhile.
pub(crate) async fn until_answered<T, F>(
    orders: &mut Orders,
    ask: impl FnMut() -> F,
) -> Option<Result<T, StoreError>>
where
    F: Future<Output = Result<T, StoreError>>,
{
    tokio::select! {
        answer = answered(ask) => Some(answer),
        () = killed(orders) => None,
    }
}

/// The same, for as long as it takes.
pub(crate) async fn answered<T, F>(mut ask: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match ask().await {
            Err(error) if error.is_unavailable() => {
                warn!(%error, "waiting for the database");
                sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            answer => return answer,
        }
    }
}

pub(crate) async fn with_tries<T, F>(tries: u32, mut ask: impl FnMut() -> F) -> Result<T, BlobError>
where
    F: Future<Output = Result<T, BlobError>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..tries {
        match ask().await {
            Err(error) if may_pass(&error) => {
                warn!(%error, "waiting for the object store");
                sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            answer => return answer,
        }
    }
    ask().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn what_will_not_pass_is_asked_once() {
        let asked = Cell::new(0);
        let ask = || {
            asked.set(asked.get() + 1);
            async { Err::<(), _>(BlobError::Missing("data".into())) }
        };
        assert!(with_tries(SOME, ask).await.is_err());
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test]
    async fn a_killed_attempt_waits_for_nothing() {
        let (order, mut orders) = watch::channel(Order::Run);
        let never = || std::future::pending::<Result<(), StoreError>>();
        order.send_replace(Order::Kill);
        assert!(until_answered(&mut orders, never).await.is_none());
        drop(order);
        let (_, mut orphaned) = watch::channel(Order::Run);
        assert!(until_answered(&mut orphaned, never).await.is_none());
    }
}

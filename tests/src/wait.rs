//! Waiting for a condition, with an end.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Far more than anything takes here, so that a busy machine fails no test.
pub(crate) const WITHIN: Duration = Duration::from_secs(90);
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What `look` finds, once it finds something.
///
/// # Panics
/// When it has found nothing for long.
pub async fn wait_until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WITHIN;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}", WITHIN.as_secs());
        sleep(LOOK_EVERY).await;
    }
}

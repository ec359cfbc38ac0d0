//! Gives what was written to the audit log its place there, moments later. Several gateways look; one at a
//! time does it.

use std::time::Duration;

use boot::ticker;
use store::{
    Store, StoreError,
    audit::{self, Look},
};
use tracing::warn;

/// Until then a record could be taken out without being missed.
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// So many looks at recent records for one at all of them.
const LOOKS_AT_RECENT: u32 = 600;

pub(crate) async fn keep_sealing(store: Store) {
    let mut look = ticker(SEAL_EVERY);
    let mut recent = LOOKS_AT_RECENT;
    loop {
        look.tick().await;
        let all = recent == LOOKS_AT_RECENT;
        recent = if all { 0 } else { recent + 1 };
        let sealed = seal_all(&store, if all { Look::All } else { Look::Recent }).await;
        if let Err(error) = sealed {
            warn!(error = &error as &dyn std::error::Error, "could not seal the audit log");
            recent = LOOKS_AT_RECENT;
        }
    }
}

async fn seal_all(store: &Store, look: Look) -> Result<(), StoreError> {
    loop {
        let mut tx = store.begin().await?;
        let sealed = audit::seal(&mut tx, look).await?;
        tx.commit().await?;
        if sealed == 0 {
            return Ok(());
        }
    }
}

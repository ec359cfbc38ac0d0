//! What is done to processes, in three lanes that go side by side. Whatever breaks something here also
//! puts it right again, and waits for what can be seen, never for a time.

mod backing;
mod schedulers;
mod workers;

pub use backing::Backing;
pub use schedulers::Schedulers;
pub use workers::Workers;

use tokio::sync::watch;

/// Once so many jobs have ended.
async fn jobs_ended(ended: &mut watch::Receiver<u64>, so_many: u64) {
    ended.wait_for(|ended| *ended >= so_many).await.expect("they are counted until the end");
}

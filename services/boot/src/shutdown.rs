//! One token that says "finish what you hold and leave", cancelled by SIGTERM or SIGINT.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports for a program ended by SIGINT.
const EXIT_INTERRUPTED: i32 = 130;

/// The first signal cancels the token; a second one, from somebody who will not wait, exits.
///
/// # Panics
/// Outside a tokio runtime with I/O enabled.
pub fn on_signal() -> CancellationToken {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be listened for");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be listened for");
    let token = CancellationToken::new();
    let asked = token.clone();
    tokio::spawn(async move {
        // signals are counted apart from the token, which others may cancel too
        for exits in [false, true] {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
            if exits {
                std::process::exit(EXIT_INTERRUPTED);
            }
            asked.cancel();
        }
    });
    token
}

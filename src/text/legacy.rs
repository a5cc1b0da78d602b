//! What is told of a service that an earlier daemon of this boot has left.

use crate::core::memo::{Left, Rest};

/// The word for how it was left, without times.
pub(super) fn left_word(left: Left) -> &'static str {
    match left {
        Left::Over => "over",
        Left::Waiting => "waiting",
        Left::Running => "running",
        Left::Ending => "ending",
        Left::Resting { why } => super::words::rest_word(why),
        Left::Backoff { .. } => "backoff",
        Left::GaveUp { .. } => "gave-up",
    }
}

/// The sentence for one that is configured otherwise now.
pub(super) fn redefined(name: &str) -> String {
    format!("{name} is configured otherwise than it was started: it is started anew")
}

/// The sentence for it.
pub(super) fn recalled(name: &str, left: Left) -> String {
    let text = match left {
        Left::Over | Left::Waiting => "waits to be started",
        Left::Running => "ended while no daemon was there to see it",
        Left::Ending => "was being stopped when the last daemon ended, and stays stopped",
        Left::Resting { why } => match why {
            Rest::NotStarted => "was never started",
            Rest::Stopped => "was stopped under the last daemon, and stays stopped",
            Rest::Finished => "had finished under the last daemon, and is not run again",
            Rest::Elsewhere => "was stopped by another under the last daemon, and stays stopped",
            Rest::Failed => "had failed under the last daemon, and is not restarted",
        },
        Left::Backoff { .. } => "kept failing under the last daemon, and still waits",
        Left::GaveUp { .. } => "had given up under the last daemon, and still waits",
    };
    format!("{name} {text}")
}

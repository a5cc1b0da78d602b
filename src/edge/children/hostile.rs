//! Datagrams that a service, or somebody who pretends to be one, may send.

use super::message::Message;
use crate::core::fact::Said;
use std::time::Duration;

/// Reads one: what is kept of it is bounded, and no text of it drives a terminal.
pub fn hostile(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else {
        return;
    };
    if let Some(status) = &message.status {
        assert!(status.len() <= Said::STATUS_MAX, "{message:?}");
        assert!(!status.contains(char::is_control), "{message:?}");
    }
    let day = Duration::from_secs(24 * 3600);
    let bounded = |time: Duration| time <= day;
    assert!(message.window.flatten().is_none_or(bounded), "{message:?}");
    assert!(message.extend.is_none_or(bounded), "{message:?}");
}

//! Requests that anybody may send.

use super::request;
use crate::core::settings::Settings;

/// Longest refusal in bytes. It may quote a piece of what it refuses, and no more.
const LONGEST: usize = 1024;

/// Reads one line: what is refused is refused with one short line of JSON.
pub fn hostile(line: &[u8], settings: &Settings) {
    match request::read(line, settings) {
        Ok(wanted) => {
            wanted.acts();
        }
        Err(refusal) => {
            let line = refusal.line();
            assert!(line.len() <= LONGEST, "{refusal:?}");
            let (end, json) = line.split_last().expect("an answer");
            assert!(*end == b'\n' && !json.contains(end), "{refusal:?}");
            assert!(serde_json::from_slice::<serde_json::Value>(json).is_ok());
        }
    }
}

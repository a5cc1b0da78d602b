//! Fields of notes about services.

use super::{Value, count, time, word};
use crate::core::fact::{Errno, Exit, Stage};
use crate::text::words::stage_word;
use crate::text::{errno_word, signal_word};
use std::time::Duration;

type Field = (&'static str, Value);

/// The step of a start that failed, and why.
pub(super) fn step(stage: Stage, errno: Errno) -> [Field; 2] {
    [
        ("stage", word(stage_word(stage))),
        ("errno", Value::Text(errno_word(errno))),
    ]
}

/// How a run ended.
pub(super) fn end(exit: Exit, asked: bool, lived: Duration) -> [Field; 3] {
    [
        how(exit),
        ("asked", Value::Flag(asked)),
        ("lived", time(lived)),
    ]
}

/// All restarts of a window are used up.
pub(super) fn spent(restarts: u32, window: Duration, retry: Duration) -> [Field; 3] {
    [
        ("restarts", count(restarts)),
        ("window", time(window)),
        ("retry", time(retry)),
    ]
}

fn how(exit: Exit) -> (&'static str, Value) {
    match exit {
        Exit::Code(code) => ("code", count(code)),
        Exit::Signal(number) => ("signal", Value::Text(signal_word(number))),
        Exit::Unknown => ("exit", word("unknown")),
    }
}

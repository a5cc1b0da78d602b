//! What is said of the hardware watchdog.

use crate::core::fact::{Fault, Thread};
use crate::text::{fault_sentence, for_people, thread_word};
use std::time::Duration;

pub(super) fn failed(why: &Fault, retry: Duration) -> String {
    format!(
        "hardware watchdog {}: not armed; trying again in {}",
        match why {
            Fault::Taken { .. } => fault_sentence(why),
            Fault::Busy | Fault::Errno(_) | Fault::Absent | Fault::Implausible =>
                format!("failed ({})", fault_sentence(why)),
        },
        for_people(retry)
    )
}

pub(super) fn withheld(
    thread: Thread,
    timeout: Option<Duration>,
    init: Option<Duration>,
) -> String {
    let thread = thread_word(thread);
    match (timeout, init) {
        (Some(timeout), _) => format!(
            "our {thread} thread is stuck: no more pets, the hardware resets this machine \
             within {}",
            for_people(timeout)
        ),
        (None, Some(init)) => format!(
            "our {thread} thread is stuck: no more pets, systemd restarts this daemon within {}",
            for_people(init)
        ),
        (None, None) => format!(
            "our {thread} thread is stuck: no more pets, but there is no hardware watchdog to \
             reset this machine"
        ),
    }
}

//! The threads that look at the machine from time to time: vitals, and file systems.
//!
//! They are two, because a look at a file system may wait for its card for minutes, and temperature
//! must not wait with it.

use super::clock;
use super::inbox::Inbox;
use super::pulse::Pulse;
use crate::core::fact::Fact;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::Duration;

/// Samples at once and then every so often, until `quit` is closed.
pub fn watch(
    every: Duration,
    pulse: &Arc<Pulse>,
    inbox: &Inbox,
    quit: &Receiver<()>,
    mut sample: impl FnMut() -> Vec<Fact>,
) {
    // The first look is due now: if it never ends, that has to be noticed too.
    pulse.sleep_until(clock::now());
    loop {
        inbox.send_all(sample());
        pulse.sleep_until(clock::now().after(every));
        match quit.recv_timeout(clock::wait(every)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Pulse as How, Thread};
    use crate::edge::inbox::inbox;
    use crossbeam_channel::bounded;

    /// A card that hangs at the very first look is noticed like one that hangs later.
    #[test]
    fn a_first_look_that_does_not_end_is_late() {
        let limit = Duration::from_secs(60);
        let pulse = Arc::new(Pulse::new(Thread::Disk, limit));
        let (ours, quit) = bounded(0);
        drop(ours);
        let during = pulse.clone();
        let sample = move || {
            let now = clock::now();
            assert_eq!(during.judge(now), How::OnTime);
            assert!(matches!(during.judge(now.after(limit)), How::Late { .. }));
            Vec::new()
        };
        let (inbox, _facts) = inbox();
        watch(Duration::from_secs(10), &pulse, &inbox, &quit, sample);
    }
}

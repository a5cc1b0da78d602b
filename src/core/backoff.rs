//! When a service that failed is started again: at once, later, or not for a long time.
//!
//! The first failures are answered at once, because most are a single event and every second of
//! waiting is a second of outage; those after them wait twice as long each, because a service that
//! keeps failing costs the others; and too many inside a window mean that trying does not help.

use super::settings::Backoff as Settings;
use crate::units::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// What to do about a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// Start again after this time; zero means now.
    Wait(Duration),
    /// Too many restarts; one more try at this time.
    GiveUp(Mono),
}

/// Failures in a row and restarts inside the window.
#[derive(Clone, Default, Debug)]
pub(crate) struct Backoff {
    failures: u32,
    restarts: VecDeque<Mono>,
}

impl Backoff {
    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Restarts inside the window, as far as they were needed for the last decision.
    pub fn restarts(&self) -> u32 {
        u32::try_from(self.restarts.len()).unwrap_or(u32::MAX)
    }

    /// When it was restarted last.
    pub fn latest(&self) -> Option<Mono> {
        self.restarts.back().copied()
    }

    /// The latest restarts, oldest first, at most so many.
    pub fn latest_restarts(&self, most: usize) -> Box<[Mono]> {
        let excess = self.restarts.len().saturating_sub(most);
        self.restarts.iter().skip(excess).copied().collect()
    }

    /// Goes on from what an earlier daemon had counted.
    pub fn recall(&mut self, failures: u32, restarts: &[Mono], now: Mono) {
        self.failures = failures;
        self.restarts = restarts.iter().copied().filter(|t| *t <= now).collect();
    }

    /// Forgets everything: an operator says that it is mended.
    pub fn forgive(&mut self) {
        *self = Backoff::default();
    }

    /// The present run has become a stable one.
    pub fn settle(&mut self) {
        self.failures = 0;
    }

    /// Takes out of the count what was restarted from `since` on. Returns how many that were.
    pub fn excuse(&mut self, since: Mono) -> u32 {
        let before = self.restarts();
        self.restarts.retain(|at| *at < since);
        before - self.restarts()
    }

    /// A run of length `lived` failed. `jitter` is any number; it spreads waits by up to a fifth. One
    /// that is `excused` waits like any other, and is never a reason to give up.
    pub fn fail(
        &mut self,
        s: &Settings,
        now: Mono,
        lived: Duration,
        jitter: u64,
        excused: bool,
    ) -> Next {
        if lived >= s.stable {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.forget_old(s, now);
        if !excused && self.restarts() >= s.restarts {
            let free = self
                .restarts
                .front()
                .map_or(now, |first| first.after(s.window));
            return Next::GiveUp(free.max(now.after(s.cooldown)));
        }
        Next::Wait(self.delay(s, jitter))
    }

    /// One more failure would be one too many.
    pub fn is_spent(&self, s: &Settings, now: Mono) -> bool {
        let recent = self.restarts.iter().filter(|at| now.since(**at) < s.window);
        recent.count() >= usize::try_from(s.restarts).unwrap_or(usize::MAX)
    }

    /// A restart is made now; it counts against the window.
    pub fn restart(&mut self, s: &Settings, now: Mono) {
        self.forget_old(s, now);
        self.restarts.push_back(now);
    }

    fn forget_old(&mut self, s: &Settings, now: Mono) {
        while self
            .restarts
            .front()
            .is_some_and(|t| now.since(*t) >= s.window)
        {
            self.restarts.pop_front();
        }
    }

    /// How long the next start waits after the latest failure.
    pub fn delay(&self, s: &Settings, jitter: u64) -> Duration {
        let Some(step) = self.failures.checked_sub(s.immediate.saturating_add(1)) else {
            return Duration::ZERO;
        };
        let doubled = s
            .first
            .saturating_mul(1u32.checked_shl(step.min(31)).unwrap_or(u32::MAX));
        let plain = u64::try_from(doubled.min(s.cap).as_millis()).unwrap_or(u64::MAX);
        // A fifth to either side: enough to pull apart what a power cut started in step. At the cap
        // all of it lies below, because the cap is a promise.
        let fifth = plain / 5;
        let cap = u64::try_from(s.cap.as_millis()).unwrap_or(u64::MAX);
        let low = (plain - fifth).min(cap - 2 * fifth);
        Duration::from_millis(low + jitter % (2 * fifth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            immediate: 2,
            first: Duration::from_secs(1),
            cap: Duration::from_secs(8),
            stable: Duration::from_secs(600),
            restarts: 10,
            window: Duration::from_secs(600),
            cooldown: Duration::from_secs(300),
        }
    }

    /// Two at once, then 1, 2, 4, 8, 8 s, each within a fifth; none above the cap.
    #[test]
    fn waits_double_up_to_the_cap() {
        let s = settings();
        let mut b = Backoff::default();
        for (at, wanted) in [0u64, 0, 1000, 2000, 4000, 8000, 8000]
            .into_iter()
            .enumerate()
        {
            let jitter = 0x9E37_79B9_7F4A_7C15u64.wrapping_mul(at as u64 + 1);
            let Next::Wait(d) = b.fail(&s, Mono(at as u64 * 100), Duration::ZERO, jitter, false)
            else {
                panic!("gave up at failure {at}");
            };
            let ms = u64::try_from(d.as_millis()).unwrap();
            let fifth = wanted / 5;
            let high = (wanted + fifth).min(8000);
            assert!(
                (high - 2 * fifth..=high).contains(&ms),
                "failure {at}: {ms} for {wanted}"
            );
            b.restart(&s, Mono(at as u64 * 100));
        }
    }

    /// The eleventh failure inside the window is the end; the try after it keeps the window's limit.
    #[test]
    fn gives_up_and_tries_again_when_the_window_allows() {
        let s = settings();
        let mut b = Backoff::default();
        for i in 0..10 {
            assert!(matches!(
                b.fail(&s, Mono(i * 1000), Duration::ZERO, 0, false),
                Next::Wait(_)
            ));
            b.restart(&s, Mono(i * 1000));
        }
        let until = Mono(600_000);
        assert_eq!(
            b.fail(&s, Mono(10_000), Duration::ZERO, 0, false),
            Next::GiveUp(until)
        );
        b.restart(&s, until);
        assert!(b.restarts() <= s.restarts);
    }

    /// A stable run wipes out the row of failures, and an operator wipes out everything.
    #[test]
    fn stable_run_and_forgiveness() {
        let s = settings();
        let mut b = Backoff::default();
        for _ in 0..4 {
            b.fail(&s, Mono(0), Duration::ZERO, 0, false);
        }
        assert_eq!(
            b.fail(&s, Mono(0), s.stable, 0, false),
            Next::Wait(Duration::ZERO)
        );
        assert_eq!(b.failures(), 1);
        b.restart(&s, Mono(0));
        b.forgive();
        assert_eq!((b.failures(), b.restarts()), (0, 0));
    }

    /// What is excused is never a reason to give up, and waits as long as everything else; and what was
    /// counted before it was known to be excused is taken out again.
    #[test]
    fn excused_failures_wait_and_do_not_count() {
        let s = settings();
        let mut b = Backoff::default();
        let mut waited = Duration::ZERO;
        for i in 0..100 {
            let Next::Wait(d) = b.fail(&s, Mono(i * 1000), Duration::ZERO, 0, true) else {
                panic!("gave up at failure {i}");
            };
            assert!(d >= waited, "failure {i}: {d:?} after {waited:?}");
            waited = d;
        }
        assert_eq!(waited, Duration::from_millis(4_800));
        assert_eq!((b.failures(), b.restarts()), (100, 0));
        for at in [1, 2, 3, 4] {
            b.restart(&s, Mono(at * 1000));
        }
        assert_eq!((b.excuse(Mono(3_000)), b.restarts()), (2, 2));
        assert_eq!(b.latest(), Some(Mono(2_000)));
    }
}

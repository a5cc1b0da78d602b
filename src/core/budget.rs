//! How long services need to stop, and what a battery leaves them of that.
//!
//! ```text
//! stops that were seen ─► expected, never above the deadline ─┐
//! deadlines of those of which too little is known ────────────┴─► span ─► fit ─► what each gets
//! ```
//!
//! Terms: a service's *deadline* is its `stop_timeout`; what it is *expected* to take is learned from
//! its latest stops, and with a margin. The *span* is the longest chain of services that stop one after
//! another; the *fit* is how much of the time beyond what is expected there is for each.
//!
//! Safe direction: where little is known of a service, its deadline counts, and a stop that had to be
//! killed is all of it. A time that was learned too short costs a service its end in peace, and never
//! the battery: what has not ended when the battery has no more to give is killed.
//!
//! Never acts.

use super::fact::ServiceId;
use super::settings::{BESIDE, Service};
use std::time::Duration;

/// Stops that are remembered of a service. More: one that has become faster counts as slow for long.
/// Fewer: a stop that is slow now and then is forgotten.
const SEEN: usize = 8;

/// Stops below which the deadline counts. Fewer: the one slow stop in three is missed.
const ENOUGH: usize = 3;

/// What is added to half as much again as the longest stop that was seen: a card and a processor that
/// are busy with the stop of all others.
const SPARE: Duration = Duration::from_secs(1);

/// Least that a service gets, however little the battery gives: what ends at all ends in that.
const LEAST: Duration = Duration::from_secs(1);

/// How long the latest stops of a service took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StopTimes([u16; SEEN]);

/// In place of a time: it had to be killed.
const KILLED: u16 = u16::MAX;

/// How long a stop took; `None` where it had to be killed.
pub type Took = Option<Duration>;

/// What is expected of a service, and by what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// The longest of its latest stops.
    Learned {
        /// That one.
        longest: Duration,
    },
    /// Its deadline: too few stops of it were seen.
    TooFew,
    /// Its deadline: it had to be killed of late.
    Killed,
}

impl StopTimes {
    /// Stops that are remembered, at most.
    pub const MOST: usize = SEEN;

    /// Takes in a stop.
    pub fn see(&mut self, took: Took) {
        self.0.rotate_right(1);
        self.0[0] = match took {
            // In tenths of a second, and rather too many.
            Some(took) => u16::try_from(took.as_millis() / 100 + 1)
                .unwrap_or(KILLED)
                .min(KILLED - 1),
            None => KILLED,
        };
    }

    /// Takes in one that was kept, the oldest first; `None` if it cannot have been.
    pub fn recall(&mut self, took: Took) -> Option<()> {
        let tenths = match took {
            Some(took) => u16::try_from(took.as_millis() / 100).ok()?,
            None => KILLED,
        };
        if tenths == 0 || took.is_some() && tenths == KILLED {
            return None;
        }
        self.0.rotate_right(1);
        self.0[0] = tenths;
        Some(())
    }

    /// What was seen, the latest first.
    pub fn seen(&self) -> impl DoubleEndedIterator<Item = Took> + '_ {
        let known = self.0.iter().copied().take_while(|tenths| *tenths != 0);
        known.collect::<Vec<_>>().into_iter().map(took)
    }

    /// Stops that are remembered.
    pub fn count(&self) -> usize {
        self.0.iter().take_while(|tenths| **tenths != 0).count()
    }

    /// How long it is expected to take, never longer than its deadline, and by what.
    pub fn expected(&self, deadline: Duration) -> (Duration, Basis) {
        if self.0.contains(&KILLED) {
            return (deadline, Basis::Killed);
        }
        if self.count() < ENOUGH {
            return (deadline, Basis::TooFew);
        }
        let longest = self.0.iter().max().copied().unwrap_or(KILLED);
        let longest = Duration::from_millis(u64::from(longest) * 100);
        let with_margin = longest + longest / 2 + SPARE;
        (with_margin.min(deadline), Basis::Learned { longest })
    }
}

fn took(tenths: u16) -> Took {
    (tenths != KILLED).then(|| Duration::from_millis(u64::from(tenths) * 100))
}

/// What the stop of services takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StopSpan {
    /// The longest chain of them, one after another, by what is expected of each.
    pub expected: Duration,
    /// The longest chain by their deadlines.
    pub most: Duration,
}

impl StopSpan {
    /// Runtime below which a halt has to begin: twice what the services are expected to take, and what
    /// comes beside it. `budget`: they get no more than that anyway.
    pub fn runtime(self, budget: Duration) -> Duration {
        self.expected.min(budget) * 2 + BESIDE
    }
}

/// For each service, how long the longest chain is that begins with its stop. `own`: how long each
/// takes by itself.
pub fn chains(services: &[Service], own: impl Fn(usize) -> Duration) -> Vec<Duration> {
    let n = services.len();
    let mut chain: Vec<Duration> = (0..n).map(&own).collect();
    // Free of cycles, so as many rounds as there are services are enough; most need two or three.
    for _ in 0..n {
        let mut moved = false;
        for (at, service) in services.iter().enumerate() {
            let rest = service.after.iter();
            let rest = rest.filter_map(|id| chain.get(usize::from(id.0))).max();
            let whole = own(at).saturating_add(rest.copied().unwrap_or_default());
            moved |= whole != chain[at];
            chain[at] = whole;
        }
        if !moved {
            break;
        }
    }
    chain
}

/// The longest of all chains.
pub fn longest(services: &[Service], own: impl Fn(usize) -> Duration) -> Duration {
    chains(services, own).into_iter().max().unwrap_or_default()
}

/// The services of the longest chain, in the order in which they stop.
pub fn longest_chain(services: &[Service], own: impl Fn(usize) -> Duration) -> Vec<ServiceId> {
    let chain = chains(services, own);
    let length = |at: usize| chain.get(at).copied().unwrap_or_default();
    // The first of those that are equally long, so that the same is named each time.
    let first = |a: usize, b: usize| length(a).cmp(&length(b)).then(b.cmp(&a));
    let mut next = (0..services.len()).max_by(|a, b| first(*a, *b));
    let mut path = Vec::new();
    while let Some(at) = next.filter(|at| !length(*at).is_zero()) {
        path.extend(u16::try_from(at).ok().map(ServiceId));
        let before = services[at].after.iter().map(|id| usize::from(id.0));
        next = before.max_by(|a, b| first(*a, *b));
    }
    path
}

/// What each service gets of the time that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// What it is expected to take, and so many thousandths of the time from there to its deadline.
    Beyond(u16),
    /// So many thousandths of what it is expected to take: not all of them can end in time.
    Within(u16),
}

impl Fit {
    /// How the services are made to fit into `time`, which the battery gives them; `None` where they
    /// need not be.
    pub fn of(time: Duration, span: StopSpan) -> Option<Fit> {
        let share = |part: Duration, of: Duration| {
            let share = part.as_millis() * 1000 / of.as_millis().max(1);
            u16::try_from(share.min(1000)).unwrap_or(1000)
        };
        if time >= span.most {
            return None;
        }
        Some(match time.checked_sub(span.expected) {
            Some(beyond) => Fit::Beyond(share(beyond, span.most.saturating_sub(span.expected))),
            None => Fit::Within(share(time, span.expected)),
        })
    }

    /// What it leaves of a service's deadline. Of all services of a chain together no more than there
    /// is, but for those that get the least.
    pub fn leaves(self, expected: Duration, deadline: Duration) -> Duration {
        let expected = expected.min(deadline);
        let part = |of: Duration, share: u16| of * u32::from(share) / 1000;
        let left = match self {
            Fit::Beyond(share) => expected + part(deadline - expected, share),
            Fit::Within(share) => part(expected, share),
        };
        left.max(LEAST).min(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::samples;
    use proptest::prelude::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn of(tenths: &[u64]) -> StopTimes {
        let mut times = StopTimes::default();
        for tenths in tenths {
            times.see(Some(Duration::from_millis(tenths * 100 - 100)));
        }
        times
    }

    /// Two stops are no knowledge; the longest of three is, with its margin; and a deadline that was
    /// made shorter since is never exceeded.
    #[test]
    fn what_is_learned_of_a_service() {
        let deadline = seconds(10);
        let expected = |times: &StopTimes| times.expected(deadline).0;
        assert_eq!(
            StopTimes::default().expected(deadline),
            (deadline, Basis::TooFew)
        );
        assert_eq!(of(&[4, 4]).expected(deadline), (deadline, Basis::TooFew));
        let longest = Duration::from_millis(800);
        let learned = (Duration::from_millis(2_200), Basis::Learned { longest });
        assert_eq!(of(&[4, 8, 4]).expected(deadline), learned);
        assert_eq!(of(&[4, 8, 4]).expected(seconds(1)).0, seconds(1));
        assert_eq!(expected(&of(&[900, 4, 4])), deadline);
        // It is forgotten once eight others have come.
        assert_eq!(expected(&of(&[80, 1, 1, 1, 1, 1, 1, 1])), deadline);
        let fast = expected(&of(&[80, 1, 1, 1, 1, 1, 1, 1, 1]));
        assert_eq!(fast, Duration::from_millis(1_150));
    }

    /// One that had to be killed counts as its whole deadline, however fast the others were.
    #[test]
    fn a_kill_counts_as_the_deadline() {
        let mut times = of(&[1, 1, 1, 1]);
        times.see(None);
        assert_eq!(times.expected(seconds(9)), (seconds(9), Basis::Killed));
        for _ in 0..7 {
            times.see(Some(Duration::ZERO));
            assert_eq!(times.expected(seconds(9)).1, Basis::Killed);
        }
        times.see(Some(Duration::ZERO));
        assert!(matches!(
            times.expected(seconds(9)).1,
            Basis::Learned { .. }
        ));
        assert_eq!(times.seen().count(), 8);
        // A stop of two hours is no kill.
        times.see(Some(seconds(7_200)));
        assert!(matches!(
            times.expected(seconds(9)).1,
            Basis::Learned { .. }
        ));
    }

    /// The longest chain of services counts, and no more than the budget.
    #[test]
    fn the_longest_chain() {
        let mut services = samples::settings(&["a", "b", "c", "d"], &[]).services;
        // 0 after 3 after 1, and 2 beside them.
        let parts: [(&[u16], u64); 4] = [(&[3], 10), (&[], 5), (&[], 12), (&[1], 7)];
        for (service, (after, stop)) in services.iter_mut().zip(parts) {
            service.after = after.iter().copied().map(ServiceId).collect();
            service.stop_timeout = seconds(stop);
        }
        let own = |at: usize| services[at].stop_timeout;
        assert_eq!(longest(&services, own), seconds(22));
        let path = longest_chain(&services, own);
        assert_eq!(path, [ServiceId(0), ServiceId(3), ServiceId(1)]);
        let expected = longest(&services, own);
        let span = StopSpan {
            expected,
            most: expected,
        };
        assert_eq!(span.runtime(seconds(80)), seconds(22 * 2 + 30));
        assert_eq!(span.runtime(seconds(20)), seconds(20 * 2 + 30));
        assert_eq!(StopSpan::default().runtime(seconds(80)), seconds(30));
        assert_eq!(longest_chain(&services, |_| Duration::ZERO), []);
    }

    proptest! {
        /// Whatever there is, nobody gets more than the deadline, the chain together no more than the
        /// time, but for the least of each, and who has more time never gets less.
        #[test]
        fn what_a_fit_leaves(
            chain in prop::collection::vec((0u64..20_000, 0u64..60_000), 1..6),
            time in 0u64..200_000,
        ) {
            let chain: Vec<_> = chain
                .into_iter()
                .map(|(expected, more)| (expected, expected + more))
                .map(|(a, b)| (Duration::from_millis(a), Duration::from_millis(b)))
                .collect();
            let span = StopSpan {
                expected: chain.iter().map(|c| c.0).sum(),
                most: chain.iter().map(|c| c.1).sum(),
            };
            let time = Duration::from_millis(time);
            let left = |time| {
                let fit = Fit::of(time, span);
                let left = |(e, d): &(Duration, Duration)| fit.map_or(*d, |f| f.leaves(*e, *d));
                chain.iter().map(left).collect::<Vec<_>>()
            };
            let now = left(time);
            prop_assert_eq!(time >= span.most, Fit::of(time, span).is_none());
            for (left, (_, deadline)) in now.iter().zip(&chain) {
                prop_assert!(left <= deadline);
            }
            if Fit::of(time, span).is_some() {
                let beyond: Duration = now.iter().filter(|left| **left > LEAST).sum();
                prop_assert!(beyond <= time, "{beyond:?}");
            }
            for (less, more) in now.iter().zip(left(time + seconds(3))) {
                prop_assert!(*less <= more);
            }
        }
    }
}

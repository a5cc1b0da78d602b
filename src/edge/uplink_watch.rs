//! The uplink thread: has a child look at the way out from time to time, and at when things expire.
//!
//! What it tells of the way out is as old as the child takes, some seconds. Never looks at anything
//! itself but for what the child says, so that neither a resolver nor a parser is ever in this process.

use super::children::Births;
use super::clock;
use super::errand::{self, Hears, Left};
use super::senses::Look;
use super::uplink::{Dated, Errand, Finding, RESOLVER};
use crate::config::{Ends, UplinkPlan};
use crate::core::fact::{Errno, ExpiryId, Fact, Fault, Reading, Source};
use crate::core::settings::{Judged, Network};
use crate::units::Mono;
use crossbeam_channel::Receiver;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Ourselves, whatever has become of our file: another version may take other arguments.
const OURSELVES: &str = "/proc/self/exe";

/// Time between two looks while something is broken, at most. Shorter: who is asked is asked for
/// nothing. Longer: a repair is believed late.
const BROKEN: Duration = Duration::from_secs(60);

/// Time between two looks at what expires. It changes when somebody renews it.
const EXPIRIES: Duration = Duration::from_secs(6 * 3600);

/// Time to the next try where the child could not be had, at most.
const AGAIN: Duration = Duration::from_secs(300);

/// Time for the start of a child, from a card that stalls, beside what those have who are asked.
const START: Duration = Duration::from_secs(30);

/// How long the thread may be at work on one look: those who are asked have 30 s each at most, and
/// [`RESOLVER`].
pub const LONGEST: Duration = Duration::from_secs(180);

/// Bytes that a child may say: a line for each thing that expires.
const SAID: usize = 16 * 1024;

/// What is looked at, and when next.
pub struct UplinkWatch {
    plan: Option<UplinkPlan>,
    /// How what is seen of it is judged.
    network: Option<Network>,
    expiries: Vec<Ends>,
    births: Births,
    due: (Mono, Mono),
    /// What was looked at last is the way out.
    way_last: bool,
    /// Children that looked at the way out, and at what expires, and that are not gone.
    left: (Left, Left),
}

impl UplinkWatch {
    /// Nothing is looked at yet. `way`: what is looked at, and how the core judges it; `births`: where
    /// its children are named.
    pub fn new(
        way: Option<(UplinkPlan, Network)>,
        expiries: Vec<Ends>,
        births: Births,
    ) -> UplinkWatch {
        let due = (Mono(0), Mono(0));
        let (plan, network) = way.unzip();
        UplinkWatch {
            plan,
            network,
            expiries,
            births,
            due,
            way_last: false,
            left: Default::default(),
        }
    }

    /// Whether the way out is looked at now, and what expires: one at a time, since a file may lie on a
    /// disk that hangs. The way out goes first, but not twice.
    fn choose(&mut self, now: Mono) -> (bool, bool) {
        let out = self.plan.is_some() && now >= self.due.0;
        let dates = !self.expiries.is_empty() && now >= self.due.1;
        let dates = dates && (!out || self.way_last);
        let out = out && !dates;
        self.way_last = out;
        (out, dates)
    }

    /// Has looked at what is due. `quit`: closed when we end; then nothing is told of a look that was
    /// under way.
    pub fn look(&mut self, quit: &Receiver<()>) -> Look {
        let now = clock::now();
        let (out, dates) = self.choose(now);
        let errand = Errand {
            plan: self.plan.clone().filter(|_| out),
            files: if dates { self.files() } else { Vec::new() },
        };
        let mut facts = if dates { self.known() } else { Vec::new() };
        let mut broken = false;
        let mut failed = false;
        match self.send(&errand, quit) {
            Ok(findings) => {
                for finding in findings {
                    broken |= is_broken(&finding, self.network.as_ref());
                    facts.extend(self.fact(finding));
                }
            }
            Err(_) if errand::is_over(quit) => {}
            Err(why) => {
                failed = true;
                facts.extend(lost(&errand, &why));
            }
        }
        let every = self.plan.as_ref().map_or(EXPIRIES, |plan| plan.every);
        let next = until_next(every, broken, failed);
        if out {
            self.due.0 = now.after(next);
        }
        if dates {
            self.due.1 = now.after(if failed { AGAIN } else { EXPIRIES });
        }
        let first = match (self.plan.is_some(), self.expiries.is_empty()) {
            (true, true) => self.due.0,
            (true, false) => self.due.0.min(self.due.1),
            (false, _) => self.due.1,
        };
        // Not zero, or it would turn round and round while a clock stands.
        let next = first.since(clock::now()).max(Duration::from_secs(1));
        Look { facts, next }
    }

    fn files(&self) -> Vec<(u16, Dated)> {
        let all = (0u16..).zip(&self.expiries);
        let files = all.filter_map(|(number, ends)| match ends {
            Ends::Certificates(path) => Some((number, Dated::Certificates(path.clone()))),
            Ends::After(path, _) => Some((number, Dated::Written(path.clone()))),
            Ends::On(_) => None,
        });
        files.collect()
    }

    /// What nobody has to look for.
    fn known(&self) -> Vec<Fact> {
        let all = (0u16..).map(ExpiryId).zip(&self.expiries);
        let known = all.filter_map(|(expiry, ends)| match ends {
            Ends::On(ends) => Some(Fact::Seen(Reading::Expiry {
                expiry,
                ends: *ends,
            })),
            Ends::Certificates(_) | Ends::After(..) => None,
        });
        known.collect()
    }

    fn fact(&self, finding: Finding) -> Option<Fact> {
        let (number, found) = match finding {
            Finding::Uplink(uplink) => return Some(Fact::Seen(Reading::Uplink(uplink))),
            Finding::Dated(number, found) => (number, found),
        };
        let expiry = ExpiryId(number);
        Some(match (self.expiries.get(usize::from(number))?, found) {
            (Ends::After(_, lasts), Ok(written)) => Fact::Seen(Reading::Expiry {
                expiry,
                ends: written.later(*lasts),
            }),
            (_, Ok(ends)) => Fact::Seen(Reading::Expiry { expiry, ends }),
            (_, Err(why)) => Fact::Lost {
                source: Source::Expiry(expiry),
                why,
            },
        })
    }

    fn send(&self, errand: &Errand, quit: &Receiver<()>) -> Result<Vec<Finding>, Fault> {
        if errand.plan.is_none() && errand.files.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments = vec!["network".into(), "--errand".into()];
        arguments.extend(errand.arguments());
        let asked = errand
            .plan
            .as_ref()
            .map_or(Duration::ZERO, |p| p.timeout * 3 + RESOLVER);
        let child = errand::Errand {
            program: Path::new(OURSELVES),
            arguments: &arguments,
            sets: None,
            hears: Hears::Output,
            patience: START + asked,
            longest: SAID,
            quit,
        };
        let left = match errand.plan {
            Some(_) => &self.left.0,
            None => &self.left.1,
        };
        let (said, status) = child.run(&self.births, left).map_err(|e| fault(&e))?;
        let said = String::from_utf8_lossy(&said);
        let findings: Option<Vec<Finding>> = said.lines().map(Finding::read).collect();
        findings
            .filter(|_| status.success())
            .ok_or(Fault::Implausible)
    }
}

/// Time until the way out is looked at again.
fn until_next(every: Duration, broken: bool, failed: bool) -> Duration {
    match (broken, failed) {
        (_, true) => every.min(AGAIN),
        (true, false) => every.min(BROKEN),
        (false, false) => every,
    }
}

/// As the core will find it.
fn is_broken(finding: &Finding, network: Option<&Network>) -> bool {
    match (finding, network) {
        (Finding::Uplink(uplink), Some(network)) => {
            matches!(network.judge(uplink), Judged::Broken(..))
        }
        (Finding::Uplink(_), None) | (Finding::Dated(..), _) => false,
    }
}

/// What nothing is known of, since the child could not be had.
fn lost(errand: &Errand, why: &Fault) -> Vec<Fact> {
    let uplink = errand.plan.iter().map(|_| Source::Uplink);
    let files = errand
        .files
        .iter()
        .map(|(n, _)| Source::Expiry(ExpiryId(*n)));
    let all = uplink.chain(files).map(|source| Fact::Lost {
        source,
        why: why.clone(),
    });
    all.collect()
}

fn fault(error: &io::Error) -> Fault {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::TimedOut, _) => Fault::Errno(Errno(libc::ETIMEDOUT)),
        (_, Some(number)) => Fault::Errno(Errno(number)),
        (_, None) => Fault::Errno(Errno(libc::EIO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Found, Step, Uplink};
    use crossbeam_channel::bounded;

    const NETWORK: Network = Network {
        every: Duration::from_secs(300),
        failures: 3,
        handshake: Duration::from_secs(300),
        rungs: Vec::new(),
    };

    #[test]
    fn looks_are_nearer_while_something_is_broken() {
        let (short, long) = (Duration::from_secs(10), Duration::from_secs(3600));
        assert_eq!(until_next(long, false, false), long);
        assert_eq!(until_next(long, true, false), BROKEN);
        assert_eq!(until_next(long, false, true), AGAIN);
        assert_eq!(until_next(short, true, true), short);
        let broken = |uplink| is_broken(&Finding::Uplink(uplink), Some(&NETWORK));
        let mut uplink = Uplink::default();
        uplink.put(Step::Link, Found::Well);
        uplink.put(Step::Name, Found::Unsure);
        assert!(!broken(uplink));
        uplink.put(Step::Name, Found::Silent);
        assert!(broken(uplink));
    }

    /// So they are while the VPN is up and has not heard of its peer for long, which the child calls
    /// well.
    #[test]
    fn looks_are_nearer_while_a_handshake_is_old() {
        let of =
            |age| Finding::read(&format!("uplink link=well vpn=well handshake={age}")).unwrap();
        assert!(!is_broken(&of(300), Some(&NETWORK)));
        assert!(is_broken(&of(900), Some(&NETWORK)));
    }

    /// A child that was given up because we end has lost nothing: what comes after looks anew.
    #[test]
    fn the_end_of_the_daemon_is_no_loss() {
        let (plan, ends) = (None, vec![Ends::Certificates("/a".into())]);
        let mut watch = UplinkWatch::new(plan, ends, errand::tests::births());
        let (ours, quit) = bounded(0);
        drop(ours);
        assert_eq!(watch.look(&quit).facts, []);
    }

    /// The way out is looked at first and alone; what expires waits for one such look, however long
    /// they take.
    #[test]
    fn one_at_a_time() {
        let plan = UplinkPlan {
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            interfaces: Vec::new(),
            name: None,
            vpn: None,
            peer: None,
            ssh: None,
        };
        let births = errand::tests::births;
        let ends = vec![Ends::Certificates("/a".into())];
        let mut watch = UplinkWatch::new(Some((plan.clone(), NETWORK)), ends.clone(), births());
        let (way, dates, neither) = ((true, false), (false, true), (false, false));
        // Both are due all the time.
        let chosen = [(); 4].map(|()| watch.choose(Mono(0)));
        assert_eq!(chosen, [way, dates, way, dates]);
        watch.due = (Mono(5), Mono(9));
        let chosen = [4, 5, 9, 9].map(|now| watch.choose(Mono(now)));
        assert_eq!(chosen, [neither, way, dates, way]);
        let mut alone = UplinkWatch::new(Some((plan, NETWORK)), Vec::new(), births());
        assert_eq!([(); 2].map(|()| alone.choose(Mono(0))), [way, way]);
        let mut files = UplinkWatch::new(None, ends, births());
        assert_eq!([(); 2].map(|()| files.choose(Mono(0))), [dates, dates]);
    }

    /// What a child could not be had for is lost, and nothing else.
    #[test]
    fn what_was_asked_for_is_lost() {
        let errand = Errand {
            plan: None,
            files: vec![(3, Dated::Written("/a".into()))],
        };
        let lost = lost(&errand, &Fault::Absent);
        let source = Source::Expiry(ExpiryId(3));
        let why = Fault::Absent;
        assert_eq!(lost, [Fact::Lost { source, why }]);
    }
}

//! Tells whether somebody stopped a unit, where systemd does not: by the journal.
//!
//! Until that is known a unit that is down counts as on its way down: neither is it started, nor left
//! alone. The journal may lag, so a unit whose newest job is its start is asked for once more.

use super::show::{self, Seen};
use super::{Keeper, clock};
use crate::core::fact::{Errno, Fault, ServiceId, Standing};
use crate::units::Mono;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Time for what systemd has said to arrive in the journal.
const JOURNAL: Duration = Duration::from_millis(250);

/// After this time the journal is asked once more; a start that is still the newest job is believed.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// A journal that has failed for this time is not waited for any longer.
const GIVEN_UP: Duration = Duration::from_secs(15);

/// systemd's command for the journal is not installed.
const NOT_THERE: Fault = Fault::Errno(Errno(libc::ENOENT));

/// The newest jobs of units, as systemd itself has told the journal of this boot.
const JOBS: [&str; 11] = [
    "--quiet",
    "--no-pager",
    "--boot",
    "--reverse",
    "--lines=500",
    "--output=json",
    "--output-fields=UNIT,JOB_TYPE",
    "_PID=1",
    "JOB_TYPE=start",
    "JOB_TYPE=stop",
    "JOB_TYPE=restart",
];

/// What is not known of units that are down, and what was found.
#[derive(Default)]
pub(super) struct Doubts {
    /// Since when it is not known.
    open: BTreeMap<ServiceId, Mono>,
    /// Whether somebody stopped it, of the end at this time of systemd's.
    found: BTreeMap<ServiceId, (u64, bool)>,
    /// We have had it stopped, and it was not seen down since.
    ours: BTreeSet<ServiceId>,
}

impl Doubts {
    /// Something is not known yet.
    pub fn any(&self) -> bool {
        !self.open.is_empty()
    }

    /// We have had it started, or stopped. A halt must not wait for a journal that fails.
    pub fn order(&mut self, service: ServiceId, stop: bool) {
        match stop {
            true => self.ours.insert(service),
            false => self.ours.remove(&service),
        };
    }

    /// Nothing is known of any unit: what is in doubt will be seen anew.
    pub fn put_off(&mut self) {
        self.open.clear();
    }
}

impl Keeper {
    /// Completes what is known of units that are down. What was found once of an end stands.
    pub(super) fn fill_in(&mut self, seen: &mut [Seen]) {
        let mut asked = Vec::new();
        for ((service, _), seen) in self.units.iter().zip(seen.iter_mut()) {
            let (doubtful, blank) = (seen.doubtful, seen.blank);
            let ordered = self.owed.contains(service);
            let found = self.doubts.found.get(service);
            match (&mut seen.standing, self.said.get(service)) {
                (Standing::Down { told, .. }, _)
                    if doubtful && self.doubts.ours.remove(service) =>
                {
                    *told = true;
                    self.doubts.open.remove(service);
                    self.doubts.found.insert(*service, (seen.end, true));
                }
                (Standing::Down { .. }, _) if ordered && doubtful => asked.push((*service, seen)),
                (
                    Standing::Down { exit, told, .. },
                    Some(Standing::Down {
                        exit: before,
                        told: known,
                        ..
                    }),
                ) if blank => (*exit, *told) = (*before, *known),
                (Standing::Down { told, .. }, _) if doubtful => match found {
                    Some((end, known)) if *end == seen.end && !blank => *told = *known,
                    Some(_) | None => asked.push((*service, seen)),
                },
                (standing, _) => {
                    self.doubts.open.remove(service);
                    if matches!(standing, Standing::Down { .. }) {
                        self.doubts.ours.remove(service);
                    }
                }
            }
        }
        if !asked.is_empty() {
            self.ask_journal(asked);
        }
    }

    fn ask_journal(&mut self, asked: Vec<(ServiceId, &mut Seen)>) {
        let Some(systemctl) = self.systemctl.as_mut() else {
            return;
        };
        let now = clock::now();
        std::thread::sleep(JOURNAL);
        let units = asked.iter().map(|(_, seen)| format!("UNIT={}", seen.id));
        let units: Vec<String> = units.collect();
        let arguments = JOBS.iter().copied().chain(units.iter().map(String::as_str));
        let said = systemctl.ask_journal(&arguments.collect::<Vec<_>>());
        let stopped = said.map(|text| show::stopped(&text));
        for (service, seen) in asked {
            let Standing::Down { told, .. } = &mut seen.standing else {
                continue;
            };
            let waited = now.since(*self.doubts.open.entry(service).or_insert(now));
            let newest = stopped.as_ref().map(|all| all.get(&seen.id).copied());
            match known(newest, *told, waited) {
                Some(known) => {
                    *told = known;
                    self.doubts.open.remove(&service);
                    self.doubts.found.insert(service, (seen.end, known));
                }
                None => seen.standing = Standing::Going,
            }
        }
    }
}

/// Whether somebody stopped it, by its newest job: true for a stop, `None` where the journal has none
/// of it. `times`: what the times say, for where nothing is to be had from the journal.
fn known(newest: Result<Option<bool>, &Fault>, times: bool, waited: Duration) -> Option<bool> {
    match newest {
        Ok(Some(true)) => Some(true),
        Ok(Some(false)) => Some(false).filter(|_| waited >= AGAIN),
        Ok(None) => Some(times),
        Err(why) if *why == NOT_THERE || waited >= GIVEN_UP => Some(times),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A start may be older than the stop that the journal has not got yet, and a journal that fails
    /// says nothing; neither is waited for without an end.
    #[test]
    fn what_the_journal_says_counts() {
        let refused = Fault::Errno(Errno(libc::ECANCELED));
        let (none, second) = (Duration::ZERO, AGAIN);
        for times in [true, false] {
            assert_eq!(known(Ok(Some(true)), times, none), Some(true));
            assert_eq!(known(Ok(Some(false)), times, none), None);
            assert_eq!(known(Ok(Some(false)), times, second), Some(false));
            assert_eq!(known(Ok(None), times, none), Some(times));
            assert_eq!(known(Err(&refused), times, second), None);
            assert_eq!(known(Err(&refused), times, GIVEN_UP), Some(times));
            assert_eq!(known(Err(&NOT_THERE), times, none), Some(times));
        }
    }
}

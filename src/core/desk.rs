//! The desk: answers operators, and tells init how we stand.
//!
//! Comes last, so that what it tells is what this pass has found. Never decides anything.

use super::action::{Action, Announcement, Answer};
use super::fact::{Fact, Request};
use super::picture::{Ending, Verdict};
use super::settings::WatchdogOwner;
use super::{Pass, Policy};
use crate::units::Mono;
use std::time::Duration;

/// Least time between two status lines for init. A storm of restarts would otherwise be a storm of
/// messages to PID 1.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// Time between two requests to init for more time, while services are being stopped.
const EXTEND_EVERY: Duration = Duration::from_secs(10);

/// The time that is asked for. It lasts for one request that was lost and a busy machine; and a
/// daemon that hangs in the middle of its end is ended by init when it is over.
const EXTEND_BY: Duration = Duration::from_secs(30);

/// State of the policy.
#[derive(Default)]
pub(crate) struct Desk {
    ready: bool,
    stopping: bool,
    /// The machine is halted, and somebody waits for our own end.
    waited_for: bool,
    told: Option<(u16, u16, Verdict)>,
    told_at: Option<Mono>,
    due: Option<Mono>,
}

impl Desk {
    fn reply(pass: &mut Pass) {
        if let Fact::Asked {
            ticket,
            request: Request::Status,
            ..
        } = pass.fact
        {
            pass.out.push(Action::Reply {
                ticket: *ticket,
                answer: Answer::Status,
            });
        } else if let Some((ticket, answer)) = pass.picture.answer.take() {
            pass.out.push(Action::Reply { ticket, answer });
        } else if let Fact::Asked {
            request: Request::Reload,
            ..
        } = pass.fact
        {
            // It is answered when it is known whether there will be one.
        } else if let Fact::Asked { ticket, .. } = pass.fact {
            // A request about a service that does not exist; the edge checks names, so this is only
            // ever seen when it does not.
            pass.out.push(Action::Reply {
                ticket: *ticket,
                answer: Answer::Already,
            });
        }
    }

    /// We are ready once the first attempt to get the hardware watchdog has ended, either way.
    fn announce_ready(&mut self, pass: &mut Pass) {
        let guarded = match pass.settings.watchdog.owner {
            WatchdogOwner::Systemd | WatchdogOwner::Nobody => matches!(pass.fact, Fact::Tick),
            WatchdogOwner::Fieldwarden => matches!(
                pass.picture.watchdog,
                Verdict::Ok | Verdict::Critical | Verdict::Warn
            ),
        };
        if !self.ready && guarded {
            self.ready = true;
            pass.out.push(Action::Announce(Announcement::Ready));
        }
    }

    /// Init gives the stop of a unit a time of its own, and kills the daemon in the middle of an
    /// ordered stop that takes longer. So it is asked for more for as long as our own budget allows.
    fn announce_need_of_time(&mut self, pass: &mut Pass) {
        let dismissed = pass.picture.halting.is_some_and(|halt| halt.dismissed);
        if !dismissed && !matches!(pass.picture.ending, Ending::Stopping { .. }) {
            self.due = None;
        } else if self.due.is_some_and(|due| due <= pass.now) {
            self.due = Some(pass.now.after(EXTEND_EVERY));
            let extend = Announcement::Extend(EXTEND_BY);
            pass.out.push(Action::Announce(extend));
        }
    }

    fn announce_status(&mut self, pass: &mut Pass) {
        let now = (pass.picture.up, pass.picture.wanted, pass.picture.worst());
        self.due = None;
        if !self.ready || self.told == Some(now) {
            return;
        }
        let free = self.told_at.map_or(pass.now, |at| at.after(STATUS_EVERY));
        if pass.now < free {
            self.due = Some(free);
            return;
        }
        (self.told, self.told_at) = (Some(now), Some(pass.now));
        let (up, wanted, worst) = now;
        let stand_in = pass.picture.stand_in;
        pass.out.push(Action::Announce(Announcement::Status {
            up,
            wanted,
            worst,
            stand_in,
        }));
    }
}

impl Policy for Desk {
    fn step(&mut self, pass: &mut Pass) {
        Self::reply(pass);
        let ends = match pass.picture.ending {
            // Init would take a halt that is cancelled for the end of the daemon.
            Ending::No | Ending::Halting { .. } => false,
            Ending::Stopping { .. } | Ending::Parting { .. } => true,
        };
        if ends {
            if !self.stopping {
                self.stopping = true;
                self.due = Some(pass.now);
                pass.out
                    .push(Action::Announce(match pass.picture.handing_over {
                        true => Announcement::Reloading,
                        false => Announcement::Stopping,
                    }));
            }
            self.announce_need_of_time(pass);
            return;
        }
        if pass.picture.halting.is_some_and(|halt| halt.dismissed) {
            // It goes on to its end, and init must not kill us before.
            if !std::mem::replace(&mut self.waited_for, true) {
                self.due = Some(pass.now);
            }
            self.announce_need_of_time(pass);
            return;
        }
        self.announce_ready(pass);
        self.announce_status(pass);
    }

    fn deadline(&self) -> Option<Mono> {
        self.due
    }
}

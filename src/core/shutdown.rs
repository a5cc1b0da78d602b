//! The end: of the daemon, or of the machine.
//!
//! ```text
//! No ──exit asked──► Stopping ──all down──────────────► Parting ──guard settled──► Exit
//!  │                    └──budget over─► overran ──grace──►┘ ▲        ▲
//!  ├──leave asked────────────────────────────────────────────┘        │ told to end
//!  └──halt asked──► Stopping ► Killing ► Recording ► Syncing ► Asked ─┤
//!        ▲             └─────────┴──mains back: cancel──┘        ▼ no answer
//!     Looking ◄── begun by an earlier boot                    Rescuing ► Forced ◄► WatchdogReset
//! ```
//!
//! Terms: a *halt* turns the machine off or starts it anew; its *rungs* have each a deadline of
//! their own, and missing it leads to the next one; the *point of no return* is the signal to init.
//! Before it a halt is cancelled when mains are back; after it, it ends in a running machine.
//!
//! Never ends while a service is alive, unless told to leave the services or unless what is left
//! does not die of KILL either; never waits for ever; never halts without an ask.

mod drill;
mod escalation;
#[cfg(test)]
mod escalation_tests;
mod fit;
mod halt;
#[cfg(test)]
mod halt_tests;
mod heir;
mod ladder;
mod reload;
#[cfg(test)]
mod tests;
mod told;
#[cfg(test)]
mod told_tests;
mod way_down;

use super::action::{Action, Answer};
use super::fact::{Asker, Fact, Reading, Request};
use super::note::Note;
use super::picture::{Ending, HaltCause};
use super::settings::Settings;
use super::{Pass, Policy};
use crate::units::Mono;
use escalation::Counted;
use halt::{Dismissal, Halt};
use ladder::GRACE;
use reload::Reload;
use std::time::Duration;
use told::Forgetting;
pub use way_down::WayDownStep;

/// Time for the watchdog's last order. Longer would hold up the end for a device that is stuck.
const PARTING: Duration = Duration::from_secs(2);

/// State of the policy.
#[derive(Default)]
pub(crate) struct Shutdown {
    state: State,
    due: Option<Mono>,
    /// Restarts of the machine for the sake of services.
    reboots: Counted,
    /// The board is to forget what it was told before a reset.
    forgetting: Option<Forgetting>,
    /// A reload that was asked for.
    reload: Option<Reload>,
    /// A successor in this process takes over.
    handing_over: bool,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Running,
    Stopping {
        by: Asker,
        until: Mono,
        overran: bool,
    },
    /// The machine is being halted.
    Halting(Halt),
    Parting {
        until: Mono,
        services_left: bool,
        /// It was an exit, and no halt, that came here: what whoever asked for it was promised.
        exit: Option<Dismissal>,
    },
    Over,
}

impl Shutdown {
    fn ask(&mut self, by: Asker, request: &Request, pass: &mut Pass) -> Option<Answer> {
        let leave = match request {
            Request::Exit => false,
            Request::Leave => true,
            Request::Halt(kind) => return Some(self.ask_halt(*kind, by, pass)),
            Request::Drill => return Some(self.ask_drill(by, pass)),
            Request::Status
            | Request::Reload
            | Request::Start(_)
            | Request::Stop(_)
            | Request::Restart(_)
            | Request::Hold { .. }
            | Request::EndHold
            | Request::ShowLed { .. } => return None,
        };
        match self.state {
            State::Running if leave => {
                pass.out.note(Note::Leaving { by });
                self.part(true, pass);
                Some(Answer::Accepted)
            }
            State::Running => {
                let until = pass.now.after(pass.settings.stop_budget);
                self.begin_exit(by, until, pass);
                Some(Answer::Accepted)
            }
            // Init says it once only: whoever is to end while the machine is halted must not miss it.
            State::Halting(halt) => {
                let answer = self.dismiss(halt, by, leave, pass);
                // What it waits for may have come already.
                self.proceed(pass);
                Some(answer)
            }
            // The same again is done already; the other way of ending comes too late.
            State::Stopping { .. } if leave => Some(Answer::Ending),
            State::Parting { services_left, .. } if leave != services_left => Some(Answer::Ending),
            State::Stopping { .. } | State::Parting { .. } => Some(Answer::Already),
            State::Over => Some(Answer::Ending),
        }
    }

    /// The services are to be down by then.
    fn begin_exit(&mut self, by: Asker, until: Mono, pass: &mut Pass) {
        pass.out.note(Note::Ending { by });
        self.state = State::Stopping {
            by,
            until,
            overran: false,
        };
        pass.picture.ending = Ending::Stopping { by, overran: false };
        // The services come before us in a pass: let them see it in one of their own.
        self.due = Some(pass.now);
    }

    fn part(&mut self, services_left: bool, pass: &mut Pass) {
        let until = pass.now.after(PARTING);
        self.state = State::Parting {
            until,
            services_left,
            exit: None,
        };
        pass.picture.ending = Ending::Parting { services_left };
        self.due = Some(until);
    }

    /// The services of an exit are down, or do not end.
    fn part_down(&mut self, pass: &mut Pass) {
        let State::Stopping { by, until, .. } = self.state else {
            return;
        };
        self.part(false, pass);
        if let State::Parting { exit, .. } = &mut self.state {
            *exit = Some(Dismissal {
                by,
                leave: false,
                until,
            });
        }
    }

    /// Goes as far as the state of the services and of the watchdog allows.
    fn proceed(&mut self, pass: &mut Pass) {
        match self.state {
            State::Running => self.due = None,
            State::Over => {}
            State::Halting(halt) => self.climb(halt, pass),
            State::Stopping { .. } if self.seen_by_services(pass) => self.part_down(pass),
            State::Stopping { .. } => self.wait_or_rush(pass),
            State::Parting {
                until,
                services_left,
                ..
            } => {
                if pass.picture.guard_settled || pass.now >= until {
                    self.state = State::Over;
                    self.due = None;
                    pass.out.note(Note::Ended);
                    pass.out.push(match self.handing_over {
                        true => Action::HandOver,
                        false => Action::Exit { services_left },
                    });
                } else {
                    self.due = Some(until);
                }
            }
        }
    }

    /// No service has a process. Before the services have seen the wish to end, some may still be
    /// about to start: then this is not the end.
    fn seen_by_services(&self, pass: &Pass) -> bool {
        pass.picture.alive == 0 && pass.picture.wanted == 0
    }

    fn wait_or_rush(&mut self, pass: &mut Pass) {
        let State::Stopping { by, until, overran } = self.state else {
            return;
        };
        if pass.now < until {
            self.due = Some(until);
        } else if overran {
            self.part_down(pass);
        } else {
            pass.out.note(Note::StopOverran {
                budget: pass.settings.stop_budget,
            });
            self.state = State::Stopping {
                by,
                until: pass.now.after(GRACE),
                overran: true,
            };
            pass.picture.ending = Ending::Stopping { by, overran: true };
            self.due = Some(pass.now);
        }
    }
}

impl Shutdown {
    /// What a power-off for want of mains would come to now, with a battery that lasts for so long.
    pub fn way_down(settings: &Settings, lasts: Option<Duration>) -> Vec<WayDownStep> {
        let cause = match settings.power.ride_through {
            Some(_) => HaltCause::RideThrough,
            None => HaltCause::LowBattery,
        };
        way_down::way_down(cause, settings, lasts)
    }
}

impl Shutdown {
    /// What services get in a halt with a battery that lasts for so long.
    pub fn time_to_stop(settings: &Settings, lasts: Duration) -> Duration {
        ladder::stop_time(settings.stop_budget, Some(lasts))
    }
}

impl Policy for Shutdown {
    fn step(&mut self, pass: &mut Pass) {
        self.count_reboots(pass);
        self.go_on_forgetting(pass);
        if let Fact::Seen(Reading::Marker(left)) = pass.fact {
            self.take_up(left, pass);
        }
        self.hear_ask(pass);
        self.hear_escalation(pass);
        if let Fact::Asked {
            ticket,
            by,
            request,
        } = pass.fact
            && let Some(answer) = self.ask(*by, request, pass)
        {
            pass.picture.answer = Some((*ticket, answer));
            return;
        }
        if let Fact::Asked {
            ticket,
            by,
            request: Request::Reload,
        } = *pass.fact
        {
            self.ask_reload(ticket, by, pass);
        }
        self.go_on_reloading(pass);
        self.proceed(pass);
    }

    fn deadline(&self) -> Option<Mono> {
        let reload = self.reload_due();
        [
            self.due,
            self.counting_until(),
            self.forgetting_due(),
            reload,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

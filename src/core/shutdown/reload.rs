//! A reload: the daemon hands over to a successor in its own process, which reads the configuration
//! anew and takes the services over.
//!
//! ```text
//! asked ──► Checking ──good──► Waiting ──no start under way──► Parting ──► HandOver
//!              │ bad, not checked │ too long, a thread is stuck     (as when it is told to leave)
//!              └────────► refused, nothing has changed ◄────────┘
//! ```
//!
//! Never hands over before the program and the configuration that are to come have proved that they
//! can be used; never while a start is under way, of which nobody would hear; never when the daemon or
//! the machine is about to end. A reload that cannot be is told, and changes nothing.

use super::{Shutdown, State};
use crate::core::Pass;
use crate::core::action::{Action, Answer};
use crate::core::fact::{Asker, Errno, Fact, Fault, OrderId, Reading, Request, Ticket};
use crate::core::note::{Note, ReloadNote, Unready};
use crate::units::Mono;
use std::time::Duration;

/// Time for the check. The edge gives it less, and is only waited for so long if it hangs itself.
const CHECK: Duration = Duration::from_secs(40);

/// Time for the starts that are under way to come to their end. Longer: somebody waits for an answer.
/// A card that stalls holds a start up for longer; then a reload has to wait for another time.
const STARTS: Duration = Duration::from_secs(10);

/// `ETIMEDOUT`: told of a check that does not come to an end.
const ETIMEDOUT: Errno = Errno(110);

/// A reload that was asked for and has not come about yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reload {
    ticket: Ticket,
    by: Asker,
    /// The order to check; `None` once that went well.
    check: Option<OrderId>,
    until: Mono,
}

impl Shutdown {
    /// Answers at once only if there will be none.
    pub(super) fn ask_reload(&mut self, ticket: Ticket, by: Asker, pass: &mut Pass) {
        let at_once = match (self.state, self.reload) {
            (State::Running, None) => {
                let request = Request::Reload;
                pass.out.note(Note::Asked { by, request });
                self.reload = Some(Reload {
                    ticket,
                    by,
                    check: Some(pass.out.push(Action::CheckConfig)),
                    until: pass.now.after(CHECK),
                });
                return;
            }
            (State::Running, Some(_)) => Answer::Already,
            (
                State::Stopping { .. } | State::Halting(_) | State::Parting { .. } | State::Over,
                _,
            ) => Answer::Ending,
        };
        pass.picture.answer = Some((ticket, at_once));
    }

    pub(super) fn go_on_reloading(&mut self, pass: &mut Pass) {
        let Some(reload) = self.reload else { return };
        if !matches!(self.state, State::Running) {
            // Whoever ends the daemon comes first.
            return self.answer_reload(reload, Answer::Ending, pass);
        }
        match (pass.fact, reload.check) {
            (Fact::Seen(Reading::Problems { text }), Some(_)) => {
                self.refuse_reload(reload, Unready::Problems(text.clone()), pass);
            }
            (Fact::Done { order, outcome }, Some(check)) if *order == check => match outcome {
                Ok(()) => {
                    let until = pass.now.after(STARTS);
                    let reload = Reload {
                        check: None,
                        until,
                        ..reload
                    };
                    self.reload = Some(reload);
                    self.hand_over(reload, pass);
                }
                Err(why) => self.refuse_reload(reload, Unready::NotChecked(why.clone()), pass),
            },
            (_, Some(_)) if pass.now >= reload.until => {
                let why = Unready::NotChecked(Fault::Errno(ETIMEDOUT));
                self.refuse_reload(reload, why, pass);
            }
            (_, Some(_)) => {}
            (_, None) => self.hand_over(reload, pass),
        }
    }

    /// When something is due.
    pub(super) fn reload_due(&self) -> Option<Mono> {
        self.reload.map(|reload| reload.until)
    }

    fn hand_over(&mut self, reload: Reload, pass: &mut Pass) {
        // Nobody pets while threads end, and an exec waits for each that the card holds up.
        if let Some(thread) = pass.picture.stuck.or(pass.picture.late) {
            return self.refuse_reload(reload, Unready::Stuck(thread), pass);
        }
        if pass.picture.births > 0 {
            if pass.now >= reload.until {
                self.refuse_reload(reload, Unready::Starting, pass);
            }
            return;
        }
        let by = reload.by;
        pass.out.note(Note::Reload(ReloadNote::HandingOver { by }));
        self.answer_reload(reload, Answer::Accepted, pass);
        self.handing_over = true;
        pass.picture.handing_over = true;
        self.part(true, pass);
    }

    fn refuse_reload(&mut self, reload: Reload, why: Unready, pass: &mut Pass) {
        let note = ReloadNote::ReloadRefused { why: why.clone() };
        pass.out.note(Note::Reload(note));
        self.answer_reload(reload, Answer::Unready(why), pass);
    }

    fn answer_reload(&mut self, reload: Reload, answer: Answer, pass: &mut Pass) {
        if pass.picture.answer.is_some() {
            // One answer in a pass: this one in the next.
            self.reload = Some(Reload {
                until: pass.now,
                ..reload
            });
            return;
        }
        self.reload = None;
        pass.picture.answer = Some((reload.ticket, answer));
    }
}

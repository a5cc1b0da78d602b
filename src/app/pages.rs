//! How everything stands, for those who ask: over the control socket, and as pages of the health
//! endpoint.

use super::Bridge;
use crate::core::action::{Action, Actions, Order};
use crate::core::fact::{Fact, Fault, Request, Ticket};
use crate::edge::health::{HealthOrder, Page, Report, Sheet, Wanted};
use crate::edge::process;
use crate::health::{self, Own};
use crate::status::Status;
use crate::units::Mono;

/// How everything stood when somebody asked.
#[derive(Debug)]
struct Pages(Status);

impl Bridge {
    /// How everything stands, for whoever asks over the control socket.
    pub(super) fn status(&self, now: Mono) -> String {
        Status::of(&self.core, now).to_json()
    }

    /// Tells the health thread how everything stands. It writes the pages itself: what many may ask for
    /// must cost this thread little.
    pub(super) fn report(&self, now: Mono) -> Result<(), Fault> {
        let health = self.queues.health.as_ref().ok_or(Fault::Absent)?;
        let report = Pages(Status::of(&self.core, now));
        health.give(now, HealthOrder::Report(Box::new(report)))
    }
}

impl Bridge {
    /// Who looks at how everything stands, if that is all: the core has nothing else to do now. If it
    /// has, what comes of that belongs into the record as any other pass does.
    pub(super) fn look(&mut self, fact: &Fact, now: Mono) -> Option<Ticket> {
        let Fact::Asked {
            ticket,
            request: Request::Status,
            ..
        } = fact
        else {
            return None;
        };
        let idle = self.core.deadline().is_none_or(|due| due > now);
        idle.then_some(*ticket)
    }
}

/// Nothing came of it but an answer to who looked. It is recorded nowhere: else whoever may look could
/// fill the trace with that until nothing else is in it. A replay numbers orders anew.
pub(super) fn changes_nothing(out: &Actions, looks: Ticket) -> bool {
    let answers =
        |order: &Order| matches!(&order.action, Action::Reply { ticket, .. } if *ticket == looks);
    let silent = out.notes.is_empty() && out.memos.is_empty() && out.pasts.is_empty();
    let silent = silent && out.stops.is_empty();
    silent && out.orders.iter().all(answers)
}

impl Report for Pages {
    fn sheet(&self, wanted: Wanted) -> Sheet {
        let Pages(status) = self;
        let plain = |(good, text)| Sheet {
            good,
            kind: "text/plain; charset=utf-8",
            text,
        };
        match wanted.page {
            Page::Livez => plain(health::livez(status, wanted.verbose)),
            Page::Readyz => plain(health::readyz(status, wanted.verbose)),
            Page::Healthz => plain(health::healthz(status, wanted.verbose)),
            Page::Status => Sheet {
                good: true,
                kind: "application/json",
                text: status.to_json() + "\n",
            },
            Page::Metrics => Sheet {
                good: true,
                kind: match wanted.open_metrics {
                    true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
                    false => "text/plain; version=0.0.4; charset=utf-8",
                },
                text: health::metrics(status, own(), wanted.open_metrics),
            },
        }
    }
}

/// What this process takes.
fn own() -> Option<Own> {
    let (resident, threads) = process::own_use()?;
    Some(Own { resident, threads })
}

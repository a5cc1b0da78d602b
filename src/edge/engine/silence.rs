//! What follows when an engine does not answer: what is not known then, and of whom.
//!
//! An engine answers about one container after what it does with that one is done, so a single one may
//! stay without an answer while all others have theirs. Safe is to know nothing of that one, and to
//! go on with the others. Whether the engine itself is there, a ping tells.

use super::look::{AFTER, IDLE, LEAST, REST};
use super::talk::question;
use super::{Engines, UNANSWERED, What, message};
use crate::core::fact::Fault;
use crate::core::settings::Engine;
use crate::edge::clock;
use crate::units::Mono;
use std::time::Duration;

/// The first ping to a host that has fallen silent comes after this time.
pub(super) const FIRST: Duration = Duration::from_millis(500);

/// Each next one comes after twice as long, up to this.
const LAST: Duration = Duration::from_secs(5);

impl Engines {
    /// A host cannot be reached.
    pub(super) fn cannot_ask(&mut self, host: usize, what: What, why: &Fault) {
        match what {
            What::News => return self.lose_news(host, None),
            What::Ping | What::Look(_) | What::History(_) => {}
            What::Order(at, order, _) => self.done(at, order, Err(UNANSWERED)),
        }
        self.fall_silent(host, why);
    }

    /// A question was asked, and found no answer. That says nothing of other containers, and the host
    /// is asked whether it is there.
    pub(super) fn fail(&mut self, host: usize, what: What, why: &Fault) {
        match what {
            What::News => return self.lose_news(host, None),
            What::Ping => return self.fall_silent(host, why),
            What::Look(at) => {
                self.containers[at].in_sight = false;
                self.say_unknown(at, why);
                if *why == UNANSWERED {
                    self.get_stuck(at);
                }
            }
            What::History(at) => self.say_unknown(at, why),
            What::Order(at, order, _) => self.done(at, order, Err(UNANSWERED)),
        }
        self.ping(host);
    }

    /// Each question that an engine cannot answer may stay with it for good: so they become rare.
    fn get_stuck(&mut self, at: usize) {
        let container = &mut self.containers[at];
        let rest = container.stuck.map_or(AFTER, |rest| (rest * 2).min(IDLE));
        container.stuck = Some(rest);
        container.due = Some(clock::now().after(rest));
    }

    /// Asks a host whether it is there, if that is not asked already.
    pub(super) fn ping(&mut self, host: usize) {
        let asked = |f: &super::Flight| f.host == host && matches!(f.what, What::Ping);
        if !self.flights.iter().any(asked) {
            let ping = question("GET", "/_ping");
            self.ask(host, ping, What::Ping, Some(self.patience.answer));
        }
    }

    /// An engine that ends takes its containers along, or not: those of Podman do not go by whether
    /// somebody answers for them.
    fn lose_containers(&mut self, host: usize) {
        if self.hosts[host].engine == Engine::Docker {
            for container in self.containers.iter_mut().filter(|c| c.host == host) {
                container.lost |= container.was_up;
            }
        }
    }

    /// A host is not there: nothing is known of what it keeps.
    pub(super) fn fall_silent(&mut self, host: usize, why: &Fault) {
        let now = clock::now();
        let own = &mut self.hosts[host];
        own.wait = match own.silent {
            true => (own.wait * 2).min(LAST),
            false => FIRST,
        };
        (own.silent, own.next) = (true, now.after(own.wait));
        self.lose_containers(host);
        let question = |what: &What| match what {
            What::Look(_) | What::History(_) | What::Ping => true,
            What::News | What::Order(..) => false,
        };
        self.flights
            .retain(|flight| flight.host != host || !question(&flight.what));
        for at in 0..self.containers.len() {
            if self.containers[at].host == host {
                self.say_unknown(at, why);
                let container = &mut self.containers[at];
                (container.in_sight, container.stuck, container.due) = (false, None, None);
            }
        }
    }

    /// A host is there.
    pub(super) fn be_heard(&mut self, host: usize) {
        let own = &mut self.hosts[host];
        if std::mem::take(&mut own.silent) {
            (own.next, own.listen, own.rest) = (Mono(0), Mono(0), REST.0);
        }
    }

    /// The news of a host have ended, or cannot be had.
    pub(super) fn lose_news(&mut self, host: usize, answer: Option<(u16, &[u8])>) {
        let now = clock::now();
        if self.hosts[host].heard {
            // It may have ended, and somebody else may take its questions until it is there again.
            self.lose_containers(host);
        }
        let own = &mut self.hosts[host];
        if let Some((status, body)) = answer.filter(|(status, _)| *status != 200) {
            let said = message(body);
            log::warn!(
                "{} gives no events (status {status}: {said}): its containers are looked at every {} s",
                own.socket.display(),
                self.patience.deaf.as_secs()
            );
            own.rest = REST.1;
        }
        own.heard = false;
        own.listen = now.after(own.rest);
        own.rest = (own.rest * 2).min(REST.1);
        // It may be gone altogether.
        own.next = own.next.min(now.after(LEAST));
    }
}

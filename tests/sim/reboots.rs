//! Restarts of the machine for the sake of services: the invariant E1, over all lives and boots.

use crate::checks::View;
use fieldwarden::core::action::Action;
use fieldwarden::core::fact::{Fact, HaltKind, OrderId};
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::HaltCause;
use fieldwarden::core::reboots::{LONG, MOST, Reboots};
use fieldwarden::core::settings::Settings;
use std::time::Duration;

/// What is remembered of all boots.
#[derive(Default)]
pub struct Machine {
    restarts: Vec<u64>,
    /// What the card tells of them, as far as that was confirmed.
    card: Reboots,
    /// A record that is on its way, and what it tells of them.
    record: Option<(OrderId, Reboots)>,
}

impl Machine {
    /// Another daemon: it numbers its orders anew.
    pub fn new_life(&mut self) {
        self.record = None;
    }

    /// E1: the machine is never restarted for services more often within its window than it may be, nor
    /// on battery, nor too soon, nor before that is written down, nor where nothing that is written
    /// outlives a boot; and init is asked for that only after it was decided.
    pub fn restarts_are_counted(
        &mut self,
        v: &View,
        settings: &Settings,
        forgets: bool,
    ) -> Result<(), String> {
        self.hear(v);
        for note in v.notes {
            if matches!(note, Note::MachineRestarting { .. }) {
                self.one_more(v, settings, forgets)?;
            }
        }
        let halting = v.core.picture().halting;
        let ours = halting.is_some_and(|h| h.cause == HaltCause::Services);
        let asked = v.orders.iter().any(|order| match order.action {
            Action::AskInit { kind } | Action::ForceHalt { kind } => kind != HaltKind::Reboot,
            _ => false,
        });
        match ours && (asked || self.restarts.is_empty()) {
            true => Err("E1: a halt for services that nobody decided".to_owned()),
            false => Ok(()),
        }
    }

    fn hear(&mut self, v: &View) {
        if let (Fact::Done { order, outcome }, Some((record, tells))) = (v.fact, self.record)
            && *order == record
            && outcome.is_ok()
        {
            self.card = tells;
        }
        for order in v.orders {
            if let Action::Record(marker) = order.action {
                self.record = Some((order.id, marker.reboots));
            }
        }
    }

    fn one_more(&mut self, v: &View, settings: &Settings, forgets: bool) -> Result<(), String> {
        let s = &settings.reboots;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if v.now < millis(s.uptime) || v.core.picture().mains == Some(false) {
            return Err("E1: the machine is restarted on battery, or too soon".to_owned());
        }
        if forgets {
            return Err("E1: the machine is restarted, and nobody will know of it".to_owned());
        }
        self.restarts.push(v.now);
        for (most, window) in [(s.most as usize, s.window), (MOST, LONG)] {
            let young = |at: &&u64| v.now - **at < millis(window);
            let within = self.restarts.iter().filter(young).count();
            if within > most {
                return Err(format!("E1: {within} restarts of the machine for services"));
            }
        }
        // No run lasts as long as that is kept.
        let counted = self.card.ages().count();
        match counted < self.restarts.len() {
            true => Err(format!("E1: the card tells of {counted} restarts only")),
            false => Ok(()),
        }
    }
}

//! Restarts of the machine for the sake of services: the invariant E1, over all lives and boots.

use crate::checks::View;
use fieldwarden::core::action::Action;
use fieldwarden::core::fact::HaltKind;
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::HaltCause;
use fieldwarden::core::reboots::{LONG, MOST};
use fieldwarden::core::settings::Settings;

/// What is remembered of all boots.
#[derive(Default)]
pub struct Machine {
    restarts: Vec<u64>,
}

impl Machine {
    /// E1: the machine is never restarted for services more often within its window than it may be, nor
    /// on battery, nor too soon; and init is asked for that only after it was decided.
    pub fn restarts_are_counted(&mut self, v: &View, settings: &Settings) -> Result<(), String> {
        let s = &settings.reboots;
        for note in v.notes {
            let Note::MachineRestarting { .. } = note else {
                continue;
            };
            let uptime = u64::try_from(s.uptime.as_millis()).unwrap_or(u64::MAX);
            if v.now < uptime || v.core.picture().mains == Some(false) {
                return Err("E1: the machine is restarted on battery, or too soon".to_owned());
            }
            self.restarts.push(v.now);
            for (most, window) in [(s.most as usize, s.window), (MOST, LONG)] {
                let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
                let young = |at: &&u64| v.now - **at < window;
                let within = self.restarts.iter().filter(young).count();
                if within > most {
                    return Err(format!("E1: {within} restarts of the machine for services"));
                }
            }
        }
        let halting = v.core.picture().halting;
        let ours = halting.is_some_and(|h| h.cause == HaltCause::Services);
        let asked = v.orders.iter().any(|order| match order.action {
            Action::AskInit { kind } => kind != HaltKind::Reboot,
            _ => false,
        });
        match ours && (asked || self.restarts.is_empty()) {
            true => Err("E1: a halt for services that nobody decided".to_owned()),
            false => Ok(()),
        }
    }
}

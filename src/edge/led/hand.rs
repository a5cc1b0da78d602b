//! A rhythm that is carried out by hand: one change of the light after the other.

use super::Lamp;
use crate::core::fact::Fault;
use crate::core::light::{Flash, LedState};
use crate::units::Mono;
use std::time::Duration;

/// The rhythm that is being carried out, if there is one.
#[derive(Default)]
pub(super) struct Hand(Option<Playing>);

struct Playing {
    state: LedState,
    /// Which flash of the rhythm.
    at: usize,
    lit: bool,
    /// When the light changes next.
    due: Mono,
    /// When the state has lasted for long enough without being ordered again.
    until: Option<Mono>,
}

impl Playing {
    fn flash(&self) -> Flash {
        let flashes = self.state.rhythm().0;
        flashes.get(self.at).copied().unwrap_or(flashes[0])
    }

    /// The other light, from when this one is over.
    fn turn(&mut self, now: Mono) {
        if self.lit {
            self.lit = false;
        } else {
            self.lit = true;
            self.at = (self.at + 1) % self.state.rhythm().0.len();
        }
        // From when it was due, so that it keeps its pace; unless that is long ago.
        let from = match now.since(self.due) > self.length() {
            true => now,
            false => self.due,
        };
        self.due = from.after(self.length());
    }

    /// How long the present light lasts.
    fn length(&self) -> Duration {
        let flash = self.flash();
        let millis = if self.lit { flash.lit } else { flash.dark };
        Duration::from_millis(millis.into())
    }
}

impl Hand {
    /// Begins this rhythm; one that is under way goes on.
    pub fn show(&mut self, state: LedState, now: Mono, lamp: &mut dyn Lamp) -> Result<(), Fault> {
        let until = state.lasts().map(|time| now.after(time));
        if let Some(playing) = self.0.as_mut().filter(|p| p.state == state) {
            playing.until = until;
            return Ok(());
        }
        self.0 = None;
        lamp.set(true)?;
        let mut playing = Playing {
            state,
            at: 0,
            lit: true,
            due: now,
            until,
        };
        playing.due = now.after(playing.length());
        self.0 = Some(playing);
        Ok(())
    }

    /// When the light changes next.
    pub fn due(&self) -> Option<Mono> {
        let playing = self.0.as_ref()?;
        Some(playing.until.map_or(playing.due, |u| u.min(playing.due)))
    }

    /// Changes the light if that is due, and ends what has lasted for long enough. A lamp that refuses
    /// is left as it is; the next order tells of it.
    pub fn go_on(&mut self, now: Mono, lamp: &mut dyn Lamp) {
        let Some(playing) = &mut self.0 else { return };
        if playing.until.is_some_and(|until| now >= until) {
            self.0 = None;
            let _ = lamp.set(false);
            return;
        }
        if now >= playing.due {
            playing.turn(now);
            if lamp.set(playing.lit).is_err() {
                self.0 = None;
            }
        }
    }

    /// Nothing is carried out any more; the light stays as it is.
    pub fn rest(&mut self) {
        self.0 = None;
    }

    /// Nobody will change the light any more: a machine that goes down stays lit, so that it is told
    /// from one that is off, and anything else is dark.
    pub fn end(&mut self, lamp: &mut dyn Lamp) {
        if let Some(playing) = self.0.take() {
            let _ = lamp.set(playing.state.lasts().is_none());
        }
    }
}

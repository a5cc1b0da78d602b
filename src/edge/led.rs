//! The LED thread: has the status LED show what the core orders.
//!
//! Terms: a lamp carries a rhythm out *by itself*, as one of the kernel's LED class does, or it is
//! switched *by hand*: then this thread wakes up for each change.
//!
//! What is shown ends by itself when it was not ordered anew for as long as it lasts, whoever carries
//! it out. Never decides what is shown, and never holds up anybody: a driver that takes its time, such
//! as that of an LED behind a firmware, makes this thread late and nothing else.

pub mod class;
mod hand;
pub mod line;
pub mod list;

use super::clock;
use super::inbox::Inbox;
use super::orders::{Next, Work};
use crate::core::fact::{Fact, Fault, OrderId};
use crate::core::light::{LedState, Light};
use crate::units::Mono;
use hand::Hand;

/// What the LED thread can be told to do.
pub struct LedOrder {
    /// To be quoted in the outcome.
    pub order: OrderId,
    /// What to show.
    pub light: Light,
}

/// Who changes the light in the rhythm of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    /// The lamp, for as long as the state lasts.
    ByItself,
    /// Whoever has it.
    ByHand,
}

/// An LED.
pub trait Lamp: Send {
    /// Begins to show a state, or goes on for as long as it lasts from now on.
    ///
    /// # Errors
    /// Why it cannot; [`Fault::Taken`] if somebody else has it, and then it is left alone.
    fn show(&mut self, state: LedState) -> Result<Carried, Fault>;

    /// Is lit, or dark, by hand. Only after [`Lamp::show`] has asked for that.
    ///
    /// # Errors
    /// What its driver said.
    fn set(&mut self, lit: bool) -> Result<(), Fault>;

    /// Is again what it was before it was ours; does nothing if it is not.
    ///
    /// # Errors
    /// What its driver said.
    fn release(&mut self) -> Result<(), Fault>;
}

/// A lamp and what it shows.
pub struct Show {
    lamp: Box<dyn Lamp>,
    hand: Hand,
}

impl Show {
    /// A lamp that nobody has touched yet.
    pub fn of(lamp: Box<dyn Lamp>) -> Show {
        Show {
            lamp,
            hand: Hand::default(),
        }
    }

    /// Does what is ordered.
    ///
    /// # Errors
    /// What the lamp said.
    pub fn light(&mut self, light: Light, now: Mono) -> Result<(), Fault> {
        let state = match light {
            Light::Show(state) => state,
            Light::Release => {
                self.hand.rest();
                return self.lamp.release();
            }
        };
        match self.lamp.show(state) {
            Ok(Carried::ByHand) => self.hand.show(state, now, &mut *self.lamp),
            Ok(Carried::ByItself) => {
                self.hand.rest();
                Ok(())
            }
            Err(why) => {
                self.hand.rest();
                Err(why)
            }
        }
    }

    /// When the light is to be changed by hand; `None`: no hand is needed.
    pub fn due(&self) -> Option<Mono> {
        self.hand.due()
    }

    /// Changes it, if that is due.
    pub fn go_on(&mut self, now: Mono) {
        self.hand.go_on(now, &mut *self.lamp);
    }

    /// Nobody will change it any more.
    pub fn end(mut self) {
        self.hand.end(&mut *self.lamp);
    }
}

/// Carries out orders until nobody gives any.
pub fn run(lamp: Box<dyn Lamp>, work: &Work<LedOrder>, inbox: &Inbox) {
    let mut show = Show::of(lamp);
    loop {
        let now = clock::now();
        let next = match show.due() {
            // Nobody is told of it: whoever looks whether this thread is late would wake up for it. One
            // that hangs at it is late with its next order.
            Some(due) => work.next_within(clock::wait(due.since(now))),
            None => work.wait().map_or(Next::Closed, Next::Order),
        };
        let now = clock::now();
        match next {
            Next::Order(LedOrder { order, light }) => {
                let outcome = show.light(light, now);
                inbox.send(Fact::Done { order, outcome });
                work.finish(clock::now());
            }
            Next::Nothing => show.go_on(now),
            Next::Closed => return show.end(),
        }
    }
}

//! The status LED without a daemon: shows what somebody wants to see, and gives it back.

use super::AppError;
use super::crew::lamp;
use crate::config::Config;
use crate::core::fact::Fault;
use crate::core::light::{LedState, Light};
use crate::edge::clock;
use crate::edge::hardware::Hardware;
use crate::edge::led::Show;
use crate::edge::places::Places;
use crate::text::fault_sentence;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest sleep: somebody who presses Ctrl-C waits no longer for the LED to be given back.
const STEP: Duration = Duration::from_millis(100);

/// Signals that end a demonstration.
const ENDS: [i32; 2] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];

/// An LED while it shows what somebody wants to see.
pub struct Demonstration {
    show: Show,
    title: Box<str>,
    ended: Arc<AtomicBool>,
}

impl Demonstration {
    /// Takes the LED that this configuration names.
    ///
    /// # Errors
    /// When there is none.
    pub fn begin(config: &Config) -> Result<Demonstration, AppError> {
        let wiring = &config.wiring;
        let plan = wiring.led.as_ref().filter(|_| !wiring.board.simulated);
        let plan = plan.ok_or(AppError::NoLed)?;
        let ended = Arc::new(AtomicBool::new(false));
        for signal in ENDS {
            signal_hook::flag::register(signal, ended.clone())
                .map_err(AppError::kernel("signals"))?;
        }
        let places = Places::new(&wiring.runtime_dir);
        let hardware = Hardware::of_this_machine();
        lamp::give_back(lamp::left_behind(Some(plan), &places, &hardware));
        let lamp = lamp::real(plan, &places, &hardware);
        Ok(Demonstration {
            show: Show::of(lamp),
            title: plan.title(),
            ended,
        })
    }

    /// Shows a state from now on.
    ///
    /// # Errors
    /// Why the LED does not take it.
    pub fn show(&mut self, state: LedState) -> Result<(), AppError> {
        let shown = self.show.light(Light::Show(state), clock::now());
        shown.map_err(|why| self.failed(&why))
    }

    /// Goes on for so long, or until it is interrupted.
    ///
    /// # Errors
    /// It was interrupted; then the LED has been given back.
    pub fn wait(&mut self, time: Duration) -> Result<(), AppError> {
        let until = clock::now().after(time);
        loop {
            let now = clock::now();
            if self.ended.load(Ordering::Relaxed) {
                self.release()?;
                return Err(AppError::LedInterrupted);
            }
            if now >= until {
                return Ok(());
            }
            self.show.go_on(now);
            let next = self.show.due().unwrap_or(until).min(until);
            std::thread::sleep(next.since(now).min(STEP));
        }
    }

    /// Gives it back.
    ///
    /// # Errors
    /// Why it does not take that.
    pub fn end(mut self) -> Result<(), AppError> {
        self.release()
    }

    fn release(&mut self) -> Result<(), AppError> {
        let given = self.show.light(Light::Release, clock::now());
        given.map_err(|why| self.failed(&why))
    }

    fn failed(&self, why: &Fault) -> AppError {
        AppError::Led {
            title: self.title.clone(),
            why: fault_sentence(why),
        }
    }
}

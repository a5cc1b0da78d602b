//! What follows when the daemon has lived for a while.

use super::hands::Hands;
use crate::app::AppError;
use crate::config::Config;
use crate::edge::config_copy::{self, ConfigCopies};
use crate::edge::starts;
use crate::edge::{process, program_text};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// By then the start is over, even of a thousand services. Until then memory is not locked: that would
/// take a tenth of a small start, and nothing is paged out this early.
const START: Duration = Duration::from_secs(3);

impl Hands {
    /// When the start is over, memory is put in order; a daemon that lives for long enough proves that
    /// its configuration can be lived with, and then that resets have helped.
    pub(super) fn man_stability(
        &mut self,
        config: &Config,
        (own_process, copies): (bool, Option<ConfigCopies>),
        quit: &Receiver<()>,
    ) -> Result<(), AppError> {
        let resets = config.wiring.state_dir.join("resets");
        let quit = quit.clone();
        self.man("stability", move || {
            let lives = |time| quit.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if let Some(copies) = &copies {
                copies.keep_here();
            }
            if !lives(START) {
                return;
            }
            if own_process {
                settle_memory();
            }
            if !lives(config_copy::PROVEN) {
                return;
            }
            if let Some(copies) = copies {
                copies.keep_lasting();
            }
            if lives(starts::STABLE) {
                starts::forget_resets(&resets);
            }
        })
    }
}

/// Memory of the process that is ours stays where it is, but for what only the start has needed.
fn settle_memory() {
    program_text::let_go();
    process::give_back_heap();
    if let Err(e) = process::lock_memory() {
        log::warn!("memory is not locked: {e}; raise LimitMEMLOCK= of the unit");
    }
    program_text::keep();
}

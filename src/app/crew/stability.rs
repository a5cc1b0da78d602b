//! What follows when the daemon has lived for a while.

use super::hands::Hands;
use crate::app::AppError;
use crate::config::Config;
use crate::edge::config_copy::{self, ConfigCopies, USUAL_STATE};
use crate::edge::places::Places;
use crate::edge::program_text;
use crate::edge::starts;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// By then the start is over, even of a thousand services. Until then memory is not locked: that would
/// take a tenth of a small start, and nothing is paged out this early.
const START: Duration = Duration::from_secs(3);

/// The configuration of the machine's own daemon.
const MACHINES_CONFIG: &str = "/etc/fieldwarden/fieldwarden.toml";

/// Copies of what is in force. A file of somebody's own has none where the machine's is looked for.
pub(super) fn copies(text: Option<File>, config: &Config, places: &Places) -> Option<ConfigCopies> {
    let machines = config.source.name() == MACHINES_CONFIG;
    let usual = machines.then_some(Path::new(USUAL_STATE));
    text.map(|text| ConfigCopies::new(places, &config.wiring.state_dir, usual, text))
}

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
            let settle = if own_process {
                program_text::settle
            } else {
                || ()
            };
            grow_old(lives, copies, settle, &resets);
        })
    }
}

/// `lives`: waits for so long, and tells whether the daemon has lived through that.
fn grow_old(
    lives: impl Fn(Duration) -> bool,
    copies: Option<ConfigCopies>,
    settle: fn(),
    resets: &Path,
) {
    if let Some(copies) = &copies {
        copies.keep_here();
    }
    if !lives(START) {
        return;
    }
    settle();
    if !lives(config_copy::PROVEN) {
        return;
    }
    if let Some(copies) = copies {
        copies.keep_lasting();
        settle();
    }
    if lives(starts::STABLE) {
        starts::forget_resets(resets);
        settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::fs;
    use std::io::Write;

    /// A copy for this boot is there at once, the one that outlives it only when the daemon has lived
    /// with its configuration for a minute, and resets are forgotten later still.
    #[test]
    fn each_comes_in_its_time() {
        for lived in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let (state, resets) = (dir.path().join("state"), dir.path().join("resets"));
            fs::create_dir(&state).unwrap();
            fs::write(&resets, "1").unwrap();
            let mut text = tempfile::tempfile().unwrap();
            text.write_all(b"head\nbody").unwrap();
            let places = Places::new(dir.path());
            let copies = ConfigCopies::new(&places, &state, None, text);
            let (here, lasting) = (config_copy::here(&places), config_copy::lasting(&state));
            let seen = RefCell::new(Vec::new());
            let lives = |time| {
                let there = [&here, &lasting, &resets].map(|path| path.exists());
                seen.borrow_mut().push((time, there));
                seen.borrow().len() <= lived
            };
            grow_old(lives, Some(copies), || (), &resets);
            let wanted = [
                (START, [true, false, true]),
                (config_copy::PROVEN, [true, false, true]),
                (starts::STABLE, [true, true, true]),
            ];
            assert_eq!(*seen.borrow(), wanted[..wanted.len().min(lived + 1)]);
            assert_eq!((lasting.exists(), resets.exists()), (lived >= 2, lived < 3));
        }
    }
}

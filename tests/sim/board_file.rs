//! The file of a board that no shipped file describes: a chip of its own tells of mains by a register,
//! or is told ahead of a power-off to cut the power.

use fieldwarden::core::settings::CutAhead;
use std::fmt::Write as _;

/// Address of that chip.
pub const ADDRESS: u8 = 0x2d;

/// The bits that tell of mains, and what the others of their register are.
pub const MASK: u8 = 0x20;
pub const OTHERS: u8 = 0x05;

/// What a seed adds to a board.
pub struct Extras {
    /// The chip is told ahead of a power-off.
    pub cut: Option<CutAhead>,
    /// It tells of mains: the bits are set while mains are there, or the other way round.
    pub mains: Option<bool>,
}

impl Extras {
    /// The text of the file of a board that has them instead of what `source` gives it.
    pub fn file(&self, source: &str) -> Option<String> {
        if self.cut.is_none() && self.mains.is_none() {
            return None;
        }
        let mut file = String::new();
        let mut kept = true;
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with('[') {
                let replaced = self.cut.is_some() && line.starts_with("[cut.")
                    || self.mains.is_some() && line.starts_with("[mains.");
                kept = !replaced;
            }
            if kept && !line.is_empty() {
                file.push_str(line);
                file.push('\n');
            }
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            file,
            "[chip.mcu]\ndriver = \"registers\"\naddress = {ADDRESS}"
        );
        if let Some(set) = self.mains {
            let present = if set { MASK } else { 0 };
            let _ = writeln!(
                file,
                "[mains.register]\nchip = \"mcu\"\nregister = 2\nmask = {MASK}\npresent = {present}"
            );
        }
        if let Some(cut) = self.cut {
            let delay = cut.delay.as_secs();
            let _ = writeln!(
                file,
                "[cut.register]\nchip = \"mcu\"\nregister = 1\nvalue = 0x55\ndelay = \"{delay}s\""
            );
            if cut.can_be_cancelled {
                file.push_str("cancel = 0\n");
            }
        }
        Some(file)
    }
}

//! `check`: all that is wrong with a configuration, and all that this machine lacks for it.

use super::printer::{Printer, tell, tell_line};
use crate::config::{self, Board, Problem};
use crate::edge::watchdog_look;
use crate::error::Error;
use std::path::Path;

/// Shows every problem on standard error and a summary on standard output.
///
/// # Errors
/// When the configuration cannot be used. Warnings are no errors.
pub fn check(path: &Path, out: &mut Printer) -> Result<(), Error> {
    let loaded = match config::load(path) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(&problems.to_string());
            return Err(Error::SaidConfig);
        }
    };
    let mut warnings = loaded.warnings;
    warnings.extend(config::check_machine(
        &loaded.config,
        watchdog_look::runs(Path::new("/")),
    ));
    show(&warnings);
    let services = counted(loaded.config.settings.services.len(), "service");
    let found = match warnings.len() {
        0 => "no problems".to_owned(),
        n => counted(n, "warning"),
    };
    out.line(&format!(
        "{}: can be used; {services}, {found}",
        path.display()
    ))?;
    board(&loaded.config.wiring.board, out)
}

/// Which board it is, where its file was found, and what no program can do for its owner.
fn board(board: &Board, out: &mut Printer) -> Result<(), Error> {
    if board.name == "none" || board.simulated {
        return Ok(());
    }
    out.line(&format!("board: {}, from {}", board.title, board.origin))?;
    for advice in &board.advice {
        out.line(&format!("  {advice}"))?;
    }
    Ok(())
}

fn show(warnings: &[Problem]) {
    for warning in warnings {
        tell_line(&warning.to_string());
    }
}

fn counted(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

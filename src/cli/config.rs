//! `config`: what holds and where it comes from, the sample, and the schema for editors.

use super::boards;
use super::printer::{Printer, tell, tell_line};
use super::remote::Daemon;
use crate::config::{self, Config};
use crate::edge::control::TakenUp;
use crate::error::Error;
use crate::status::StandInStatus;
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  fieldwarden config show              what the files say together
  fieldwarden config show --effective  with all that holds by default
  fieldwarden config show --running    what the daemon that runs has taken up
  fieldwarden config sample            every key, commented
  fieldwarden config schema > fieldwarden.schema.json";

/// What is wanted.
#[derive(Subcommand, Debug)]
pub enum Wanted {
    /// Show the configuration as one text, each value with its file and line
    Show {
        /// Configuration, or its directory
        #[arg(value_name = "PATH", default_value = super::CONFIG)]
        config: PathBuf,
        /// With what holds without being given
        #[arg(long)]
        effective: bool,
        /// What the daemon that runs has taken up, with its board, without the values of environment
        /// variables
        #[arg(long, conflicts_with = "config")]
        running: bool,
    },
    /// Print a configuration that has every key with its meaning and its default
    Sample,
    /// Print the JSON schema of the configuration, for editors (`#:schema`)
    Schema,
}

/// Shows it.
pub fn config(wanted: &Wanted, daemon: &Daemon, out: &mut Printer) -> Result<(), Error> {
    match wanted {
        Wanted::Show {
            effective,
            running: true,
            ..
        } => running(daemon, *effective, out),
        Wanted::Show {
            config, effective, ..
        } => show(config, *effective, out),
        Wanted::Sample => Ok(out.put(&config::sample())?),
        Wanted::Schema => Ok(out.put(&config::json_schema())?),
    }
}

fn show(path: &Path, effective: bool, out: &mut Printer) -> Result<(), Error> {
    match config::load(path) {
        Ok(loaded) => Ok(out.put(&config::effective(&loaded.config, effective))?),
        Err(problems) => {
            tell(&problems.to_string());
            Err(Error::SaidConfig)
        }
    }
}

/// What the daemon says that it goes by.
fn running(daemon: &Daemon, effective: bool, out: &mut Printer) -> Result<(), Error> {
    let (about, bundle) = daemon.running()?;
    let stand_in = daemon.status()?.daemon.stand_in;
    let config = bundle.load()?.config;
    Ok(out.put(&taken_up(&about, stand_in, config, effective))?)
}

/// The same as a page, in which everything that is no setting is a comment.
fn taken_up(
    about: &TakenUp,
    stand_in: Option<StandInStatus>,
    mut config: Config,
    effective: bool,
) -> String {
    let mut head = format!("what the daemon that runs goes by, of {}\n", about.config);
    let directory = || format!("its runtime directory is {}", about.runtime_dir);
    if let Some(stand_in) = stand_in {
        let by = match (&stand_in.taken, stand_in.is_elsewhere()) {
            (Some(taken), _) => format!("it is a copy of {taken}"),
            (None, true) => directory(),
            (None, false) => "it is what is left in safe mode".to_owned(),
        };
        head.push_str(&format!("{by}, because of {}\n", stand_in.problem));
    } else if Path::new(&about.runtime_dir) != config.wiring.runtime_dir {
        head.push_str(&format!("{}\n", directory()));
    }
    let settings = config::effective_without_secrets(&config, effective);
    let mut page = comment(&head) + &settings;
    let board = &mut config.wiring.board;
    if board.name != "none" && !board.simulated {
        board.origin.clone_from(&about.board_from);
        page.push('\n');
        page.push_str(&comment(&boards::shown(board)));
    }
    page
}

fn comment(text: &str) -> String {
    let line = |line: &str| format!("{}\n", format!("# {line}").trim_end());
    text.lines().map(line).collect()
}

/// Explains a key.
pub fn explain(key: &str, out: &mut Printer) -> Result<(), Error> {
    match config::explain(key) {
        Ok(text) => Ok(out.put(&text)?),
        Err(why) => {
            tell_line(&format!("fieldwarden: {why}"));
            Err(Error::Said)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in force is told with its files and lines, with what the file of the board says and
    /// where that was found; and it can be used as a configuration again.
    #[test]
    fn what_is_taken_up_is_told_with_its_board() {
        let text = "board = \"x728\"\n[service.web]\ncommand = [\"/bin/web\"]\nenvironment = { A = \"b\" }\n";
        let config = config::parse("/etc/f.toml", text).unwrap().config;
        let about = TakenUp {
            config: "/etc/f.toml".to_owned(),
            runtime_dir: "/run/elsewhere".to_owned(),
            decides_directory: true,
            board_from: "/etc/fieldwarden/boards/x728.toml".to_owned(),
        };
        let stand_in = StandInStatus {
            goes_by: "copy".to_owned(),
            taken: Some("2026-11-01 10:00".to_owned()),
            problem: "a mistake".into(),
        };
        for effective in [false, true] {
            let page = taken_up(&about, Some(stand_in.clone()), config.clone(), effective);
            for part in [
                "# it is a copy of 2026-11-01 10:00, because of a mistake\n",
                "board = \"x728\"",
                "# /etc/f.toml:1\n",
                "environment.A = \"(hidden)\"",
                "#   file        /etc/fieldwarden/boards/x728.toml\n",
                "# pins that nothing else can have\n",
            ] {
                assert!(page.contains(part), "{part}: {page}");
            }
            let again = config::parse("again", &page).unwrap().config;
            assert_eq!(again.settings, config.settings);
        }
        let page = taken_up(&about, None, config, false);
        assert!(
            page.contains("# its runtime directory is /run/elsewhere\n"),
            "{page}"
        );
    }
}

//! `config`: what holds and where it comes from, the sample, and the schema for editors.

use super::printer::{Printer, tell, tell_line};
use crate::config;
use crate::error::Error;
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  fieldwarden config show              what the files say together
  fieldwarden config show --effective  with all that holds by default
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
    },
    /// Print a configuration that has every key with its meaning and its default
    Sample,
    /// Print the JSON schema of the configuration, for editors (`#:schema`)
    Schema,
}

/// Shows it.
pub fn config(wanted: &Wanted, out: &mut Printer) -> Result<(), Error> {
    match wanted {
        Wanted::Show { config, effective } => show(config, *effective, out),
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

//! Picks a subcommand and turns an error into an exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    fieldwarden::cli::main(std::env::args_os())
}

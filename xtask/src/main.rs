//! The project's own commands: `cargo xtask COMMAND`.

mod bench;
mod fuzz;
mod man;
mod suite;
mod torture;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every test there is, after installing what they need
    Test(suite::TestArgs),
    /// Run the simulator with very many seeds, in an optimised build
    Torture(torture::TortureArgs),
    /// Run the daemon in virtual machines with systemd and a real watchdog device
    Vm(vm::VmArgs),
    /// Feed what reads foreign bytes with inputs that look for new ways through it
    Fuzz(fuzz::FuzzArgs),
    /// Measure the daemon beside a one-thread program that does nothing but restart
    Bench(bench::BenchArgs),
    /// Write the manual pages in docs/man anew
    Man(man::ManArgs),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test(arguments) => suite::run(&arguments),
        Command::Torture(arguments) => torture::run(&arguments),
        Command::Vm(arguments) => vm::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

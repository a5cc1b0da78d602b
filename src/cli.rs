//! The command line: what can be asked for, in words.
//!
//! Data goes to standard output, everything else to standard error. When nobody reads any more
//! (`| head`), a command ends quietly.

mod act;
mod boards;
mod bundle;
mod check;
mod config;
mod daemon;
mod drill;
mod explain;
mod hold;
mod led;
mod logs;
mod look;
mod network;
mod notify;
mod past;
mod power;
mod printer;
mod probe;
mod reach;
mod reload;
mod reload_plan;
mod remote;
mod replay;
mod taking_up;
mod why;

use crate::demo::services::run as demo_service;
use crate::error::{Error, RUNTIME_DIR};
use clap::{Args, CommandFactory, Parser, Subcommand};
use printer::Printer;
use remote::Daemon;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Where the configuration is unless somebody says otherwise.
const CONFIG: &str = "/etc/fieldwarden/fieldwarden.toml";

/// Where the journal is unless somebody says otherwise.
const JOURNAL: &str = "/var/lib/fieldwarden/journal";

/// Names the runtime directory where no option does.
const RUNTIME_DIR_VARIABLE: &str = "FIELDWARDEN_RUNTIME_DIR";

/// Keeps a Raspberry Pi alive that nobody can walk up to: pets its hardware watchdog, runs and
/// restarts its services, and tells how everything stands.
#[derive(Parser, Debug)]
#[command(name = "fieldwarden", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    /// Directory in which the daemon keeps its socket
    /// [default: /run/fieldwarden, or $FIELDWARDEN_RUNTIME_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    runtime_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  fieldwarden demo                   see what it does, on a simulated board
  fieldwarden check my.toml          find all mistakes in a configuration
  fieldwarden check --explain watchdog.timeout  what is this key for?
  fieldwarden config show            what holds, and where it comes from
  fieldwarden boards show x728       how is this board wired, what can it do?
  fieldwarden status                 how does everything stand?
  fieldwarden events --follow        what happens?
  fieldwarden events --journal       what happened before the last reboot?
  fieldwarden logs web --follow      what does this service write?
  fieldwarden why                    why did this machine start anew?
  fieldwarden why web                why does this service not run?
  fieldwarden tree                   which services lean on which?
  fieldwarden explain 0x50005        what do these throttle flags mean?
  fieldwarden led show               what does the LED mean?
  fieldwarden bundle                 what to send to who is to help
  fieldwarden network                which step of the way out is broken?
  fieldwarden restart web            restart a service and wait until it is up
  fieldwarden reload                 take up a changed configuration, or an upgrade
  fieldwarden hold 30m --reason tests  work on it, with nothing escalated
  fieldwarden drill watchdog         does the watchdog really bite?

Exit codes: 0 done, 1 failed, 2 wrong use, 69 the daemon is not running, 77 not permitted,
78 the configuration is wrong, 130 the demo was interrupted";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the daemon (systemd does this)
    Run {
        /// Configuration
        #[arg(long, value_name = "PATH", default_value = CONFIG)]
        config: PathBuf,
    },
    /// Show what fieldwarden does, on a simulated board; needs no rights, touches nothing
    Demo {
        /// How many times as fast as real time the board lives, 1 to 10
        #[arg(long, value_name = "N", default_value_t = 1)]
        speed: u32,
        /// A screen with keys, to break things yourself
        #[arg(long)]
        interactive: bool,
    },
    /// Find all mistakes in a configuration, and what this machine lacks for it
    Check {
        /// Configuration
        #[arg(value_name = "PATH", default_value = CONFIG)]
        config: PathBuf,
        /// The same, as the daemon takes it
        #[arg(
            long = "config",
            value_name = "PATH",
            hide = true,
            conflicts_with = "config"
        )]
        named: Option<PathBuf>,
        /// Explain a key instead, such as watchdog.timeout or service.NAME.restart
        #[arg(long, value_name = "KEY")]
        explain: Option<String>,
    },
    /// Show what holds and where it comes from, every key, or the schema for editors
    #[command(after_help = config::EXAMPLES)]
    Config {
        #[command(subcommand)]
        what: config::Wanted,
    },
    /// Tell what is known of boards: wiring, pins, what each can and cannot do
    #[command(after_help = boards::EXAMPLES)]
    Boards {
        #[command(subcommand)]
        what: boards::Wanted,
    },
    /// Tell how everything stands
    Status {
        /// For programs: one JSON object, described in docs/control.md
        #[arg(long)]
        json: bool,
        /// Show it again every two seconds, until Ctrl-C
        #[arg(long, conflicts_with = "json")]
        watch: bool,
    },
    /// Tell what the machine runs on, who says so, and what comes if mains stay away
    #[command(args_conflicts_with_subcommands = true)]
    Power {
        /// For programs: one JSON object, described in docs/control.md; null where nothing tells
        #[arg(long)]
        json: bool,
        #[command(subcommand)]
        what: Option<power::Wanted>,
    },
    /// Tell what happened
    Events {
        /// Go on with what happens from now on, until Ctrl-C
        #[arg(long, short)]
        follow: bool,
        /// For programs: one JSON object per line, described in docs/formats.md
        #[arg(long)]
        json: bool,
        /// How many past events; the daemon keeps 256 at hand
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
        last: u32,
        /// From the durable journal: those of earlier boots as well, and without a daemon
        /// [default DIR: /var/lib/fieldwarden/journal]
        #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = JOURNAL,
              conflicts_with = "follow")]
        journal: Option<PathBuf>,
    },
    /// Show what services wrote last
    #[command(after_help = logs::EXAMPLES)]
    Logs(logs::Wanted),
    /// Tell why this machine started anew, or why a service is as it is
    #[command(after_help = why::WHY_EXAMPLES)]
    Why(why::Wanted),
    /// Show which services lean on which, each with its state
    #[command(after_help = why::TREE_EXAMPLES)]
    Tree {
        /// Services to begin with, by name; all that nobody leans on if there is none
        #[arg(value_name = "SERVICE")]
        services: Vec<String>,
        /// Upside down: below a service stand those that lean on it
        #[arg(long, short)]
        up: bool,
    },
    /// Print the whole journal, one JSON object per line
    Export {
        /// Its directory
        #[arg(value_name = "DIR", default_value = JOURNAL)]
        journal: PathBuf,
    },
    /// Pack what somebody needs who is to help from afar, without secrets
    ///
    /// The configuration without what may be secret, the journal, why the last boots ended, the status,
    /// what the kernel tells, and what `check` finds. What cannot be read is listed with the reason, so
    /// there is an archive of a machine that is half dead, too; where it cannot be written, it goes to
    /// memory.
    #[command(after_help = bundle::EXAMPLES)]
    Bundle(bundle::Wanted),
    /// Explain the throttle flags of a Raspberry Pi, bit by bit; needs no daemon
    #[command(after_help = explain::EXAMPLES)]
    Explain {
        /// Flags as `vcgencmd get_throttled` or `fieldwarden status` tell them: 0x50005,
        /// throttled=0x50005, or a decimal number
        #[arg(value_name = "FLAGS", value_parser = explain::flags)]
        flags: explain::Asked,
    },
    /// See what the status LED shows, or have it show something
    #[command(after_help = led::EXAMPLES)]
    Led {
        #[command(subcommand)]
        what: led::Led,
    },
    /// Run the decisions of a recorded trace again and show where they differ
    Replay {
        /// Trace, for example /run/fieldwarden/trace
        #[arg(value_name = "FILE")]
        trace: PathBuf,
        /// `recorded`, or a configuration to try instead
        #[arg(long, value_name = "recorded|PATH", default_value = "recorded")]
        settings: PathBuf,
    },
    /// Start services, and wait until they are up
    #[command(after_help = "Example: fieldwarden start database web")]
    Start(Act),
    /// Stop services, and wait until they are down
    #[command(after_help = "Example: fieldwarden stop web --no-wait")]
    Stop(Act),
    /// Restart services, and wait until they are up again
    #[command(after_help = "Example: fieldwarden restart database web --timeout 2m")]
    Restart(Act),
    /// Read the configuration anew, or take up a program that was installed; only what changed restarts
    ///
    /// The program that is installed checks the configuration first; one that cannot be used changes
    /// nothing. Then it takes the place of the daemon, in the same process: services run on, but for
    /// those that are configured otherwise than they were started, and the watchdog is petted on.
    #[command(after_help = reload::EXAMPLES)]
    Reload(reload::Reload),
    /// Have nothing escalated for a while, because you work on this machine
    ///
    /// While a hold is in force, services that keep failing are restarted as always, and are not given
    /// up; their groups do not start anew, and this machine is not restarted for their sake. The
    /// hardware watchdog is petted as ever, and what power and heat ask for is done. A hold outlives
    /// the daemon, and ends with its time or with the boot; then failures count again, from none.
    #[command(after_help = hold::EXAMPLES)]
    Hold(hold::Hold),
    /// Try out what guards this machine, for real
    #[command(after_help = drill::EXAMPLES)]
    Drill {
        #[command(subcommand)]
        what: drill::Drill,
    },
    /// Say something to whoever runs this service: that it is ready, alive, about to end
    #[command(after_help = notify::EXAMPLES)]
    Notify(notify::Notify),
    /// Halt this machine: services in order, file systems synced, then init
    #[command(after_help = "Example: fieldwarden halt poweroff")]
    Halt {
        /// How it ends
        #[arg(value_name = "KIND", value_parser = ["poweroff", "reboot"])]
        kind: String,
    },
    /// What systemd runs in the last moment of a shutdown
    #[command(hide = true)]
    LastWords {
        /// What it is about to do
        action: String,
    },
    /// Look at the way out of this machine, from inside outwards
    #[command(after_help = network::EXAMPLES)]
    Network(network::Asked),
    /// Try to connect to these, and end with the number of the first that is reached, or with 0
    #[command(hide = true)]
    Reach(reach::Asked),
    /// One of the services of the demo
    #[command(hide = true)]
    DemoService {
        /// Which
        name: String,
    },
}

#[derive(Args, Debug)]
struct Act {
    /// Services, by name
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Only ask for it
    #[arg(long)]
    no_wait: bool,
    /// How long to wait, for example 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    timeout: Duration,
}

/// A duration as people write it.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<jiff::SignedDuration, _> = text.parse();
    parsed
        .ok()
        .and_then(|d| Duration::try_from(d).ok())
        .ok_or_else(|| "write a number with its unit, such as 500ms, 90s or 2m".to_owned())
}

/// The command line as a description, for whoever writes about it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The daemon as init starts it. To make the table of all commands first, with all their words, would
/// take a sixth of that start, and 120 KiB of stack and heap that are never needed again.
fn daemon_alone(args: &[OsString]) -> Option<Cli> {
    let (command, config) = match args {
        [_, command] => (command, OsStr::new(CONFIG)),
        [_, command, option, config] if option == "--config" => (command, config.as_os_str()),
        _ => return None,
    };
    // What may be an option, or a mistake, is for the table.
    let plain = !config.is_empty() && !config.as_encoded_bytes().starts_with(b"-");
    (command == "run" && plain).then(|| Cli {
        runtime_dir: None,
        command: Command::Run {
            config: config.into(),
        },
    })
}

/// Runs the command that the arguments name, the first of which is the program's own name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let cli = match daemon_alone(&args).map_or_else(|| Cli::try_parse_from(args), Ok) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are asked for and end well; nobody minds if they are not read.
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    let outcome = match obey(cli) {
        Ok(Next::Daemon(config, runtime_dir)) => daemon::run(&config, runtime_dir),
        Ok(Next::End(code)) => Ok(code),
        Err(e) => Err(e),
    };
    match outcome {
        Ok(code) => code,
        Err(e) => {
            // A terminal may have vanished, and the exit code says it too.
            let _ = match &e {
                Error::Said | Error::SaidConfig => Ok(()),
                Error::Config(problems) => write!(io::stderr(), "{problems}"),
                other => writeln!(io::stderr(), "fieldwarden: {other}"),
            };
            e.exit_code()
        }
    }
}

/// What follows when a command was obeyed.
enum Next {
    End(ExitCode),
    /// Become the daemon, with this configuration and runtime directory. Not in there: what all
    /// commands together need of the stack would lie under it, locked in memory.
    Daemon(PathBuf, Option<PathBuf>),
}

#[inline(never)]
fn obey(cli: Cli) -> Result<Next, Error> {
    let dir = || chosen_dir(cli.runtime_dir.clone()).unwrap_or_else(|| RUNTIME_DIR.into());
    let daemon = || Daemon::new(dir());
    let mut out = Printer::new();
    match cli.command {
        Command::Run { config } => {
            return Ok(Next::Daemon(config, chosen_dir(cli.runtime_dir)));
        }
        Command::Demo { speed, interactive } => {
            return daemon::demo(speed, interactive).map(Next::End);
        }
        Command::DemoService { name } => return Ok(Next::End(demo_service(&name))),
        Command::Config { what } => config::config(&what, &daemon(), &mut out)?,
        Command::Boards { what } => boards::boards(&what, &dir(), &mut out)?,
        Command::Check {
            config,
            named,
            explain,
        } => check::asked((config, named, explain), cli.runtime_dir, &mut out)?,
        Command::Power { json, what } => power::power(&daemon(), (&what, json), &mut out)?,
        Command::Status { json, watch } => look::asked(&daemon(), (json, watch), &mut out)?,
        Command::Events {
            journal: Some(dir),
            json,
            last,
            ..
        } => past::events(&dir, json, last, &mut out)?,
        Command::Events {
            follow,
            json,
            last,
            journal: None,
        } => {
            look::events(&daemon(), follow, json, last, &mut out)?;
        }
        Command::Logs(wanted) => logs::logs(&dir(), &daemon(), &wanted, &mut out)?,
        Command::Why(wanted) => why::asked(&daemon(), &wanted, &mut out)?,
        Command::Tree { services, up } => why::tree(&daemon(), &services, up, &mut out)?,
        Command::Explain { flags } => explain::explain(flags, &mut out)?,
        Command::Led { what } => led::led(&daemon(), &what, &mut out)?,
        Command::Export { journal } => past::export(&journal, &mut out)?,
        Command::Bundle(wanted) => {
            bundle::bundle(&wanted, chosen_dir(cli.runtime_dir.clone()), &mut out)?;
        }
        Command::Replay { trace, settings } => replay::replay(&trace, &settings, &mut out)?,
        Command::Start(order) => act::act(&daemon(), act::Verb::Start, &order, &mut out)?,
        Command::Stop(order) => act::act(&daemon(), act::Verb::Stop, &order, &mut out)?,
        Command::Notify(what) => notify::notify(&what)?,
        Command::Drill { what } => drill::drill(&daemon(), &what, &mut out)?,
        Command::Hold(wanted) => hold::hold(&daemon(), &wanted, &mut out)?,
        Command::Reload(wanted) => reload::reload(&daemon(), &wanted, &mut out)?,
        Command::Halt { kind } => act::halt(&daemon(), &kind, &mut out)?,
        Command::LastWords { action } => last_words(&action, cli.runtime_dir.clone(), &mut out)?,
        Command::Network(asked) => return network::network(&asked, &mut out).map(Next::End),
        Command::Reach(asked) => return Ok(Next::End(reach::try_all(&asked))),
        Command::Restart(order) => act::act(&daemon(), act::Verb::Restart, &order, &mut out)?,
    }
    Ok(Next::End(ExitCode::SUCCESS))
}

/// The hook of systemd's last moments. Unless told where, it looks where a daemon may have worked.
fn last_words(action: &str, dir: Option<PathBuf>, out: &mut Printer) -> Result<(), Error> {
    let dirs = match chosen_dir(dir) {
        Some(dir) => vec![dir],
        None => daemon::REFUGES.map(PathBuf::from).to_vec(),
    };
    Ok(out.line(&crate::app::last_words::say(action, &dirs, CONFIG.as_ref()))?)
}

/// The runtime directory that the option names, or else the environment.
fn chosen_dir(option: Option<PathBuf>) -> Option<PathBuf> {
    let variable = std::env::var_os(RUNTIME_DIR_VARIABLE);
    option.or_else(|| variable.filter(|v| !v.is_empty()).map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The short way understands what it takes as the table does, and leaves everything else to it.
    #[test]
    fn the_short_way_is_the_same_way() {
        let short = [&["run"][..], &["run", "--config", "/a b.toml"]];
        let long = [
            &[][..],
            &["runs"],
            &["run", "--config"],
            &["run", "--config", ""],
            &["run", "--config", "-x"],
            &["run", "--config=x"],
            &["run", "--runtime-dir", "x"],
            &["check", "--config", "x"],
        ];
        let words = |line: &[&str]| -> Vec<OsString> {
            let own = std::iter::once(&"fieldwarden");
            own.chain(line).map(OsString::from).collect()
        };
        for line in short {
            let args = words(line);
            let by_table = format!("{:?}", Cli::try_parse_from(&args).unwrap());
            assert_eq!(format!("{:?}", daemon_alone(&args).unwrap()), by_table);
        }
        for line in long {
            assert!(daemon_alone(&words(line)).is_none(), "{line:?}");
        }
    }
}

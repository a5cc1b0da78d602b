//! Other supervisors that Debian packages and that need no configuration beyond a directory.
//!
//! Their run scripts are the child itself (`#!CHILD ARGUMENT`), which is their best case: the usual
//! `#!/bin/sh` costs another exec.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use super::contestant::{Contestant, Setup, Stop};

/// Those that are below this root.
pub fn found(root: &Path) -> Vec<Contestant> {
    let all = [
        (
            "runit",
            "runsvdir",
            Stop {
                signal: Signal::SIGHUP,
                command: None,
            },
        ),
        (
            "s6",
            "s6-svscan",
            Stop {
                signal: Signal::SIGTERM,
                command: None,
            },
        ),
        (
            "daemontools",
            "svscan",
            Stop {
                signal: Signal::SIGTERM,
                command: Some(end_all),
            },
        ),
    ];
    let present = all
        .into_iter()
        .filter(|(_, program, _)| at(root, program).exists())
        // Debian's s6-svscan executes /usr/bin/s6-supervise, wherever it lies itself.
        .filter(|(name, _, _)| *name != "s6" || root == Path::new("/"));
    present
        .map(|(name, program, stop)| peer(root, name, program, stop))
        .collect()
}

fn at(root: &Path, program: &str) -> std::path::PathBuf {
    root.join("usr/bin").join(program)
}

fn peer(root: &Path, name: &'static str, program: &str, stop: Stop) -> Contestant {
    let mut path = OsString::from(root.join("usr/bin"));
    path.push(":/usr/bin:/bin");
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let mut environment = vec![("PATH".into(), path)];
    if root != Path::new("/") && libraries.is_dir() {
        environment.push(("LD_LIBRARY_PATH".into(), libraries.into()));
    }
    Contestant {
        name,
        program: at(root, program),
        arguments: match name {
            "s6" => |setup| {
                // It takes 500 services unless told otherwise.
                let services = setup.directory.join("services");
                vec!["-c".into(), "2000".into(), services.into()]
            },
            _ => |setup| vec![setup.directory.join("services").into()],
        },
        environment,
        configure: run_scripts,
        stop,
        paces_crash_loops: true,
    }
}

fn run_scripts(setup: &Setup) -> Result<()> {
    for (i, argument) in setup.arguments.iter().enumerate() {
        let directory = setup.directory.join(format!("services/c{i}"));
        fs::create_dir_all(&directory).context("making a service directory")?;
        let script = directory.join("run");
        fs::write(&script, format!("#!{} {argument}\n", setup.child.display()))
            .and_then(|()| fs::set_permissions(&script, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("writing {}", script.display()))?;
    }
    // runsvdir does not trust a directory that was changed within this second, and would wait.
    let services = fs::File::open(setup.directory.join("services"));
    services
        .and_then(|directory| directory.set_modified(SystemTime::UNIX_EPOCH))
        .context("making the service directory look old")
}

/// svscan leaves its supervisors running; this brings them and their services down.
fn end_all(setup: &Setup) -> Vec<OsString> {
    let services =
        (0..setup.arguments.len()).map(|i| setup.directory.join(format!("services/c{i}")));
    let command = ["svc".into(), "-dx".into()];
    command
        .into_iter()
        .chain(services.map(OsString::from))
        .collect()
}

//! The program that takes over in this process: the one that stands now where ours was started from.
//!
//! Never returns from an exec that went well; after one that did not, this program starts anew
//! instead, by the copy that the kernel keeps of it, and goes on.

use super::foreign;
use super::luggage;
use super::process;
use super::systemd::Environment;
use nix::unistd::execve;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The variable in which a program that goes on in its own place finds why.
pub const REFUSED: &str = "FIELDWARDEN_REFUSED";

/// The variable in which a check finds the runtime directory that a configuration has to name.
pub const DIRECTORY: &str = "FIELDWARDEN_DIRECTORY_IN_FORCE";

/// The program that is running now, whatever has become of its file.
const OURSELVES: &str = "/proc/self/exe";

/// How this program was started, so that the next one can be.
#[derive(Clone, Debug)]
pub struct Successor {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    /// The configuration that it will read.
    config: PathBuf,
    /// The runtime directory that it has to name: in another one nobody finds what runs. `None` where
    /// it does not decide that.
    directory: Option<PathBuf>,
}

impl Successor {
    /// The one of this process, which reads this configuration. `directory`: the runtime directory that
    /// it has to name, if it has to. `None` where the kernel does not say what this program is.
    pub fn of_this_process(
        environment: &Environment,
        config: &Path,
        directory: Option<PathBuf>,
    ) -> Option<Successor> {
        let arguments: Vec<OsString> = env::args_os().collect();
        Some(Successor {
            program: started_from(arguments.first()?, environment.get("PATH"))?,
            arguments,
            environment: environment.for_successor(),
            config: config.to_owned(),
            directory,
        })
    }

    /// The file of the program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The configuration that it will read.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The runtime directory that this has to name, if it has to.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Puts it into the place of this program, with the luggage. Signals are to be blocked, and all
    /// threads to have ended: the kernel ends those that are left. Returns only if that failed.
    pub fn take_over(&self) -> io::Error {
        foreign::leave();
        let luggage = match luggage::pack() {
            Ok(number) => number.to_string(),
            Err(e) => return e,
        };
        process::close_down();
        let handed = (OsString::from(luggage::VARIABLE), luggage.into());
        let refused = self.exec(&self.program, std::slice::from_ref(&handed));
        log::error!(
            "{}: {refused}: the successor cannot take over; going on with this program",
            self.program.display()
        );
        super::logging::flush();
        let said = (OsString::from(REFUSED), refused.to_string().into());
        self.exec(Path::new(OURSELVES), &[handed, said])
    }

    fn exec(&self, program: &Path, more: &[(OsString, OsString)]) -> io::Error {
        let variable = |(name, value): &(OsString, OsString)| {
            let mut bytes = name.as_bytes().to_vec();
            bytes.push(b'=');
            bytes.extend_from_slice(value.as_bytes());
            CString::new(bytes)
        };
        let text = |text: &OsStr| CString::new(text.as_bytes());
        let program = text(program.as_os_str());
        let arguments: Result<Vec<_>, _> = self.arguments.iter().map(|a| text(a)).collect();
        let variables = self.environment.iter().chain(more).map(variable);
        let variables: Result<Vec<_>, _> = variables.collect();
        match (program, arguments, variables) {
            (Ok(program), Ok(arguments), Ok(variables)) => {
                match execve(&program, &arguments, &variables) {
                    Ok(never) => match never {},
                    Err(errno) => errno.into(),
                }
            }
            // The kernel gave us none of these with a zero byte in it.
            _ => io::ErrorKind::InvalidInput.into(),
        }
    }
}

/// Where the program was started from, by its first argument as a shell reads it: there an upgrade puts
/// the next one. What the kernel says instead is the file that we are, even if that is gone.
fn started_from(first: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    let named = PathBuf::from(first);
    let found = match first.as_bytes().contains(&b'/') {
        true => std::path::absolute(&named)
            .ok()
            .filter(|path| path.exists()),
        false => {
            let directories = env::split_paths(path.unwrap_or_default());
            let mut candidates = directories.map(|directory| directory.join(&named));
            candidates.find(|path| path.is_absolute() && path.is_file())
        }
    };
    found.or_else(|| env::current_exe().ok())
}

/// Reads what a predecessor has left in the environment of this process.
pub fn take_up(environment: &Environment) {
    let text = |name| environment.get(name).map(|value| value.to_string_lossy());
    if let Some(number) = text(luggage::VARIABLE) {
        luggage::unpack(&number);
    }
    if let Some(why) = text(REFUSED) {
        log::error!("the successor could not take over ({why}); the old program goes on");
    }
}

impl Environment {
    /// What a successor is given: all that we were, but for what our predecessor has left us.
    fn for_successor(&self) -> Vec<(OsString, OsString)> {
        let ours = |name: &OsStr| name == luggage::VARIABLE || name == REFUSED;
        let all = self.all().iter().filter(|(name, _)| !ours(name));
        let copy = |text: &OsString| OsString::from_vec(text.as_bytes().to_vec());
        all.map(|(name, value)| (copy(name), copy(value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where it was started from is found as a shell finds it.
    #[test]
    fn it_is_found_where_it_was_started_from() {
        let from = |first: &str, path: Option<&str>| {
            started_from(OsStr::new(first), path.map(OsStr::new)).unwrap()
        };
        assert_eq!(from("/bin/sh", None), Path::new("/bin/sh"));
        assert_eq!(from("sh", Some("/none:/bin")), Path::new("/bin/sh"));
        let here = env::current_exe().unwrap();
        for (first, path) in [("/none/sh", None), ("sh", None), ("sh", Some("none:/none"))] {
            assert_eq!(from(first, path), here);
        }
    }

    /// A successor is started as we were, and not with what was left to us.
    #[test]
    fn the_next_one_finds_what_we_found() {
        let pair = |name: &str| (OsString::from(name), OsString::from("1"));
        let all = ["NOTIFY_SOCKET", "HOME", luggage::VARIABLE, REFUSED].map(pair);
        let environment: Environment = all.into_iter().collect();
        let given = environment.for_successor();
        assert_eq!(given, ["NOTIFY_SOCKET", "HOME"].map(pair));
        let children = environment.for_children();
        assert_eq!(children, [pair("HOME")]);
    }
}

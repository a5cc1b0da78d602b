//! A daemon of the built binary on a simulated board, in a directory of its own.
//!
//! Whatever a test leaves running is ended with the rig: the daemon, and the services that it started,
//! each known by its number and start time.

use fieldwarden::status::{ServiceStatus, Status};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time for anything that a test waits for. A machine that is busy with virtual machines is slow;
/// nothing that works takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// One daemon after another in the same directory.
pub struct Rig {
    dir: TempDir,
    daemon: Option<Child>,
}

impl Rig {
    /// A rig whose configuration holds these services.
    pub fn new(services: &str) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let rig = Rig { dir, daemon: None };
        rig.configure(services);
        rig
    }

    /// Replaces the configuration; a daemon that runs does not notice.
    pub fn configure(&self, services: &str) {
        let root = self.dir.path().display();
        let text = format!(
            "board = \"sim\"\nruntime_dir = \"{root}/run\"\nstate_dir = \"{root}/state\"\n\
             cgroup = \"none\"\n{services}"
        );
        fs::write(self.path("fieldwarden.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a daemon and waits until it answers.
    pub fn start(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        self.start_with(log.into());
    }

    /// The same, with its standard error led there.
    pub fn start_with(&mut self, errors: Stdio) {
        let child = self.command().stderr(errors).spawn().unwrap();
        self.daemon = Some(child);
        self.until("the daemon answers", |rig| rig.ask("status").is_some());
    }

    /// The same, as an init would that listens there.
    pub fn start_by_init(&mut self, socket: &std::path::Path, errors: Stdio) {
        let mut command = self.command();
        command.env("NOTIFY_SOCKET", socket).stderr(errors);
        self.daemon = Some(command.spawn().unwrap());
        self.until("the daemon answers", |rig| rig.ask("status").is_some());
    }

    /// Events of this kind in the journal, as lines of JSON.
    pub fn journaled(&self, event: &str) -> Vec<String> {
        let event = format!("\"event\":\"{event}\"");
        let files = fs::read_dir(self.path("state/journal")).into_iter();
        let texts = files
            .flatten()
            .flatten()
            .map(|f| fs::read_to_string(f.path()).unwrap());
        let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        lines.filter(|line| line.contains(&event)).collect()
    }

    /// Starts a daemon of another file than usual, and waits until it answers.
    pub fn start_program(&mut self, program: &std::path::Path) {
        let log = fs::File::create(self.path("log")).unwrap();
        let child = self.command_of(program).stderr(log).spawn().unwrap();
        self.daemon = Some(child);
        self.until("the daemon answers", |rig| rig.ask("status").is_some());
    }

    /// `fieldwarden run` for this rig.
    pub fn command(&self) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_fieldwarden").as_ref())
    }

    fn command_of(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new(program);
        command
            .arg("run")
            .arg("--config")
            .arg(self.path("fieldwarden.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let daemon = self.daemon.as_ref().expect("no daemon");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(daemon.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits until the daemon has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().expect("no daemon");
        let begin = Instant::now();
        loop {
            if let Some(status) = daemon.try_wait().unwrap() {
                return status;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "the daemon does not end\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks over the control socket; `None` while there is nobody.
    pub fn ask(&self, request: &str) -> Option<serde_json::Value> {
        self.ask_about(request, None)
    }

    pub fn ask_about(&self, request: &str, service: Option<&str>) -> Option<serde_json::Value> {
        let service = service
            .map(|s| format!(",\"service\":\"{s}\""))
            .unwrap_or_default();
        self.ask_with(request, &service)
    }

    /// `rest` are the other keys, each behind a comma.
    pub fn ask_with(&self, request: &str, rest: &str) -> Option<serde_json::Value> {
        let mut stream = UnixStream::connect(self.path("run/control.sock")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        writeln!(stream, "{{\"v\":1,\"request\":\"{request}\"{rest}}}").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    pub fn status(&self) -> Status {
        let answer = self.ask("status").expect("no daemon answers");
        serde_json::from_value(answer["status"].clone()).unwrap()
    }

    pub fn service(&self, name: &str) -> ServiceStatus {
        self.status()
            .services
            .into_iter()
            .find(|s| s.name == name)
            .expect("no such service")
    }

    /// The main process of a service that is up.
    pub fn up(&self, name: &str) -> u32 {
        self.until(&format!("{name} is up"), |rig| {
            rig.service(name).state == "up"
        });
        self.service(name).pid.unwrap()
    }

    /// Waits for something to come true.
    pub fn until(&self, what: &str, come_true: impl Fn(&Rig) -> bool) {
        let begin = Instant::now();
        while !come_true(self) {
            assert!(begin.elapsed() < PATIENCE, "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Lines of the trace that contain this.
    pub fn traced(&self, what: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path("run/trace")).unwrap_or_default();
        text.lines()
            .filter(|l| l.contains(what))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let table = fs::read(self.path("run/runs")).unwrap_or_default();
        for line in String::from_utf8_lossy(&table).lines() {
            end_recorded(line);
        }
    }
}

/// Ends the process that a run record names, and its group, if it is still the same one.
fn end_recorded(text: &str) {
    let word = |key: &str| {
        let value = text.split_whitespace().find_map(|w| w.strip_prefix(key))?;
        value.parse::<u64>().ok()
    };
    let (Some(pid), Some(start)) = (word("pid="), word("start=")) else {
        return;
    };
    if start_time(pid) == Some(start) {
        // Where another process is the main one, the first one leads the group.
        let leader = word("first=").unwrap_or(pid);
        let group = nix::unistd::Pid::from_raw(-i32::try_from(leader).unwrap());
        let _ = nix::sys::signal::kill(group, nix::sys::signal::Signal::SIGKILL);
    }
}

fn start_time(pid: u64) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()
}

/// Whether a process exists and is no zombie.
pub fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// A service in Python that first does this.
pub fn python(name: &str, settings: &str, body: &str) -> String {
    let prelude = "import os, socket, sys, time, signal\n\
        def say(text):\n    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n    \
        s.sendto(text.encode(), os.environ['NOTIFY_SOCKET'])\n    s.close()\n";
    let program = format!("{prelude}{body}")
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    let program = program.replace('\n', "\\n");
    format!(
        "[service.{name}]\ncommand = [\"/usr/bin/env\", \"python3\", \"-c\", \"{program}\"]\n{settings}\n"
    )
}

/// A service that sleeps.
pub fn sleeper(name: &str, settings: &str) -> String {
    format!("[service.{name}]\ncommand = [\"/bin/sleep\", \"1000\"]\n{settings}\n")
}

/// A service in shell.
pub fn shell(name: &str, settings: &str, script: &str) -> String {
    let script = script
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("[service.{name}]\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n{settings}\n")
}

//! A place for one demo, and the means to look after its processes.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything that should come at once.
pub const SOON: Duration = Duration::from_secs(20);

/// A directory with a link to the binary and room for the demo's files.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub program: PathBuf,
}

impl Bench {
    pub fn new() -> Bench {
        let dir = tempfile::Builder::new().prefix("fw").tempdir().unwrap();
        let binary = env!("CARGO_BIN_EXE_fieldwarden");
        let program = dir.path().join("fieldwarden");
        if fs::hard_link(binary, &program).is_err() {
            fs::copy(binary, &program).unwrap();
        }
        Bench { dir, program }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        self.arrange(&mut command);
        command.args(["demo"]).args(args).stdin(Stdio::null());
        command
    }

    pub fn arrange(&self, command: &mut Command) {
        command
            .env("TMPDIR", self.dir.path())
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR");
    }

    /// Processes that run this bench's link.
    pub fn processes(&self) -> Vec<u32> {
        let name = self.program.to_str().unwrap().as_bytes();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|e| e.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.split(|b| *b == 0).next() == Some(name)
            })
            .collect()
    }

    /// Waits until none of them is left.
    pub fn wait_for_nobody(&self) {
        let until = Instant::now() + SOON;
        while !self.processes().is_empty() {
            assert!(Instant::now() < until, "left over: {:?}", self.processes());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the demo has left in its directory for temporary files.
    pub fn left_over(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap().flatten();
        entries
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|name| name != "fieldwarden")
            .collect()
    }
}

pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

pub fn wait(mut child: Child) -> ExitStatus {
    let until = Instant::now() + SOON;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() >= until {
            child.kill().unwrap();
            panic!("the demo did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

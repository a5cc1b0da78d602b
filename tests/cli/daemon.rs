//! A directory to run the program in, and a daemon in it.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Time for a daemon to begin and to end. It takes a fraction of a second; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A configuration for a daemon with simulated devices that keeps to its own directory, and these
/// services.
pub fn config_with(services: &str) -> String {
    let head = [
        "board = \"sim\"",
        "runtime_dir = \"RUN\"",
        "state_dir = \"STATE\"",
        "cgroup = \"none\"",
    ];
    format!("{}\n\n{services}", head.join("\n"))
}

/// A directory for one test.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Place {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::create_dir(dir.path().join("state")).expect("directory");
        // Another user has to be able to come in.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).expect("permissions");
        Place(dir)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The directory as a text.
    pub fn name(&self) -> &str {
        self.0.path().to_str().expect("a plain path")
    }

    /// Writes a file, with the real names for `RUN` and `STATE`.
    pub fn write(&self, name: &str, text: &str) {
        let text = text
            .replace("\"RUN\"", &format!("\"{}/run\"", self.name()))
            .replace("\"STATE\"", &format!("\"{}/state\"", self.name()));
        std::fs::write(self.path(name), text).expect("written");
    }

    /// The program with these arguments, in this directory and without our environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fieldwarden"));
        command
            .args(args)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("FIELDWARDEN_RUNTIME_DIR", self.path("run"))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("ran")
    }

    /// A daemon with this configuration, once it answers and nothing is starting any more.
    pub fn daemon(&self, config: &str) -> Daemon {
        self.write("daemon.toml", config);
        let log = File::create(self.path("log")).expect("log");
        let child = self
            .command(&["run", "--config", "daemon.toml"])
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .expect("spawned");
        let daemon = Daemon(child);
        let begun = Instant::now();
        while !self.settled() {
            let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "no daemon: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn settled(&self) -> bool {
        let output = self.run(&["status", "--json"]);
        let text = String::from_utf8(output.stdout).expect("text");
        output.status.success()
            && text.contains("\"state\":\"armed\"")
            && !text.contains("\"state\":\"starting\"")
            && !text.contains("\"temperature_celsius\":null")
            && !text.contains("\"readable\":false")
            && !text.contains("\"power\":\"unknown\"")
            && !self.run(&["events", "--json"]).stdout.is_empty()
    }
}

/// A daemon, ended with the value.
pub struct Daemon(Child);

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it in order.
    pub fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        let pid = i32::try_from(self.0.id()).expect("a pid");
        // It is our own child and not waited for yet, so the number is still its own.
        let _ = kill_process(Pid::from_raw(pid).expect("a pid"), Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
        assert!(std::thread::panicking(), "the daemon did not end");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

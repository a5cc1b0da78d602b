//! A terminal for a demo.

use crate::bench::{Bench, SOON, wait};
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

/// A terminal with a demo in it.
pub struct Terminal {
    pub ours: fs::File,
    /// The side of the demo, for what only that side can do.
    pub theirs: Option<OwnedFd>,
    pub demo: Child,
    seen: Vec<u8>,
}

impl Terminal {
    pub fn start(bench: &Bench, args: &[&str]) -> Terminal {
        // A session of its own, so that the size of the terminal is not that of the test's.
        let mut command = Command::new("setsid");
        command.arg(&bench.program);
        Terminal::run(bench, command, args)
    }

    pub fn run(bench: &Bench, mut command: Command, args: &[&str]) -> Terminal {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs: OwnedFd = fs::File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap()
            .into();
        // Room for every line of a test: a screen that scrolls draws only what differs.
        let size = rustix::termios::Winsize {
            ws_row: 60,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&theirs, size).unwrap();
        bench.arrange(&mut command);
        let demo = command
            .arg("demo")
            .args(args)
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs.try_clone().unwrap())
            .spawn()
            .unwrap();
        Terminal {
            ours: ours.into(),
            theirs: Some(theirs),
            demo,
            seen: Vec::new(),
        }
    }

    /// Reads until these words were shown since the last call.
    pub fn see(&mut self, text: &str) {
        let until = Instant::now() + SOON;
        let mut room = [0u8; 4096];
        while !words(&self.seen).contains(text) {
            assert!(Instant::now() < until, "no {text:?}");
            let n = self.ours.read(&mut room).unwrap_or(0);
            assert_ne!(n, 0, "the demo ended without {text:?}");
            self.seen.extend(&room[..n]);
        }
        self.seen.clear();
    }

    /// Waits for the end; returns what was shown until then.
    pub fn end(mut self) -> (ExitStatus, String) {
        self.theirs = None;
        let mut room = [0u8; 4096];
        // A terminal whose other side is closed answers with an error.
        while let Ok(n @ 1..) = self.ours.read(&mut room) {
            self.seen.extend(&room[..n]);
        }
        let text = String::from_utf8_lossy(&self.seen).into_owned();
        (wait(self.demo), text)
    }
}

/// The words on a terminal, with one space between them: a screen skips what is there already, and
/// what is there between two words is a space.
pub fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        plain.push(' ');
        plain.push_str(&part[end.map_or(part.len(), |at| at + 1)..]);
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

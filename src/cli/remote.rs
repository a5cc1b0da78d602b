//! The daemon, as seen from a command: asks on the control socket, and reads what comes.

use crate::config::Bundle;
use crate::edge::clock;
use crate::edge::control::{Answer, SOCKET, TakenUp, VERSION, take_running};
use crate::edge::luggage;
use crate::error::Error;
use crate::journal::Record;
use crate::status::Status;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde_json::json;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for the daemon. It answers within 5 s, or says that its core does not; twice that
/// for a machine in trouble.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest wait for whether there is a reload: the configuration is checked first, and the daemon says
/// no after a minute at the latest.
const RELOAD: Duration = Duration::from_secs(70);

/// Longest answer in bytes. The status of a thousand services has about 400 KiB; more is not from
/// our daemon.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;

/// A daemon that may or may not be there.
pub struct Daemon {
    dir: PathBuf,
}

/// A connection that ends with the daemon on its other end.
pub struct Farewell(BufReader<UnixStream>);

impl Farewell {
    /// Waits for that end; not for ever.
    pub fn wait(mut self, time: Duration) {
        let end = clock::now().after(time);
        let mut line = String::new();
        loop {
            let left = end.since(clock::now());
            let patient = self.0.get_ref().set_read_timeout(Some(left));
            line.clear();
            match self.0.by_ref().take(ANSWER_MAX).read_line(&mut line) {
                Ok(1..) if patient.is_ok() => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// What comes in a list of events.
pub enum Told {
    /// An event, and the line it came in.
    Event(Box<Record>, String),
    /// Events that were left out because we were too slow.
    Lost(u64),
}

impl Daemon {
    pub fn new(dir: PathBuf) -> Daemon {
        Daemon { dir }
    }

    /// How everything stands.
    pub fn status(&self) -> Result<Status, Error> {
        let strange = |e: serde_json::Error| Error::Strange(e.to_string());
        serde_json::from_str(&self.status_json()?).map_err(strange)
    }

    /// The same as the daemon wrote it.
    pub fn status_json(&self) -> Result<String, Error> {
        let (answer, line) = self.ask(&json!({"v": VERSION, "request": "status"}))?;
        let Some(status) = answer.status else {
            return Err(Error::Strange("it has no status".to_owned()));
        };
        // The text between the braces keeps the order in which the daemon wrote the fields.
        let whole = line
            .trim_end()
            .split_once("\"status\":")
            .and_then(|(_, rest)| rest.strip_suffix('}'));
        Ok(whole.map_or_else(|| status.to_string(), str::to_owned))
    }

    /// The configuration that it has taken up.
    pub fn running(&self) -> Result<(TakenUp, Bundle), Error> {
        let stream = self.send(&json!({"v": VERSION, "request": "configuration"}))?;
        let (answer, text) = take_running(stream.get_ref()).map_err(|e| self.broken(e))?;
        let answer: Answer =
            serde_json::from_str(&answer).map_err(|e| Error::Strange(e.to_string()))?;
        if !answer.ok {
            return Err(Error::refused(answer));
        }
        let about = answer.configuration.zip(text);
        let (about, text) = about.ok_or_else(|| Error::Strange("it has no text".to_owned()))?;
        let text = luggage::read_text(&text).map_err(|e| self.broken(e))?;
        let bundle = Bundle::parse(&text).map_err(|e| Error::Strange(e.to_string()))?;
        Ok((about, bundle))
    }

    /// Asks to start, stop or restart a service; tells whether there was anything to do.
    pub fn act(&self, verb: &str, service: &str) -> Result<bool, Error> {
        let request = json!({"v": VERSION, "request": verb, "service": service});
        let (answer, _) = self.ask(&request)?;
        Ok(answer.answer.as_deref() == Some("accepted"))
    }

    /// Asks to reload.
    pub fn reload(&self) -> Result<(), Error> {
        let mut stream = self.send(&json!({"v": VERSION, "request": "reload"}))?;
        let patient = stream.get_ref().set_read_timeout(Some(RELOAD));
        patient.map_err(|e| self.broken(e))?;
        let (answer, _) = self.read_answer(&mut stream)?;
        match answer.answer.as_deref() {
            // That one may read what was there before the caller's last change.
            Some("already") => Err(Error::Refused {
                code: None,
                error: "a reload that was asked for before is under way".to_owned(),
                help: Some("ask again in a moment".to_owned()),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// What ends with the daemon that answers now.
    pub fn farewell(&self) -> Result<Farewell, Error> {
        let request = json!({"v": VERSION, "request": "events", "last": 0, "follow": true});
        let mut stream = self.send(&request)?;
        self.read_answer(&mut stream)?;
        Ok(Farewell(stream))
    }

    /// Asks to halt the machine; tells whether that was new.
    pub fn halt(&self, kind: &str) -> Result<bool, Error> {
        let request = json!({"v": VERSION, "request": "halt", "kind": kind});
        let (answer, _) = self.ask(&request)?;
        Ok(answer.answer.as_deref() == Some("accepted"))
    }

    /// Asks that the watchdog is tried out; tells whether that was new.
    pub fn drill(&self) -> Result<bool, Error> {
        let request = json!({"v": VERSION, "request": "drill", "of": "watchdog"});
        let (answer, _) = self.ask(&request)?;
        Ok(answer.answer.as_deref() == Some("accepted"))
    }

    /// Asks that nothing is escalated for so many seconds.
    pub fn hold(&self, seconds: u64, reason: &str) -> Result<(), Error> {
        let request =
            json!({"v": VERSION, "request": "hold", "seconds": seconds, "reason": reason});
        self.ask(&request).map(drop)
    }

    /// Asks to end the hold; tells whether there was one.
    pub fn end_hold(&self) -> Result<bool, Error> {
        let (answer, _) = self.ask(&json!({"v": VERSION, "request": "end-hold"}))?;
        Ok(answer.answer.as_deref() == Some("accepted"))
    }

    /// Asks to show a state on the status LED for so many seconds.
    pub fn show_led(&self, state: &str, seconds: u64) -> Result<(), Error> {
        let request =
            json!({"v": VERSION, "request": "show-led", "state": state, "seconds": seconds});
        self.ask(&request).map(drop)
    }

    /// Past events, and if `follow` those to come.
    pub fn events(
        &self,
        last: u32,
        follow: bool,
    ) -> Result<impl Iterator<Item = Result<Told, Error>> + use<>, Error> {
        let request = json!({"v": VERSION, "request": "events", "last": last, "follow": follow});
        let mut stream = self.send(&request)?;
        self.read_answer(&mut stream)?;
        if follow {
            let forever = stream.get_ref().set_read_timeout(None);
            forever.map_err(|e| self.broken(e))?;
        }
        let dir = self.dir.clone();
        let lines = stream.lines().map(move |line| {
            let dir = dir.clone();
            let line = line.map_err(|source| Error::Broken { dir, source })?;
            told(line)
        });
        Ok(lines)
    }

    fn ask(&self, request: &serde_json::Value) -> Result<(Answer, String), Error> {
        self.read_answer(&mut self.send(request)?)
    }

    fn send(&self, request: &serde_json::Value) -> Result<BufReader<UnixStream>, Error> {
        let mut stream = self.connect()?;
        match stream.write_all(format!("{request}\n").as_bytes()) {
            // It may have refused before it read, and then its answer is there to be read.
            Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(self.broken(e)),
            Ok(()) | Err(_) => Ok(BufReader::new(stream)),
        }
    }

    fn connect(&self) -> Result<UnixStream, Error> {
        self.try_connect().map_err(|source| {
            let dir = self.dir.clone();
            match source.kind() {
                ErrorKind::PermissionDenied => Error::NotAllowed { dir },
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused => {
                    Error::NotRunning { dir }
                }
                _ => Error::Broken { dir, source },
            }
        })
    }

    /// With a limit for every step: even connecting can take for ever when a daemon hangs.
    fn try_connect(&self) -> io::Result<UnixStream> {
        let address = SocketAddrUnix::new(self.dir.join(SOCKET))?;
        let kind = SocketType::STREAM;
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        for direction in [Timeout::Send, Timeout::Recv] {
            set_socket_timeout(&socket, direction, Some(PATIENCE))?;
        }
        connect(&socket, &address)?;
        Ok(UnixStream::from(socket))
    }

    fn read_answer(&self, stream: &mut BufReader<UnixStream>) -> Result<(Answer, String), Error> {
        let mut line = String::new();
        let read = stream.by_ref().take(ANSWER_MAX).read_line(&mut line);
        if read.map_err(|e| self.broken(e))? == 0 {
            return Err(self.broken(ErrorKind::UnexpectedEof.into()));
        }
        let answer: Answer =
            serde_json::from_str(&line).map_err(|e| Error::Strange(e.to_string()))?;
        match answer.ok {
            true => Ok((answer, line)),
            false => Err(Error::refused(answer)),
        }
    }

    fn broken(&self, source: io::Error) -> Error {
        Error::Broken {
            dir: self.dir.clone(),
            source,
        }
    }
}

/// One line of a list of events.
fn told(line: String) -> Result<Told, Error> {
    let strange = |e: serde_json::Error| Error::Strange(e.to_string());
    if let Ok(record) = serde_json::from_str::<Record>(&line) {
        return Ok(Told::Event(Box::new(record), line));
    }
    let value: serde_json::Value = serde_json::from_str(&line).map_err(strange)?;
    match value["lost"].as_u64() {
        Some(lost) => Ok(Told::Lost(lost)),
        None => Err(Error::Strange(format!("no event: {line}"))),
    }
}

//! The bundled service programs: small real processes that behave well until they are told not to.
//!
//! `fieldwarden demo-service NAME` connects to the demo's *door*, says `READY=1` and from then on
//! sends one heartbeat for each second of board time. Through the door come the orders to crash, to
//! hang, or to use up a processor. When the door closes the demo is gone, however it ended, and the
//! program ends too: unlike real services, these must never be left over.
//!
//! Never uses more than one processor, never at more than the lowest priority, and never for longer
//! than [`LONGEST`]; a hang ends after that time as well.

use super::stage::Pace;
use crate::edge::clock;
use crate::units::Mono;
use sd_notify::NotifyState;
use std::env;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

/// Tells the programs by which factor board time runs faster.
pub const SPEED: &str = "FIELDWARDEN_DEMO_SPEED";

/// Tells the programs where the door is.
pub const DOOR: &str = "FIELDWARDEN_DEMO_DOOR";

/// Time between two heartbeats, in board time: a fifth of the window that the demo's configuration
/// allows, so that a machine which is busy with other things does not make them late.
const BEAT: Duration = Duration::from_secs(1);

/// Longest time a program burns or hangs, in the machine's time. The story needs 12 s at most.
const LONGEST: Duration = Duration::from_secs(60);

/// Status with which a program ends that was told to crash, as one does that meets an error it did
/// not expect.
const CRASHED: u8 = 1;

/// What a program can be told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mischief {
    /// End with an error.
    Crash,
    /// Stop answering, and live on.
    Hang,
    /// Use a whole processor for this long, in board time.
    Burn(Duration),
}

impl Mischief {
    /// The order as one line.
    pub fn line(self) -> String {
        match self {
            Mischief::Crash => "crash\n".to_owned(),
            Mischief::Hang => "hang\n".to_owned(),
            Mischief::Burn(time) => format!("burn {}\n", time.as_millis()),
        }
    }

    /// Reads one line.
    fn parse(line: &str) -> Option<Mischief> {
        match line.split_once(' ') {
            None if line == "crash" => Some(Mischief::Crash),
            None if line == "hang" => Some(Mischief::Hang),
            Some(("burn", ms)) => Some(Mischief::Burn(Duration::from_millis(ms.parse().ok()?))),
            None | Some(_) => None,
        }
    }
}

/// Runs the program called `name` until it is told to end, the demo is gone, or it was made to
/// crash.
pub fn run(name: &str) -> ExitCode {
    match Program::enter(name).and_then(Program::play) {
        Ok(code) => code,
        Err(e) => {
            // Whoever has closed it does not want to know.
            let _ = writeln!(
                io::stderr(),
                "fieldwarden demo-service {name}: {e}: this is part of `fieldwarden demo` and is \
                 of no use without it"
            );
            ExitCode::FAILURE
        }
    }
}

struct Program {
    door: UnixStream,
    pace: Pace,
    burning_until: Option<Mono>,
    /// Part of a line that has come through the door.
    line: String,
}

impl Program {
    fn enter(name: &str) -> io::Result<Program> {
        // It is ended with ABRT when it hangs; a core dump of it is of no use to anybody. If that
        // cannot be had, a dump does no harm.
        let _ =
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        let speed = env::var(SPEED).ok().and_then(|s| s.parse().ok());
        let path =
            env::var_os(DOOR).ok_or_else(|| io::Error::other(format!("{DOOR} is not set")))?;
        let mut door = UnixStream::connect(path)?;
        door.write_all(format!("{name}\n").as_bytes())?;
        Ok(Program {
            door,
            pace: Pace::new(speed.unwrap_or(1)),
            burning_until: None,
            line: String::new(),
        })
    }

    fn play(mut self) -> io::Result<ExitCode> {
        sd_notify::notify(&[NotifyState::Ready])?;
        let mut beat = clock::now();
        loop {
            let now = clock::now();
            if now >= beat {
                // A heartbeat that cannot be delivered is for the daemon to miss; it does not end us.
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                beat = now.after(self.pace.real(BEAT));
            }
            match self.listen(now, beat)? {
                Heard::Nothing => {}
                Heard::Closed => return Ok(ExitCode::SUCCESS),
                Heard::Order(Mischief::Crash) => return Ok(ExitCode::from(CRASHED)),
                Heard::Order(Mischief::Hang) => {
                    std::thread::sleep(LONGEST);
                    return Ok(ExitCode::SUCCESS);
                }
                Heard::Order(Mischief::Burn(time)) => self.light(now, time),
            }
        }
    }

    /// From now on it burns, as the least important program of the machine.
    fn light(&mut self, now: Mono, time: Duration) {
        // At worst the machine's other programs notice it.
        let _ = rustix::process::nice(19);
        self.burning_until = Some(now.after(self.pace.real(time).min(LONGEST)));
    }

    /// Waits for an order until the next heartbeat is due; burns meanwhile if it is to.
    fn listen(&mut self, now: Mono, beat: Mono) -> io::Result<Heard> {
        let until = beat.min(self.burning_until.unwrap_or(beat));
        let burning = self.burning_until.is_some_and(|end| end > now);
        if burning {
            while clock::now() < until {
                std::hint::spin_loop();
            }
        } else {
            self.burning_until = None;
        }
        // A read that may not wait at all is one that waits for the shortest time there is.
        let wait = if burning {
            Duration::ZERO
        } else {
            beat.since(now)
        };
        let shortest = Duration::from_millis(1);
        self.door.set_read_timeout(Some(wait.max(shortest)))?;
        let mut room = [0u8; 64];
        match self.door.read(&mut room) {
            Ok(0) => Ok(Heard::Closed),
            Ok(n) => Ok(self.hear(&String::from_utf8_lossy(&room[..n]))),
            Err(e) => match e.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(Heard::Nothing),
                io::ErrorKind::ConnectionReset => Ok(Heard::Closed),
                _ => Err(e),
            },
        }
    }

    /// The first whole line of what has come; what follows a line is left out, because the demo
    /// gives one order at a time.
    fn hear(&mut self, text: &str) -> Heard {
        self.line.push_str(text);
        let Some((line, _)) = self.line.split_once('\n') else {
            return Heard::Nothing;
        };
        let order = Mischief::parse(line);
        self.line.clear();
        order.map_or(Heard::Nothing, Heard::Order)
    }
}

enum Heard {
    Nothing,
    Closed,
    Order(Mischief),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every order survives its way through the door, and nothing else is one.
    #[test]
    fn orders_as_lines() {
        for order in [
            Mischief::Crash,
            Mischief::Hang,
            Mischief::Burn(Duration::from_millis(9500)),
        ] {
            assert_eq!(Mischief::parse(order.line().trim_end()), Some(order));
        }
        for line in ["", "crash now", "burn", "burn x", "burn -1"] {
            assert_eq!(Mischief::parse(line), None, "{line}");
        }
    }
}

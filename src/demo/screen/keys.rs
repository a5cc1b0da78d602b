//! The keys, and what each asks for.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    Crash,
    Hang,
    Burn,
    Restart,
    Turn(Switch),
    Up,
    Down,
    Quit,
}

/// A trouble that is turned on and off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switch {
    Heat,
    Memory,
    Mains,
    Clock,
    Watchdog,
}

impl Deed {
    /// What this key asks for, if anything.
    pub fn of(key: KeyEvent) -> Option<Deed> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => Some(Deed::Quit),
            KeyCode::Char(_) if control => None,
            KeyCode::Char('q') | KeyCode::Esc => Some(Deed::Quit),
            KeyCode::Char('c') => Some(Deed::Crash),
            KeyCode::Char('h') => Some(Deed::Hang),
            KeyCode::Char('o') => Some(Deed::Burn),
            KeyCode::Char('r') => Some(Deed::Restart),
            KeyCode::Char('t') => Some(Deed::Turn(Switch::Heat)),
            KeyCode::Char('m') => Some(Deed::Turn(Switch::Memory)),
            KeyCode::Char('p') => Some(Deed::Turn(Switch::Mains)),
            KeyCode::Char('s') => Some(Deed::Turn(Switch::Clock)),
            KeyCode::Char('w') => Some(Deed::Turn(Switch::Watchdog)),
            KeyCode::Up | KeyCode::Char('k') => Some(Deed::Up),
            KeyCode::Down | KeyCode::Char('j') => Some(Deed::Down),
            _ => None,
        }
    }
}

/// Waits for keys, no longer than this. Looks at the terminal itself, because crossterm reads for ever
/// from one that has vanished.
pub fn wait_for_keys(time: Duration) -> io::Result<()> {
    let input = io::stdin();
    let mut watched = [PollFd::new(&input, PollFlags::IN)];
    let time = Timespec::try_from(time).map_err(io::Error::other)?;
    match poll(&mut watched, Some(&time)) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok(()),
        Err(e) => return Err(e.into()),
    }
    let seen = watched[0].revents();
    if seen.intersects(PollFlags::HUP | PollFlags::ERR) {
        return Err(io::Error::other("the terminal is gone"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Deed> {
        Deed::of(KeyEvent::new(code, modifiers))
    }

    /// Ctrl-C quits and a plain c crashes; no other control key does anything.
    #[test]
    fn keys() {
        let (none, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        assert_eq!(key(KeyCode::Char('c'), none), Some(Deed::Crash));
        assert_eq!(key(KeyCode::Char('c'), control), Some(Deed::Quit));
        assert_eq!(key(KeyCode::Char('h'), control), None);
        assert_eq!(key(KeyCode::Esc, none), Some(Deed::Quit));
        assert_eq!(key(KeyCode::Char('x'), none), None);
        let mut release = KeyEvent::new(KeyCode::Char('h'), none);
        release.kind = KeyEventKind::Release;
        assert_eq!(Deed::of(release), None);
    }
}

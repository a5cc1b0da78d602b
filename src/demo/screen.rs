//! The interactive demo: a screen on which the reader causes the trouble.
//!
//! ```text
//! keys ──► deeds ──► theatre        entries ──► ledger, lines ──► draw
//! ```
//!
//! Terms: a *deed* is what a key asks for; a *switch* is a trouble that a key turns on and off. The
//! terminal is given back as it was on every way out: quitting, a signal, an error, and a panic in
//! any thread.

mod draw;
mod keys;

use super::DemoError;
use super::ledger::{Entry, Ledger};
use super::narrator::{Line, Mark, Narrator};
use super::script::{BUSY, ENOUGH, IDLE, THIEF};
use super::services::Mischief;
use super::stage::Over;
use super::summary::summary;
use super::teller::Symbols;
use super::theatre::Theatre;
use crate::core::fact::{Request, ServiceId};
use crate::edge::clock;
use crate::units::{MilliCelsius, Mono, Permille};
use crossterm::event::{self, Event};
use keys::{Deed, Switch, wait_for_keys};
use ratatui::DefaultTerminal;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Time between two looks at keys and entries, in the machine's time: fluent to the eye, and twenty
/// wake-ups a second only while somebody watches.
const TICK: Duration = Duration::from_millis(50);

/// Lines of the event log that are kept; more than the highest terminal shows.
const LINES: usize = 200;

/// Time a service uses up a processor, in board time.
const BURN: Duration = Duration::from_secs(20);

/// Heat of the sun on the case: beyond the critical limit, within half a minute.
const SUN: MilliCelsius = MilliCelsius(60_000);

/// Memory that is left when it is short: below the critical limit.
const SHORT: Permille = Permille(40);

/// By how much the clock is stepped: enough to make everything fire at once, or never, that counts
/// with it.
const STEP: Duration = Duration::from_secs(3 * 3600);

/// Time after a step of the clock, in board time, at which it is told how the services took it: more
/// than the silence that a service may keep.
const AFTERMATH: Duration = Duration::from_secs(6);

/// Troubles that are on.
#[derive(Clone, Copy, Default, Debug)]
struct Switches {
    sun: bool,
    memory: bool,
    mains: bool,
    clock: bool,
    watchdog: bool,
    burning_until: Option<Mono>,
}

/// Everything that is drawn.
struct Scene {
    ledger: Ledger,
    lines: VecDeque<Line>,
    /// Row of the service that the keys are about.
    chosen: usize,
    switches: Switches,
    symbols: Symbols,
    origin: Mono,
    /// The command that asks the daemon how it is.
    ask: String,
    /// What the board's clock shows.
    wall: String,
    /// It was asked to end.
    quitting: bool,
    /// The board is off: the daemon has ended without being asked by us.
    off: bool,
}

impl Scene {
    fn tell(&mut self, line: Line) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Name of the service that the keys are about.
    fn chosen(&self) -> String {
        let services = &self.ledger.settings.services;
        services
            .get(self.chosen)
            .map(|s| s.name.to_string())
            .unwrap_or_default()
    }
}

/// The time of day.
fn shown(wall: jiff::Timestamp) -> String {
    wall.strftime("%H:%M:%S").to_string()
}

/// Gives the terminal back as it was.
struct Given;

impl Drop for Given {
    fn drop(&mut self) {
        // What cannot be given back is gone.
        let _ = ratatui::try_restore();
    }
}

/// Shows the screen until the reader quits or `stop` is raised, then writes the summary to `out`.
///
/// # Errors
/// What kept the daemon from starting, or that the terminal cannot be used.
pub fn show(
    theatre: Theatre,
    symbols: Symbols,
    mut out: impl Write,
    stop: &AtomicBool,
) -> Result<ExitCode, DemoError> {
    let mut screen = Screen::new(theatre, symbols);
    let shown = ratatui::try_init().and_then(|mut terminal| {
        let _given = Given;
        let shown = screen.run(&mut terminal, stop);
        if shown.is_err() {
            // On its way out it would complain about a terminal that is gone, and there is nobody
            // left to hear that. The cursor is all that it would give back.
            std::mem::forget(terminal);
            let _ = crossterm::execute!(io::stdout(), crossterm::cursor::Show);
        }
        shown
    });
    screen.theatre.ask(Request::Exit);
    let Screen { theatre, scene, .. } = screen;
    let (pace, origin) = (theatre.pace, theatre.origin);
    theatre.close()?;
    shown.map_err(DemoError::Output)?;
    let text = summary(&scene.ledger, pace, origin);
    out.write_all(text.as_bytes()).map_err(DemoError::Output)?;
    Ok(ExitCode::SUCCESS)
}

/// A step of the clock whose consequences are still to be told.
struct Stepped {
    at: Mono,
    before: Ledger,
}

struct Screen {
    theatre: Theatre,
    stepped: Option<Stepped>,
    narrator: Narrator,
    scene: Scene,
}

impl Screen {
    fn new(theatre: Theatre, symbols: Symbols) -> Screen {
        let origin = theatre.origin;
        Screen {
            narrator: Narrator::new(theatre.pace, origin),
            stepped: None,
            scene: Scene {
                ledger: Ledger::new(theatre.settings.clone(), origin),
                lines: VecDeque::new(),
                chosen: 0,
                switches: Switches::default(),
                symbols,
                origin,
                ask: theatre.status_command(),
                wall: shown(theatre.board().wall(origin)),
                quitting: false,
                off: false,
            },
            theatre,
        }
    }

    fn run(&mut self, terminal: &mut DefaultTerminal, stop: &AtomicBool) -> io::Result<()> {
        loop {
            if self.read_tape().is_err() {
                if self.scene.quitting {
                    return Ok(());
                }
                self.go_off();
            }
            if stop.load(Ordering::Relaxed) {
                self.act(Deed::Quit);
            }
            self.pass_time();
            let now = clock::now();
            terminal.draw(|frame| draw::scene(frame, &self.scene, now))?;
            // The library may have read a key along with something else, such as a new size: whatever
            // woke us, it is asked.
            wait_for_keys(TICK)?;
            self.read_keys()?;
        }
    }

    fn read_keys(&mut self) -> io::Result<()> {
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()?
                && let Some(deed) = Deed::of(key)
            {
                self.act(deed);
            }
        }
        Ok(())
    }

    fn read_tape(&mut self) -> Result<(), Over> {
        while let Some(entry) = self.theatre.tape.next(Duration::ZERO)? {
            self.take(&entry);
        }
        Ok(())
    }

    fn take(&mut self, entry: &Entry) {
        self.scene.ledger.take(entry);
        for line in self.narrator.entry(entry, &self.scene.ledger) {
            self.scene.tell(line);
        }
    }

    fn pass_time(&mut self) {
        let now = clock::now();
        if self.theatre.bitten() {
            self.scene.ledger.bites += 1;
            let line = self.narrator.bitten(now, &self.scene.ledger);
            self.scene.tell(line);
        }
        self.scene.wall = shown(self.theatre.board().wall(now));
        let over = |s: &mut Stepped| now.since(s.at) >= AFTERMATH;
        if let Some(stepped) = self.stepped.take_if(over) {
            for line in self.narrator.unmoved(&stepped.before, &self.scene.ledger) {
                self.scene.tell(line);
            }
        }
        if self.scene.switches.burning_until.is_some_and(|t| t <= now) {
            self.scene.switches.burning_until = None;
            self.theatre.board().set_load(IDLE);
        }
    }

    fn act(&mut self, deed: Deed) {
        let name = self.scene.chosen();
        let services = self.scene.ledger.settings.services.len();
        let moves = matches!(deed, Deed::Up | Deed::Down);
        let over = self.scene.quitting || self.scene.off && deed != Deed::Quit;
        if over && !moves {
            return;
        }
        match deed {
            Deed::Up => self.scene.chosen = self.scene.chosen.saturating_sub(1),
            Deed::Down => {
                self.scene.chosen = (self.scene.chosen + 1).min(services.saturating_sub(1));
            }
            Deed::Quit => self.quit(),
            Deed::Crash => {
                self.mischief(Mischief::Crash, format!("you make {name} crash"));
            }
            Deed::Hang => {
                self.mischief(Mischief::Hang, format!("you make {name} hang"));
            }
            Deed::Burn => self.burn(&name),
            Deed::Restart => self.restart(&name),
            Deed::Turn(switch) => self.turn(switch),
        }
    }

    /// The daemon has halted the board. What it said about it can be read in peace.
    fn go_off(&mut self) {
        if !std::mem::replace(&mut self.scene.off, true) {
            let text = "the board is off; q leaves";
            let line = self.narrator.line(clock::now(), Mark::Quiet, text);
            self.scene.tell(line);
        }
    }

    fn quit(&mut self) {
        self.scene.quitting = true;
        if self.scene.off {
            return;
        }
        self.theatre.ask(Request::Exit);
        self.say("you ask fieldwarden to stop everything and end".to_owned());
    }

    fn mischief(&mut self, order: Mischief, text: String) -> bool {
        let name = self.scene.chosen();
        let told = self.theatre.tell(&name, order);
        self.say(if told {
            text
        } else {
            format!("{name} is not running, so it cannot be told")
        });
        told
    }

    fn burn(&mut self, name: &str) {
        let text = format!("you let {name} use up a processor for 20 s");
        if self.mischief(Mischief::Burn(BURN), text) {
            self.theatre.board().set_load(BUSY);
            self.scene.switches.burning_until = Some(clock::now().after(BURN));
        }
    }

    fn restart(&mut self, name: &str) {
        let Ok(id) = u16::try_from(self.scene.chosen) else {
            return;
        };
        self.theatre.ask(Request::Restart(ServiceId(id)));
        self.say(format!("you ask fieldwarden to restart {name}"));
    }

    fn step_clock(&mut self) {
        let (board, now) = (self.theatre.board(), clock::now());
        let on = !self.scene.switches.clock;
        let before = shown(board.wall(now));
        board.set_synced(!on);
        board.step_clock(if on { STEP } else { Duration::ZERO });
        let after = shown(board.wall(now));
        self.scene.switches.clock = on;
        self.stepped = Some(Stepped {
            at: now,
            before: self.scene.ledger.clone(),
        });
        self.say(match on {
            true => format!("you step the clock: {before} -> {after}, without a time server"),
            false => format!("a time server sets the clock right: {before} -> {after}"),
        });
    }

    fn turn(&mut self, switch: Switch) {
        let board = self.theatre.board().clone();
        let switches = &mut self.scene.switches;
        let text = match switch {
            Switch::Heat => {
                switches.sun = !switches.sun;
                board.set_heat(if switches.sun { SUN } else { MilliCelsius(0) });
                match switches.sun {
                    true => "you put the case into the sun",
                    false => "you move the case into the shade",
                }
            }
            Switch::Memory => {
                switches.memory = !switches.memory;
                board.set_memory(if switches.memory { SHORT } else { ENOUGH });
                match switches.memory {
                    true => "you fill the memory",
                    false => "you free the memory",
                }
            }
            Switch::Mains => {
                switches.mains = !switches.mains;
                board.set_mains(!switches.mains);
                match switches.mains {
                    true => "you cut the mains: the board's battery takes over",
                    false => "you give the board its mains back",
                }
            }
            Switch::Clock => return self.step_clock(),
            Switch::Watchdog => {
                switches.watchdog = !switches.watchdog;
                if switches.watchdog {
                    board.vanish();
                    board.come_back();
                    board.take_watchdog(THIEF);
                    "you unload the watchdog's driver, and another program takes the device"
                } else {
                    board.free_watchdog();
                    "you make the other program let go of the watchdog device"
                }
            }
        };
        self.say(text.to_owned());
    }

    fn say(&mut self, text: String) {
        let line = self.narrator.line(clock::now(), Mark::Cue, text);
        self.scene.tell(line);
    }
}

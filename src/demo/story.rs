//! Tells the whole story: plays the script in the theatre and writes down what is seen.

use super::director::{Director, Move};
use super::ledger::{Entry, Ledger};
use super::narrator::{Line, Mark, Narrator, state};
use super::script::{CURTAIN, Cue, STORY};
use super::stage::Over;
use super::summary::summary;
use super::teller::{SILENCE, Symbols, Teller};
use super::theatre::Theatre;
use super::{DemoError, INTERRUPTED};
use crate::core::fact::Request;
use crate::edge::clock;
use crate::units::Mono;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait for an entry, in the machine's time: how often the live line counts on.
const TICK: Duration = Duration::from_millis(100);

/// Shortest deadline of a step, in the machine's time: a machine that needs longer than this to
/// start a small program has other problems.
const LEAST: Duration = Duration::from_secs(20);

/// What the reader can do next.
const NEXT: &str = "
  Cause trouble yourself: fieldwarden demo --interactive
  On a Pi of your own:    docs/getting-started.md
";

/// Plays and tells the story until it is over or `stop` is raised.
///
/// # Errors
/// What kept the daemon from starting, or that nobody reads.
pub fn tell<W: Write>(
    theatre: Theatre,
    teller: Teller<W>,
    stop: &AtomicBool,
) -> Result<ExitCode, DemoError> {
    let mut story = Story::new(theatre, teller);
    let told = story.play(stop);
    if told.is_err() {
        story.theatre.ask(Request::Exit);
    }
    let Story {
        theatre,
        mut teller,
        ledger,
        director,
        ..
    } = story;
    let (pace, origin, lost) = (theatre.pace, theatre.origin, theatre.tape.lost());
    theatre.close()?;
    if told
        .as_ref()
        .is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    {
        // Its reader has seen enough, as `head` has.
        return Ok(ExitCode::SUCCESS);
    }
    told.map_err(DemoError::Output)?;
    let mut text = summary(&ledger, pace, origin);
    if lost > 0 {
        text.push_str(&format!(
            "\n  {lost} events came faster than they could be told and are missing above.\n"
        ));
    }
    if director.missed() > 0 {
        text.push_str(&format!(
            "\n  {} steps of the story did not come about: the exit code is 1.\n",
            director.missed()
        ));
    }
    text.push_str(NEXT);
    teller.text(&text).map_err(DemoError::Output)?;
    Ok(match (stop.load(Ordering::Relaxed), director.missed()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    })
}

struct Story<W> {
    theatre: Theatre,
    teller: Teller<W>,
    ledger: Ledger,
    narrator: Narrator,
    director: Director,
    /// When the last line was told.
    told: Mono,
}

impl<W: Write> Story<W> {
    fn new(theatre: Theatre, teller: Teller<W>) -> Story<W> {
        let (pace, origin) = (theatre.pace, theatre.origin);
        let ledger = Ledger::new(theatre.settings.clone(), origin);
        Story {
            narrator: Narrator::new(pace, origin),
            director: Director::new(STORY, &CURTAIN, &ledger, pace.board(LEAST)),
            told: origin,
            ledger,
            theatre,
            teller,
        }
    }

    fn play(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let opening = opening(&self.theatre, self.teller.symbols());
        self.teller.text(&opening)?;
        self.direct()?;
        loop {
            let mut wait = TICK;
            loop {
                match self.theatre.tape.next(wait) {
                    Ok(Some(entry)) => self.take(&entry)?,
                    Ok(None) => break,
                    Err(Over) => return self.direct(),
                }
                wait = Duration::ZERO;
            }
            if stop.load(Ordering::Relaxed) {
                self.director.cut_short();
            }
            self.direct()?;
            self.pass_time()?;
        }
    }

    fn take(&mut self, entry: &Entry) -> io::Result<()> {
        self.ledger.take(entry);
        for line in self.narrator.entry(entry, &self.ledger) {
            self.line(&line)?;
        }
        Ok(())
    }

    /// Does what the script wants now.
    fn direct(&mut self) -> io::Result<()> {
        let now = clock::now();
        while let Some(next) = self.director.next(now, &self.ledger) {
            let line = match next {
                Move::Begin(number, title) => {
                    self.narrator
                        .line(now, Mark::Act, format!("{number}. {title}"))
                }
                Move::Say(text) => self.narrator.line(now, Mark::Quiet, text),
                Move::Neighbours(name) => {
                    self.narrator
                        .neighbours(name, self.director.before(), &self.ledger)
                }
                Move::Missed(sight) => self.narrator.missed(now, sight),
                Move::Failed(cue) => {
                    let mut line = self.narrator.cue(now, cue);
                    line.mark = Mark::Bad;
                    let why = match cue {
                        Cue::Crash(_) | Cue::Hang(_) | Cue::Burn(..) => "it is not running",
                        Cue::Cool
                        | Cue::Memory(_)
                        | Cue::Synced(_)
                        | Cue::Mains(_)
                        | Cue::StealWatchdog
                        | Cue::ReturnWatchdog
                        | Cue::StickWatchdog
                        | Cue::FreeWatchdog
                        | Cue::Exit => "fieldwarden does not take it",
                    };
                    line.text.push_str(&format!(", and cannot: {why}"));
                    line
                }
                Move::Do(cue) if self.theatre.perform(cue) => {
                    self.director.done();
                    self.narrator.cue(now, cue)
                }
                Move::Do(_) => return Ok(()),
            };
            self.line(&line)?;
        }
        Ok(())
    }

    /// Shows how everything stands, and that something goes on.
    fn pass_time(&mut self) -> io::Result<()> {
        let now = clock::now();
        if self.theatre.bitten() {
            self.ledger.bites += 1;
            let line = self.narrator.bitten(now, &self.ledger);
            self.line(&line)?;
        }
        let at = now.since(self.theatre.origin);
        self.teller.show(at, &state(now, &self.ledger))?;
        let silent = self.theatre.pace.real(now.since(self.told));
        if !self.teller.live() && silent >= SILENCE {
            let line = self.narrator.quiet(now, &self.ledger);
            self.line(&line)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        self.told = clock::now();
        self.teller.line(line)
    }
}

/// What the reader has to know first.
fn opening(theatre: &Theatre, symbols: Symbols) -> String {
    let mark = |mark| symbols.mark(mark);
    let ask = theatre.status_command();
    let faster = match theatre.pace.speed() {
        1 => String::new(),
        n => format!(
            "\n  Time runs {n} times as fast on the board; how long a service was down is\n  \
             told in real time.\n"
        ),
    };
    format!(
        "\
fieldwarden demo: a Raspberry Pi that nobody can walk up to, on a bad day

  Real:       fieldwarden itself, and five small services that it looks after.
  Simulated:  the board: watchdog, mains, temperature, load, memory, clock.
  Nothing of this machine is touched, and nothing can reboot it.

  It answers as it would on a Pi. From another terminal:
    {ask}
{faster}
  {} trouble made by the demo   {} wrong   {} what fieldwarden does   {} well
",
        mark(Mark::Cue),
        mark(Mark::Bad),
        mark(Mark::Effect),
        mark(Mark::Good),
    )
}

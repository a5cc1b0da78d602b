//! Writes lines to a terminal, or plainly to anything else.
//!
//! A terminal gets colours, unless `NO_COLOR` says otherwise, and one live line below the last that
//! tells how everything stands. Anything else gets lines only, and such a line instead after each
//! [`SILENCE`] without another.

use super::narrator::{Line, Mark};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};
use std::time::Duration;

/// Longest silence where there is no live line, in the machine's time.
pub const SILENCE: Duration = Duration::from_secs(5);

/// Widest live line, however wide the terminal is: wide enough for all that it has to say.
const LIVE_WIDTH: usize = 100;

/// The symbols of the marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Symbols {
    /// For terminals that know UTF-8.
    Unicode,
    /// For all others.
    Ascii,
}

impl Symbols {
    /// What the locale says that the terminal knows: the first of these variables that is set.
    pub fn of_locale(var: impl Fn(&str) -> Option<String>) -> Symbols {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(var)
            .find(|value| !value.is_empty())
            .unwrap_or_default()
            .to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Symbols::Unicode
        } else {
            Symbols::Ascii
        }
    }

    /// The symbol for a mark.
    pub fn mark(self, mark: Mark) -> &'static str {
        let (unicode, ascii) = match mark {
            Mark::Act => ("──", "--"),
            Mark::Cue => ("▶", ">"),
            Mark::Bad => ("✗", "x"),
            Mark::Care => ("!", "!"),
            Mark::Effect => ("→", "="),
            Mark::Good => ("✓", "+"),
            Mark::Quiet => ("·", "."),
        };
        match self {
            Symbols::Unicode => unicode,
            Symbols::Ascii => ascii,
        }
    }
}

/// The colours of a mark.
pub fn style(mark: Mark) -> Style {
    let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
    match mark {
        Mark::Act => Style::new().bold(),
        Mark::Cue => colour(AnsiColor::Cyan),
        Mark::Bad => colour(AnsiColor::Red),
        Mark::Care => colour(AnsiColor::Yellow),
        Mark::Effect => colour(AnsiColor::Blue),
        Mark::Good => colour(AnsiColor::Green),
        Mark::Quiet => Style::new().dimmed(),
    }
}

/// Writes lines.
pub struct Teller<W> {
    out: W,
    symbols: Symbols,
    /// Width of the live line, if there is a terminal.
    live: Option<usize>,
    /// A live line is on the screen.
    shown: bool,
}

impl<W: Write> Teller<W> {
    /// Writes to `out`; with a live line if that is a terminal with so many columns.
    pub fn new(out: W, symbols: Symbols, columns: Option<u16>) -> Teller<W> {
        Teller {
            out,
            symbols,
            // The last column stays free: some terminals wrap as soon as it is written.
            live: columns.map(|n| LIVE_WIDTH.min(usize::from(n.saturating_sub(1)))),
            shown: false,
        }
    }

    /// Whether it shows a live line.
    pub fn live(&self) -> bool {
        self.live.is_some()
    }

    /// The symbols it writes.
    pub fn symbols(&self) -> Symbols {
        self.symbols
    }

    /// Writes plain text as it is.
    ///
    /// # Errors
    /// The output cannot be written, for example because its reader is gone.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.wipe()?;
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Writes a line.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn line(&mut self, line: &Line) -> io::Result<()> {
        self.wipe()?;
        let style = style(line.mark);
        let mark = self.symbols.mark(line.mark);
        let text = &line.text;
        match line.mark {
            Mark::Act => writeln!(self.out, "\n{style}{mark} {text}{style:#}")?,
            Mark::Quiet => {
                let at = clock(line.at);
                writeln!(self.out, "{style}{at} {mark} {text}{style:#}")?;
            }
            Mark::Cue | Mark::Bad | Mark::Care | Mark::Effect | Mark::Good => {
                let at = clock(line.at);
                writeln!(self.out, "{at} {style}{mark}{style:#} {text}")?;
            }
        }
        self.out.flush()
    }

    /// Shows how everything stands, if there is a terminal.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn show(&mut self, at: Duration, state: &str) -> io::Result<()> {
        let Some(width) = self.live else {
            return Ok(());
        };
        let dim = Style::new().dimmed();
        let line: String = format!("{} {state}", clock(at))
            .chars()
            .take(width)
            .collect();
        write!(self.out, "\r{dim}{line:<width$}{dim:#}")?;
        self.shown = true;
        self.out.flush()
    }

    /// Overwrites the live line with spaces: unlike the control code for it, they also work where
    /// `NO_COLOR` takes all codes away.
    fn wipe(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.shown) {
            let width = self.live.unwrap_or(0);
            write!(self.out, "\r{:width$}\r", "")?;
        }
        Ok(())
    }
}

/// The time since the beginning, always as wide.
fn clock(at: Duration) -> String {
    format!("{:>5}.{} s", at.as_secs(), at.subsec_millis() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(mark: Mark) -> Line {
        Line {
            at: Duration::from_millis(12_340),
            mark,
            text: "told".to_owned(),
        }
    }

    /// Without a terminal there is no live line and nothing to wipe.
    #[test]
    fn plain_output() {
        let mut out = Vec::new();
        let mut teller = Teller::new(anstream::StripStream::new(&mut out), Symbols::Ascii, None);
        teller.line(&line(Mark::Act)).unwrap();
        teller.show(Duration::ZERO, "quiet").unwrap();
        teller.line(&line(Mark::Bad)).unwrap();
        teller.line(&line(Mark::Quiet)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "\n-- told\n   12.3 s x told\n   12.3 s . told\n");
    }

    /// The live line is wiped before the next line is written, once, and never wraps.
    #[test]
    fn live_line() {
        let mut out = Vec::new();
        let mut teller = Teller::new(&mut out, Symbols::Unicode, Some(80));
        teller.show(Duration::ZERO, &"long ".repeat(40)).unwrap();
        teller.line(&line(Mark::Good)).unwrap();
        teller.line(&line(Mark::Good)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let wipe = format!("\r{:79}\r", "");
        assert_eq!(text.matches(&wipe).count(), 1);
        let shown = text.split("\x1b[2m").nth(1).unwrap();
        let shown = shown.split('\x1b').next().unwrap();
        assert_eq!(shown.chars().count(), 79);
    }

    /// The locale decides over the symbols, and the more special variable over the more general.
    #[test]
    fn locale() {
        let of = |pairs: &'static [(&str, &str)]| {
            Symbols::of_locale(move |name| {
                let (_, value) = pairs.iter().find(|(n, _)| *n == name)?;
                Some((*value).to_owned())
            })
        };
        assert_eq!(of(&[("LANG", "de_DE.UTF-8")]), Symbols::Unicode);
        assert_eq!(
            of(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]),
            Symbols::Ascii
        );
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "C.utf8")]), Symbols::Unicode);
        assert_eq!(of(&[]), Symbols::Ascii);
    }
}

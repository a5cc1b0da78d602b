//! Standard output and standard error, for readers who may go away at any time.

use anstream::AutoStream;
use std::io::{self, ErrorKind, Stdout, Write};

/// Standard output. Colours are taken out where they are not wanted: no terminal, `NO_COLOR`,
/// `TERM=dumb`.
pub struct Printer {
    stream: AutoStream<Stdout>,
    gone: bool,
    /// What was printed, where it goes nowhere else.
    kept: Option<String>,
}

impl Printer {
    pub fn new() -> Printer {
        Printer {
            stream: anstream::stdout(),
            gone: false,
            kept: None,
        }
    }

    /// One that keeps what it prints.
    pub fn keeping() -> Printer {
        Printer {
            kept: Some(String::new()),
            ..Printer::new()
        }
    }

    /// What it has kept.
    pub fn into_text(self) -> String {
        self.kept.unwrap_or_default()
    }

    /// Prints a text as it is. When the reader has gone, nothing happens; see [`Printer::gone`].
    pub fn put(&mut self, text: &str) -> io::Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.push_str(text);
            return Ok(());
        }
        if self.gone {
            return Ok(());
        }
        let outcome = self.stream.write_all(text.as_bytes());
        match outcome.and_then(|()| self.stream.flush()) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Prints a line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.put(&format!("{text}\n"))
    }

    /// Nobody reads any more; there is no use in going on.
    pub fn gone(&self) -> bool {
        self.gone
    }
}

/// Prints a text on standard error, as it is. What nobody reads is lost: there is no better place to
/// say so, and it changes nothing about what the command does.
pub fn tell(text: &str) {
    let mut stream = anstream::stderr();
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}

/// Prints a line on standard error.
pub fn tell_line(text: &str) {
    tell(&format!("{text}\n"));
}

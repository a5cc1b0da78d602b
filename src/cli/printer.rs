//! Standard output, for a reader who may go away at any time.

use anstream::AutoStream;
use std::io::{self, ErrorKind, Stdout, Write};

/// Standard output. Colours are taken out where they are not wanted: no terminal, `NO_COLOR`,
/// `TERM=dumb`.
pub struct Printer {
    stream: AutoStream<Stdout>,
    gone: bool,
}

impl Printer {
    pub fn new() -> Printer {
        Printer {
            stream: anstream::stdout(),
            gone: false,
        }
    }

    /// Prints a text as it is. When the reader has gone, nothing happens; see [`Printer::gone`].
    pub fn put(&mut self, text: &str) -> io::Result<()> {
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

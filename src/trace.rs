//! The text form of facts, actions and notes: scenario file, flight recorder, input of a replay.
//!
//! ```text
//! #:fieldwarden-trace 1
//! #:boot 5f0c9a1e-...
//! [service.web]
//! command = ["/usr/bin/web"]
//! ----
//! 12.400 child web run=1 exited code=1
//!         > start web run=2 order=7
//!         ! service-exited service=web code=1 asked=no lived=3.2s
//! ```
//!
//! Terms: the *header* is everything above the line `----`: `#:` lines with facts about the file,
//! and the configuration, both valid TOML together; a *step* is one fact with the *echo*, the
//! orders (`>`) and notes (`!`) that the core answered it with. The grammar is laid down in
//! `docs/formats.md`. Facts are read back exactly; an echo is kept as text and compared.
//!
//! Never: read a clock; decide anything; accept a line that it does not fully understand.

mod lexer;
mod problem;
mod read;
mod ring;
mod write;

#[cfg(test)]
mod tests;

pub use problem::{Problem, TraceError};
pub use read::{Document, Echo, Step, Steps, open, parse_fact, parse_marker};
pub use ring::{LIMIT, Lost, Ring};
pub use write::{action_line, fact_line, note_line, opening, order_line, step_lines};

/// Version of the grammar. A file with a larger one is refused: what it says could be misread.
pub const VERSION: u32 = 1;

/// The line between header and steps.
pub const SEPARATOR: &str = "----";

/// Begins a line with a fact about the file itself.
const META: &str = "#:";

/// Name of the first such line, which carries [`VERSION`].
const MAGIC: &str = "fieldwarden-trace";

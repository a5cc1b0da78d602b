//! The documents say what the program does: commands, exit codes, configurations, events and evidence
//! that they name are compared with the code, and the manual pages with what is generated from it.
//!
//! `REWRITE=1 cargo test --test docs` writes the manual pages anew (`cargo xtask man` does the same).
//! The tables of `docs/formats.md` and `docs/control.md` are compared with the code where the code
//! is, in `src/journal/tests/records.rs` and `src/status/tests.rs`.

mod boards;
mod comeback;
mod evidence;
mod health;
mod led;
mod man;
mod page;
mod vocabulary;
mod words;

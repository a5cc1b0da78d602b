//! fieldwarden: see docs/architecture.md.
pub mod app;
pub mod chip;
pub mod cli;
pub mod config;
pub mod core;
pub mod demo;
pub mod edge;
pub mod error;
pub mod health;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod journal;
pub mod sorted;
pub mod status;
pub mod text;
pub mod trace;
pub mod units;

//! Facts survive being written and read; documents keep what people wrote around them.

mod arbitrary;
mod documents;
mod facts;
mod recorder;

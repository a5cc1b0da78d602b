//! The journal against a model of a disk that fails, lies half-written and loses power, and once
//! against a real directory.

mod bounds;
mod damage;
mod failures;
mod model;
mod records;
mod system;

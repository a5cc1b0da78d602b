//! What a support archive needs of the system: files below a place, and the kernel's log.
//!
//! Used by a command only, never by the daemon. Only reads.

mod beneath;
mod kmsg;

pub use beneath::{Beneath, Entry, Piece, why};
pub use kmsg::{Kept, kernel_log};

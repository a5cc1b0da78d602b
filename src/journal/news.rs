//! What the journal has to say about itself; for the log, because the journal may not be writable.

use std::fmt;

/// A change in how the journal stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// The disk does not take records; they are kept in memory for now. Said once.
    Degraded {
        /// The directory.
        place: String,
        /// What the system said.
        why: String,
    },
    /// A later version wrote this journal. Records stay in memory until the daemon ends.
    Refused {
        /// The directory.
        place: String,
    },
    /// The disk takes records again.
    Recovered {
        /// Records that memory could not hold until then.
        lost: u64,
    },
    /// A damaged tail was cut off.
    Torn {
        /// Its length.
        bytes: u64,
    },
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            News::Degraded { place, why } => write!(
                f,
                "journal {place}: {why}: keeping the last {} records in memory; check that the \
                 file system is mounted, writable and not full",
                super::KEPT
            ),
            News::Refused { place } => write!(
                f,
                "journal {place}: written by a newer fieldwarden: left as it is, records are kept \
                 in memory only; install that version again, or move the directory away"
            ),
            News::Recovered { lost: 0 } => f.write_str("journal: on disk again, nothing was lost"),
            News::Recovered { lost } => {
                write!(f, "journal: on disk again, {lost} records were lost")
            }
            News::Torn { bytes } => write!(
                f,
                "journal: cut off {bytes} damaged bytes at its end, as a power cut leaves them"
            ),
        }
    }
}

//! Fields that tell of a fault.

use super::{Fields, Value, word};
use crate::core::fact::Fault;
use crate::text::errno_word;

/// Why something was not done.
pub(in crate::text) fn cause(fault: &Fault) -> Fields {
    let why = |text| ("why", word(text));
    match fault {
        Fault::Busy => vec![why("busy")],
        Fault::Errno(errno) => vec![why("errno"), ("errno", Value::Text(errno_word(*errno)))],
        Fault::Taken { by } => {
            let mut fields = vec![why("taken")];
            fields.extend(by.as_deref().map(|by| ("by", word(by))));
            fields
        }
        Fault::Absent => vec![why("absent")],
        Fault::Implausible => vec![why("implausible")],
    }
}

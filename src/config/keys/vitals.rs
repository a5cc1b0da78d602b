//! The keys of `[vitals]`.

use super::{CRITICAL, LOAD, TEMPERATURE, WARN, key, min, s};
use crate::config::schema::Absent::{Default, Inside, Nothing};
use crate::config::schema::{Kind, Section};

/// Temperature, memory and load.
pub const VITALS: Section = Section {
    header: "vitals",
    meaning: "Temperature, memory and load of the machine.",
    keys: &[
        key(
            "every",
            Kind::Duration(s(1), min(10)),
            Default("\"15s\""),
            "Time between two readings",
        ),
        key(
            "temperature",
            Kind::Table(&[
                key("warn", TEMPERATURE, Default("\"75C\""), WARN),
                key(
                    "hot",
                    TEMPERATURE,
                    Nothing("\"80C\""),
                    "From here on a Pi's firmware slows it down; without this key, halfway between the \
                     others",
                ),
                key(
                    "critical",
                    TEMPERATURE,
                    Default("\"85C\""),
                    "From here on it is broken; after 30s services of the class optional are stopped",
                ),
                key(
                    "settle",
                    Kind::Duration(s(0), min(10)),
                    Default("\"60s\""),
                    "How long it must have been 3 degrees below one of these before that is told",
                ),
            ]),
            Inside,
            "Limits of the processor's temperature; critical must be the highest one",
        ),
        key(
            "memory",
            Kind::Table(&[
                key("warn", Kind::Share, Default("\"10%\""), WARN),
                key("critical", Kind::Share, Default("\"5%\""), CRITICAL),
            ]),
            Inside,
            "Limits of the memory available to programs; critical must be the lower one",
        ),
        key(
            "load",
            Kind::Table(&[
                key("warn", LOAD, Default("\"400%\""), WARN),
                key("critical", LOAD, Default("\"1000%\""), CRITICAL),
            ]),
            Inside,
            "Limits of the one-minute load per processor; 100% is one process on each, critical \
             must be the higher one",
        ),
        key(
            "pressure",
            Kind::Table(&[
                key("warn", Kind::Share, Default("\"10%\""), WARN),
                key("critical", Kind::Share, Default("\"40%\""), CRITICAL),
            ]),
            Inside,
            "Limits of the time in which everything waits for memory (PSI; a Pi needs psi=1 in \
             cmdline.txt); critical must be the higher one",
        ),
        key(
            "shed_memory",
            Kind::Flag,
            Default("false"),
            "Stop services of the class optional when memory is critical, or the machine thrashes, for \
             30s, and those of the class normal after 90s",
        ),
    ],
};

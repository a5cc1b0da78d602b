//! The keys of `[led]`.

use super::key;
use crate::config::schema::Absent::{Default, Nothing};
use crate::config::schema::{Key, Kind, Section};

/// The name of an LED of the kernel.
pub const NAME: Key = key(
    "name",
    Kind::Text,
    Default("\"none\""),
    "An LED of the kernel's LED class, such as \"ACT\": the name of its folder in /sys/class/leds, \
     which `fieldwarden led list` shows; \"none\" for none of them",
);

/// The chip of an LED's line.
pub const GPIO: Key = key(
    "gpio",
    Kind::Text,
    Default("\"header\""),
    "Label of the GPIO chip that the line belongs to; \"header\" is that of the Pi's pins",
);

/// The line of an LED.
pub const LINE: Key = key(
    "line",
    Kind::Count(0, 127),
    Nothing("17"),
    "Instead of a name: the number of the line that an LED is wired to",
);

/// The polarity of an LED on a line.
pub const ACTIVE_LOW: Key = key(
    "active_low",
    Kind::Flag,
    Default("false"),
    "With a line: the LED is lit while the line is low",
);

/// The status LED.
pub const LED: Section = Section {
    header: "led",
    meaning: "The status LED, which shows how the machine stands. None is driven unless one is named \
              here or in the board file: every LED of a computer has a meaning already.",
    keys: &[
        NAME,
        GPIO,
        LINE,
        ACTIVE_LOW,
        key(
            "enabled",
            Kind::Flag,
            Default("true"),
            "With false, none is driven even if the board file names one",
        ),
    ],
};

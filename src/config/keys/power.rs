//! The keys of `[power]`.

use super::super::schema::{Absent, Kind, Section};
use super::{hours, key, s};
use Absent::{Default, Nothing};

/// What is done while mains are away.
pub const POWER: Section = Section {
    header: "power",
    meaning: "What is done while mains are away and a battery runs the machine.",
    keys: &[
        key(
            "ride_through",
            Kind::WordOrDuration(&["never"], s(5), hours(24)),
            Default("\"60s\""),
            "Time on battery after which the machine is halted; with \"never\", for large batteries, \
             only a battery that is low or not heard of ends it",
        ),
        key(
            "low_charge",
            Kind::Share,
            Nothing("\"15%\""),
            "Charge at or below which the battery is low; without this key, what the board file says",
        ),
        key(
            "shed_optional",
            Kind::Duration(s(2), hours(1)),
            Default("\"10s\""),
            "Time on battery after which services of the class optional are stopped until mains are \
             back",
        ),
        key(
            "shed_normal",
            Kind::Share,
            Default("\"60%\""),
            "Charge at or below which services of the class normal are stopped too, as they are after \
             half of ride_through",
        ),
        key(
            "come_back",
            Kind::Share,
            Default("\"20%\""),
            "Charge that the battery is to have before services run again that an outage has stopped, \
             or that are to start after a power-off for want of mains; where no charge is told, a \
             voltage a quarter of the way from low to full",
        ),
        key(
            "come_back_after",
            Kind::Duration(s(0), hours(1)),
            Default("\"60s\""),
            "Time with mains after which they run again in any case; 0s: at once",
        ),
        key(
            "battery_lasts",
            Kind::Duration(s(5), hours(24)),
            Nothing("\"20min\""),
            "Time that the charged battery runs this machine at least, as somebody has tried; `check` \
             compares what an outage may take with it, and nothing else goes by it",
        ),
    ],
};

//! Lists every key of a board file with its bounds, its default and its meaning.
//!
//! The schema is frozen: keys and sections are added, none is renamed or changes what it means. It
//! never reads a file.

mod chip;

use super::super::keys::led;
use super::super::schema::{Absent, Key, Kind, Section};
use Absent::{Default, Nothing, Required};
pub use chip::CHIP;
use std::time::Duration;

const fn key(name: &'static str, kind: Kind, absent: Absent, meaning: &'static str) -> Key {
    Key {
        name,
        kind,
        absent,
        meaning,
    }
}

/// A pack of one to four cells, charged or not.
const VOLTAGE: Kind = Kind::Voltage(1_000, 20_000);

/// Lines that a header or an expander can have.
const LINE: Kind = Kind::Count(0, 127);

const LEVEL: Kind = Kind::Choice(&["high", "low"]);

/// One byte of a chip.
const BYTE: Kind = Kind::Count(0, 255);

/// The longest that a line is held before it would have to be called stuck.
const HOLD: Kind = Kind::Duration(Duration::from_millis(1), Duration::from_secs(30));

const LINE_CHIP: Key = key(
    "gpio",
    Kind::Text,
    Default("\"header\""),
    "Label of the GPIO chip that the line belongs to; \"header\" is that of the Pi's pins",
);

/// The sections of a board file, in the order in which the page on boards shows them.
pub const SECTIONS: &[Section] = &[
    ROOT,
    BATTERY,
    CHIP,
    MAINS_LINE,
    MAINS_REGISTER,
    MAINS_VOLTAGE,
    MAINS_CHIP,
    MAINS_CURRENT,
    MAINS_KERNEL,
    ALIVE,
    CUT_LINE,
    CUT_ALIVE,
    CUT_REGISTER,
    LED,
    PIN,
];

/// How far a board file can be trusted, from most to least.
pub const CONFIDENCE: [&str; 5] = ["tried", "maker", "data-sheet", "reported", "unknown"];

/// The keys above the first header.
pub const ROOT: Section = Section {
    header: "",
    meaning: "The board as a whole.",
    keys: &[
        key(
            "version",
            Kind::Count(1, 1),
            Default("1"),
            "Version of this file's format",
        ),
        key(
            "name",
            Kind::Text,
            Required("\"x728\""),
            "What `board` in the configuration calls it; the name of the file without .toml",
        ),
        key(
            "title",
            Kind::Text,
            Required("\"Geekworm X728 v2.1 and later\""),
            "What people call it, with its revisions",
        ),
        key(
            "simulated",
            Kind::Flag,
            Default("false"),
            "There is no such board: watchdog, sensors and gauge are simulated",
        ),
        key(
            "advice",
            Kind::Texts,
            Default("[]"),
            "What the owner has to do that no program can, such as fitting a jumper",
        ),
        key(
            "comes_back",
            Kind::Choice(&["yes", "no", "unknown"]),
            Default("\"unknown\""),
            "After a power-off, whether the board starts the computer by itself when there is power from \
             outside again",
        ),
        key(
            "cuts_by_itself",
            Kind::Flag,
            Default("false"),
            "The board, or its maker's program, cuts the power when the computer is off, without being told \
             by a section of this file",
        ),
        key(
            "confidence",
            Kind::Choice(&CONFIDENCE),
            Default("\"unknown\""),
            "How far the file can be trusted: \"tried\" on the board; \"maker\": by the maker's own code \
             or pages; \"data-sheet\": by those of its chips; \"reported\": by what others found out",
        ),
        key(
            "sources",
            Kind::Texts,
            Default("[]"),
            "Where what stands in the file comes from, one text for each",
        ),
        key(
            "not_known",
            Kind::Texts,
            Default("[]"),
            "What is not known of the board, and is left out for that reason",
        ),
    ],
};

/// The battery.
pub const BATTERY: Section = Section {
    header: "battery",
    meaning: "The battery. Voltages are those of the pack, all cells in series together.",
    keys: &[
        key("cells", Kind::Count(1, 4), Required("1"), "Cells in series"),
        key(
            "empty",
            VOLTAGE,
            Required("\"3V\""),
            "Nothing is left: the board may switch off, or its cells take harm",
        ),
        key(
            "low",
            VOLTAGE,
            Required("\"3.2V\""),
            "At or below it the machine should be halted",
        ),
        key("full", VOLTAGE, Required("\"4.2V\""), "Charged, on mains"),
        key(
            "low_charge",
            Kind::Share,
            Nothing("\"15%\""),
            "At or below it the machine should be halted; only with a chip that tells the charge",
        ),
    ],
};

/// Mains by a line.
pub const MAINS_LINE: Section = Section {
    header: "mains.line",
    meaning: "Power from outside is told by a GPIO line. One of these ways can be given; without \
              any, the kernel's power supplies tell, if there are such.",
    keys: &[
        LINE_CHIP,
        key(
            "line",
            LINE,
            Required("6"),
            "Number of the line on its chip",
        ),
        key(
            "lost",
            LEVEL,
            Required("\"high\""),
            "The level that means that there is no power from outside",
        ),
        key(
            "pull",
            Kind::Choice(&["as-is", "up", "down"]),
            Default("\"as-is\""),
            "The resistor that holds the line while nobody drives it; \"as-is\" leaves it as it was",
        ),
        key(
            "debounce",
            Kind::Duration(Duration::ZERO, Duration::from_secs(2)),
            Default("\"50ms\""),
            "A level that lasts shorter does not count",
        ),
    ],
};

/// Mains by a bit.
pub const MAINS_REGISTER: Section = Section {
    header: "mains.register",
    meaning: "Power from outside is told by bits of a chip.",
    keys: &[
        key(
            "chip",
            Kind::Text,
            Required("\"mcu\""),
            "The chip, by its name",
        ),
        key("register", BYTE, Required("0x02"), "The register, one byte"),
        key("mask", Kind::Count(1, 255), Required("0x20"), "The bits"),
        key(
            "present",
            BYTE,
            Required("0x20"),
            "What these bits are while there is power from outside",
        ),
    ],
};

/// Mains by a voltage.
pub const MAINS_VOLTAGE: Section = Section {
    header: "mains.voltage",
    meaning: "Power from outside is told by what a chip measures at the inputs of the board.",
    keys: &[
        key(
            "chip",
            Kind::Text,
            Required("\"mcu\""),
            "The chip, by its name",
        ),
        key(
            "registers",
            Kind::Bytes,
            Required("[0x07, 0x09]"),
            "The first register of each input; there is power while one of them has enough, up to four",
        ),
        chip::ORDER,
        chip::MASK,
        chip::ENCODING,
        chip::SIGNED,
        chip::TIMES,
        chip::DIVIDED_BY,
        chip::PLUS,
        chip::INPUT_MOST,
        key(
            "above",
            VOLTAGE,
            Required("\"4V\""),
            "A voltage above it is enough",
        ),
    ],
};

/// Mains by a chip whose protocol tells it.
pub const MAINS_CHIP: Section = Section {
    header: "mains.chip",
    meaning: "Power from outside is told by a chip with a protocol of its own (\"framed:\").",
    keys: &[key(
        "chip",
        Kind::Text,
        Required("\"mcu\""),
        "The chip, by its name",
    )],
};

/// Mains by the current.
pub const MAINS_CURRENT: Section = Section {
    header: "mains.current",
    meaning: "Power from outside is told by the battery's current: while it flows out, there is none.",
    keys: &[key(
        "dead_band",
        Kind::Current(1, 1_000),
        Default("\"50mA\""),
        "A current out of the battery that is not larger does not count: the noise of the chip, or \
         a charger that rests",
    )],
};

/// Mains by the kernel.
pub const MAINS_KERNEL: Section = Section {
    header: "mains.kernel",
    meaning: "Power from outside is told by one power supply of the kernel.",
    keys: &[key(
        "supply",
        Kind::Text,
        Required("\"x120x-ac\""),
        "Its name below /sys/class/power_supply",
    )],
};

/// The alive line.
pub const ALIVE: Section = Section {
    header: "alive",
    meaning: "A line that shows the board that the computer runs.",
    keys: &[
        LINE_CHIP,
        key(
            "line",
            LINE,
            Required("12"),
            "Number of the line on its chip",
        ),
        key(
            "level",
            LEVEL,
            Default("\"high\""),
            "The level while the computer runs",
        ),
    ],
};

/// Power cut by a line.
pub const CUT_LINE: Section = Section {
    header: "cut.line",
    meaning: "The board cuts the power when a line is held for a while, after everything has been \
              unmounted. Without one of these ways of cutting the power, the board cuts none.",
    keys: &[
        LINE_CHIP,
        key(
            "line",
            LINE,
            Required("26"),
            "Number of the line on its chip",
        ),
        key("level", LEVEL, Default("\"high\""), "The level to hold"),
        key(
            "hold",
            HOLD,
            Required("\"3s\""),
            "For how long; then it is put back",
        ),
    ],
};

/// Power cut by the alive line.
pub const CUT_ALIVE: Section = Section {
    header: "cut.alive",
    meaning: "The board cuts the power when the alive line has fallen, which it does after everything has \
              been unmounted.",
    keys: &[key(
        "falls",
        Kind::Flag,
        Required("true"),
        "The board looks at the line; only true can be written",
    )],
};

/// What opens a chip.
const UNLOCK: &[Key] = &[
    key("register", BYTE, Required("0x0B"), "The register, one byte"),
    key("open", BYTE, Required("0x29"), "What opens it"),
    key("close", BYTE, Required("0x00"), "What closes it"),
];

/// What is written first.
const BEFORE: &[Key] = &[
    key("register", BYTE, Required("0x09"), "The register, one byte"),
    key("value", BYTE, Required("30"), "What is written"),
];

/// Power cut by a register.
pub const CUT_REGISTER: Section = Section {
    header: "cut.register",
    meaning: "The board cuts the power some time after a register was written.",
    keys: &[
        key(
            "chip",
            Kind::Text,
            Required("\"mcu\""),
            "The chip, by its name",
        ),
        key("register", BYTE, Required("0x01"), "The register, one byte"),
        key("value", BYTE, Required("0x55"), "What is written"),
        key(
            "keep",
            BYTE,
            Default("0x00"),
            "Bits that stay as the register holds them; it is read first for that",
        ),
        key(
            "check",
            Kind::Choice(&["none", "xor"]),
            Default("\"none\""),
            "\"xor\": 0xFF xor the byte is written behind it",
        ),
        key(
            "unlock",
            Kind::Table(UNLOCK),
            Nothing("{ register = 0x0B, open = 0x29, close = 0x00 }"),
            "What opens the chip for writing, and closes it again",
        ),
        key(
            "before",
            Kind::Table(BEFORE),
            Nothing("{ register = 0x09, value = 30 }"),
            "Another register that is written first, such as one that holds the time that is left",
        ),
        key(
            "delay",
            Kind::Duration(Duration::from_secs(1), Duration::from_secs(600)),
            Required("\"30s\""),
            "The time that is left then; with when = \"before-halt\" from 30s",
        ),
        key(
            "cancel",
            BYTE,
            Nothing("0x00"),
            "What is written to take it back; without it, it cannot be taken back",
        ),
        key(
            "when",
            Kind::Choice(&["before-halt", "after-unmount"]),
            Default("\"before-halt\""),
            "\"before-halt\": when services are down and file systems are synced, so that init has to \
             unmount in the time that is left; \"after-unmount\": at the very end, when nothing is left \
             that could be lost",
        ),
    ],
};

/// The status LED.
pub const LED: Section = Section {
    header: "led",
    meaning: "The status LED, by its name in the kernel or by its line. [led] of the configuration \
              goes before it.",
    keys: &[led::NAME, led::GPIO, led::LINE, led::ACTIVE_LOW],
};

/// A pin that the board uses in its own way.
pub const PIN: Section = Section {
    header: "pin.NAME",
    meaning: "A line that the board uses for something that no other section names. Nothing else can \
              have it; fieldwarden leaves it alone.",
    keys: &[
        LINE_CHIP,
        key(
            "line",
            LINE,
            Required("20"),
            "Number of the line on its chip",
        ),
        key(
            "use",
            Kind::Text,
            Required("\"its buzzer\""),
            "What the board uses it for",
        ),
    ],
};

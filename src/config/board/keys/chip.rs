//! The keys of a chip.

use super::super::super::schema::{Absent, Key, Kind, Section};
use super::{BYTE, key};
use Absent::{Default, Nothing, Required};

const fn field(name: &'static str, meaning: &'static str) -> Key {
    let example = "{ register = 0x20, order = \"low-first\" }";
    key(name, Kind::Table(FIELD), Nothing(example), meaning)
}

/// How many bytes, and in which order.
pub(super) const ORDER: Key = key(
    "order",
    Kind::Choice(&["byte", "high-first", "low-first"]),
    Required("\"low-first\""),
    "\"byte\": it is one byte; else there are two, the high or the low one first",
);

/// The bits that count.
pub(super) const MASK: Key = key(
    "mask",
    Kind::Count(1, 65_535),
    Default("0xFFFF"),
    "The bits that count; the lowest of them counts one",
);

/// How they are a number.
pub(super) const ENCODING: Key = key(
    "encoding",
    Kind::Choice(&["binary", "bcd", "hundredths"]),
    Default("\"binary\""),
    "\"bcd\": four bits are a decimal digit; \"hundredths\": the high byte has whole ones, the low one \
     hundredths, and together they are a number of hundredths",
);

/// Whether it has a sign.
pub(super) const SIGNED: Key = key(
    "signed",
    Kind::Flag,
    Default("false"),
    "The highest of these bits is the sign",
);

/// What the number is multiplied by.
pub(super) const TIMES: Key = key(
    "times",
    Kind::Count(1, 1_000_000),
    Default("1"),
    "The number is multiplied by this",
);

/// What it is divided by.
pub(super) const DIVIDED_BY: Key = key(
    "divided_by",
    Kind::Count(1, 1_000_000),
    Default("1"),
    "Then it is divided by this",
);

/// What is added.
pub(super) const PLUS: Key = key(
    "plus",
    Kind::Signed(-100_000, 100_000),
    Default("0"),
    "And this is added: millivolts, percent or milliamperes",
);

/// The most that an input has.
pub(super) const INPUT_MOST: Key = key(
    "most",
    Kind::Count(1, 100_000),
    Default("30000"),
    "What is larger than this, in millivolts, is not believed",
);

/// Where a quantity stands.
const FIELD: &[Key] = &[
    key(
        "register",
        BYTE,
        Required("0x20"),
        "The register of its first byte",
    ),
    ORDER,
    MASK,
    ENCODING,
    SIGNED,
    TIMES,
    DIVIDED_BY,
    PLUS,
    key(
        "most",
        Kind::Count(1, 100_000),
        Nothing("100"),
        "What is larger than this is not believed: the chip says so that it does not know",
    ),
];

/// A register that tells which chip it is.
const ID: &[Key] = &[
    key("register", BYTE, Required("0x00"), "The register, one byte"),
    key("value", BYTE, Required("0x0A"), "What it holds"),
];

/// A register that wakes a chip up.
const WAKE: &[Key] = &[
    key("register", BYTE, Required("0x0A"), "The register, one byte"),
    key(
        "mask",
        Kind::Count(1, 255),
        Required("0xC0"),
        "Its bits that are all 0 while the chip is awake",
    ),
    key(
        "value",
        BYTE,
        Required("0x00"),
        "What is written if they are not",
    ),
];

/// One chip.
pub const CHIP: Section = Section {
    header: "chip.NAME",
    meaning: "A chip on the I2C bus; there may be several, and what the first one cannot tell is \
              taken from the next.",
    keys: &[
        key(
            "driver",
            Kind::Choice(&[
                "max1704x",
                "ina219",
                "registers",
                "framed:pijuice",
                "framed:sixfab",
                "framed:pironman-u1",
            ]),
            Required("\"max1704x\""),
            "What kind of chip it is; \"registers\" tells what `voltage`, `charge` and `current` name, those \
             with \"framed:\" have a protocol of their own",
        ),
        key("bus", Kind::Count(0, 255), Default("1"), "The bus"),
        key(
            "address",
            Kind::Address,
            Required("0x36"),
            "Its address on the bus",
        ),
        key(
            "model",
            Kind::Choice(&[
                "max17040", "max17041", "max17043", "max17044", "max17048", "max17049", "max17058",
                "max17059",
            ]),
            Nothing("\"max17043\""),
            "For max1704x: which of the family it is; it decides the scale of the voltage",
        ),
        key(
            "shunt",
            Kind::Resistance(1_000, 1_000_000),
            Nothing("\"100mOhm\""),
            "For ina219: its shunt",
        ),
        key(
            "range",
            Kind::Current(100, 20_000),
            Nothing("\"3.2A\""),
            "For ina219: the largest current to be measured",
        ),
        key(
            "charging",
            Kind::Choice(&["positive", "negative"]),
            Nothing("\"positive\""),
            "For ina219, and for registers with a current: the sign of the one that charges the battery",
        ),
        field(
            "voltage",
            "For registers: where the voltage of the pack stands, in millivolts",
        ),
        field(
            "charge",
            "For registers: where it stands what is left in the battery, in percent",
        ),
        field(
            "current",
            "For registers: where the current of the battery stands, in milliamperes",
        ),
        key(
            "bytewise",
            Kind::Flag,
            Default("false"),
            "For registers: the chip refuses to be read by more than one byte at a time",
        ),
        key(
            "alike",
            Kind::Count(1, 5),
            Default("1"),
            "For registers: a value counts when so many reads in a row are alike",
        ),
        key(
            "id",
            Kind::Table(ID),
            Nothing("{ register = 0x00, value = 0x0A }"),
            "For registers: what tells this chip from others at its address; with anything else there it \
             is not believed",
        ),
        key(
            "wake",
            Kind::Table(WAKE),
            Nothing("{ register = 0x0A, mask = 0xC0, value = 0x00 }"),
            "For registers: what wakes up a chip that sleeps",
        ),
        key(
            "never_write",
            Kind::Bytes,
            Default("[]"),
            "For registers: what must never be written, because it destroys something; a file that has \
             it written is refused",
        ),
    ],
};

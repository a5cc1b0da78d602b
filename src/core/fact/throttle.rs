//! The throttle flags of a Raspberry Pi's firmware, as the property `GET_THROTTLED` holds them.
//!
//! Each of four conditions has two bits: that it holds *now*, and that it *has occurred* since the
//! boot or since somebody cleared that bit. Bits: Raspberry Pi documentation, `vcgencmd
//! get_throttled`.

/// One of the four conditions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ThrottleFlag {
    /// The supply is below 4.63 V (within 5 %). Boards of the Zero family cannot tell.
    UnderVoltage,
    /// The firmware keeps the processor's frequency below what was asked for.
    FrequencyCapped,
    /// The processor is slowed down because of heat or low voltage.
    Throttled,
    /// The temperature is above the soft limit (60 °C on a 3B+, 80 °C elsewhere).
    SoftLimit,
}

impl ThrottleFlag {
    /// All of them, in the order of their bits.
    pub const ALL: [ThrottleFlag; 4] = [
        ThrottleFlag::UnderVoltage,
        ThrottleFlag::FrequencyCapped,
        ThrottleFlag::Throttled,
        ThrottleFlag::SoftLimit,
    ];

    /// The number of the bit that says *now*: 0 to 3.
    pub fn bit(self) -> u32 {
        match self {
            ThrottleFlag::UnderVoltage => 0,
            ThrottleFlag::FrequencyCapped => 1,
            ThrottleFlag::Throttled => 2,
            ThrottleFlag::SoftLimit => 3,
        }
    }
}

/// All bits as the firmware gives them; bits that nobody knows are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ThrottleFlags(pub u32);

impl ThrottleFlags {
    /// From the bit that says *now* to the one that says *has occurred*.
    pub const OCCURRED: u32 = 16;

    /// The condition holds now.
    pub fn now(self, flag: ThrottleFlag) -> bool {
        self.0 & (1 << flag.bit()) != 0
    }

    /// The condition has occurred since the boot, or since somebody cleared this bit.
    pub fn occurred(self, flag: ThrottleFlag) -> bool {
        self.0 & (1 << (flag.bit() + Self::OCCURRED)) != 0
    }

    /// The same, with the condition having occurred.
    #[must_use]
    pub fn with_occurred(self, flag: ThrottleFlag) -> ThrottleFlags {
        ThrottleFlags(self.0 | 1 << (flag.bit() + Self::OCCURRED))
    }

    /// The same, with the condition holding now, which means that it has occurred.
    #[must_use]
    pub fn with_now(self, flag: ThrottleFlag) -> ThrottleFlags {
        ThrottleFlags(self.with_occurred(flag).0 | 1 << flag.bit())
    }
}

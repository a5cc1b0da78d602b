//! What the guards of disks and memory see.

/// Index of a directory with a canary in [`Settings::canaries`](super::super::settings::Settings).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct CanaryId(pub u16);

/// Index of a cap in [`Settings::caps`](super::super::settings::Settings).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct CapId(pub u16);

/// What was deleted to keep a cap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Freed {
    /// How many files.
    pub files: u32,
    /// Their sizes together, in bytes.
    pub bytes: u64,
}

/// How worn a medium is, as it tells itself (kernel: Documentation/driver-api/mmc/mmc-dev-attrs.rst).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wear {
    /// The part of its life that is used up, in tenths that were begun: 1 to 10; 11 if it is over; 0
    /// if it does not say.
    pub life: u8,
    /// Its spare blocks: 1 as it should be, 2 if most are used up, 3 if nearly all; 0 if it does not
    /// say.
    pub spare: u8,
}

/// How much is written to and read from swap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Swap {
    /// Read back, in KiB a second.
    pub read: u32,
    /// Written, in KiB a second.
    pub written: u32,
    /// Some of it lies on a disk or card, and not in memory (zram).
    pub on_disk: bool,
}

//! Notes of the guards of disks and memory.

use crate::core::fact::{CanaryId, CapId, Errno, Fault, MountId, Wear};
use crate::core::note::{GuardNote, Note};
use crate::core::picture::{Shed, Verdict};
use crate::units::Permille;
use std::time::Duration;

pub(super) fn notes() -> Vec<(Note, &'static str)> {
    let (canary, cap) = (CanaryId(0), CapId(0));
    let of = |note, words| (Note::Guard(note), words);
    let failed = |why| GuardNote::CanaryFailed { canary, why };
    let worn = |verdict, life, spare| GuardNote::MediumWorn {
        verdict,
        mount: MountId(0),
        wear: Wear { life, spare },
    };
    let pressure = |verdict, full| GuardNote::MemoryPressure {
        verdict,
        full: Permille(full),
    };
    let shedding = |shed| GuardNote::MemoryShedding { shed };
    vec![
        of(
            failed(Fault::Errno(Errno(30))),
            "the canary in /data failed: read-only file system (EROFS); nothing that is written there is \
             safe, look into `dmesg` and at the card",
        ),
        of(
            failed(Fault::Implausible),
            "the canary in /data failed: what was read back is not what was written; nothing that is \
             written there is safe, look into `dmesg` and at the card",
        ),
        of(
            GuardNote::CanarySlow {
                canary,
                took: Duration::from_secs(12),
            },
            "the canary in /data took 12 s: the card is overloaded, or failing",
        ),
        of(
            GuardNote::CanaryWell { canary },
            "the canary in /data is well again",
        ),
        of(
            GuardNote::CapTrimmed {
                cap,
                files: 3,
                bytes: 40_960,
            },
            "cap logs: deleted the 3 oldest of its files, 40 KiB",
        ),
        of(
            GuardNote::CapOver { cap },
            "cap logs: still above it, though all was deleted that may be: raise `max`, or look at `only` \
             and `keep`",
        ),
        of(
            GuardNote::CapFailed {
                cap,
                why: Fault::Errno(Errno(13)),
            },
            "cap logs cannot be looked after: permission denied (EACCES)",
        ),
        of(
            worn(Verdict::Warn, 10, 2),
            "the medium of / is worn: up to 100% of its life is used up; have another one ready",
        ),
        of(
            worn(Verdict::Critical, 11, 1),
            "the medium of / is worn out: its life is over; change it",
        ),
        of(
            worn(Verdict::Ok, 1, 1),
            "the medium of / is well: up to 10% of its life is used up",
        ),
        of(
            pressure(Verdict::Warn, 125),
            "everything waits for memory for 12.5% of the time",
        ),
        of(
            pressure(Verdict::Ok, 10),
            "memory is not pressed for any more (1% of the time)",
        ),
        of(
            GuardNote::Thrashing { on_disk: true },
            "the machine thrashes: it works for its swap, which wears the card out; run less on it, or give \
             it more memory",
        ),
        of(
            GuardNote::Thrashing { on_disk: false },
            "the machine thrashes: it works for its swap; run less on it, or give it more memory",
        ),
        of(
            GuardNote::ThrashingOver,
            "the machine does not thrash any more",
        ),
        of(
            shedding(Shed::Optional),
            "memory is scarce: optional services are stopped",
        ),
        of(
            shedding(Shed::Normal),
            "memory is scarce: only essential services are kept",
        ),
        of(
            shedding(Shed::Nothing),
            "there is memory again: all services may run",
        ),
    ]
}

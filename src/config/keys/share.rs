//! The keys of a service about its share of the machine: what its control group may take.

use super::super::schema::{Absent, Key, Kind};
use super::key;
use super::rights::{SIZE_MAX, UNLIMITED};
use Absent::{Default, Nothing};

pub(super) const CPU_QUOTA: Key = key(
    "cpu_quota",
    Kind::Load(1, 100_000),
    Nothing("\"50%\""),
    "Most processor time that all its processes take together, even of processors that are idle; \
     \"100%\" is one processor; without this key, all there is",
);

pub(super) const CPU_WEIGHT: Key = key(
    "cpu_weight",
    Kind::Count(1, 10_000),
    Default("100"),
    "Its share of the processors while they are short, beside the weights of the other services",
);

pub(super) const MEMORY_HIGH: Key = key(
    "memory_high",
    Kind::Amount(UNLIMITED, SMALLEST, SIZE_MAX),
    Default("\"unlimited\""),
    "Memory from which on it is slowed down and has to give some back",
);

pub(super) const MEMORY_MAX: Key = key(
    "memory_max",
    Kind::Amount(UNLIMITED, SMALLEST, SIZE_MAX),
    Default("\"75%\""),
    "Memory that it cannot exceed: the kernel ends it instead; a share is one of all the machine's memory",
);

pub(super) const SWAP_MAX: Key = key(
    "swap_max",
    Kind::Amount(UNLIMITED, 0, SIZE_MAX),
    Default("\"unlimited\""),
    "Swap that it cannot exceed",
);

pub(super) const OOM_GROUP: Key = key(
    "oom_group",
    Kind::Flag,
    Default("true"),
    "When the kernel ends one of its processes because memory is out, it ends all of them",
);

pub(super) const IO_WEIGHT: Key = key(
    "io_weight",
    Kind::Count(1, 1000),
    Default("100"),
    "Its share of a disk while that is short; of disks with the scheduler bfq only",
);

pub(super) const PIDS_MAX: Key = key(
    "pids_max",
    Kind::WordOrCount(UNLIMITED, 1, 4_194_304),
    Nothing("64"),
    "Processes and threads of it that there may be at a time; without this key one for every 4 MiB of \
     the machine's memory, at least 128 and at most 512",
);

/// Less would not even load a program.
const SMALLEST: u64 = 1024 * 1024;

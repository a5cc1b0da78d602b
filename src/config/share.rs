//! Reads the share of the machine that a service may take.

use super::schema;
use super::table::{At, Table};
use crate::core::fact::Controller;
use crate::units::Permille;

/// An amount of memory or swap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// All there is.
    Unlimited,
    /// So many bytes.
    Bytes(u64),
    /// A share of the machine's memory.
    Share(Permille),
}

impl Amount {
    /// In bytes, on a machine with so much memory; `None` for all there is.
    pub fn bytes(self, memory: u64) -> Option<u64> {
        match self {
            Amount::Unlimited => None,
            Amount::Bytes(bytes) => Some(bytes),
            Amount::Share(Permille(share)) => Some(memory / 1000 * u64::from(share)),
        }
    }
}

/// How many processes and threads of a service there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pids {
    /// As many as the machine has room for.
    ByMemory,
    /// No limit of its own.
    Unlimited,
    /// So many.
    Most(u32),
}

/// Memory of the machine for each process that a service without a limit of its own may have, in bytes:
/// a shell that forks takes some 0.8 MiB for each, with what the kernel needs for it.
const ROOM_OF_A_PROCESS: u64 = 4 << 20;

/// Bounds of that: a server with a thread for each client still works on a machine with 512 MiB, and
/// no service without a limit of its own has more on a large one.
const FEWEST: u32 = 128;
const MOST: u32 = 512;

impl Pids {
    /// Their number on a machine with so many bytes of memory; `None` for as many as there may be.
    pub fn number(self, memory: u64) -> Option<u32> {
        match self {
            Pids::Unlimited => None,
            Pids::Most(number) => Some(number),
            Pids::ByMemory => {
                let fit = u32::try_from(memory / ROOM_OF_A_PROCESS).unwrap_or(MOST);
                Some(fit.clamp(FEWEST, MOST))
            }
        }
    }
}

/// What the control group of a service may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// Most processor time, in percent of one processor; `None` for all there is.
    pub cpu_quota: Option<u32>,
    /// Weight on the processors, 1 to 10,000.
    pub cpu_weight: u32,
    /// Memory from which on it is slowed down.
    pub memory_high: Amount,
    /// Memory that it cannot exceed.
    pub memory_max: Amount,
    /// Swap that it cannot exceed.
    pub swap_max: Amount,
    /// The kernel ends all of its processes together when memory is out.
    pub oom_group: bool,
    /// Weight on disks, 1 to 1000.
    pub io_weight: u32,
    /// Processes and threads.
    pub pids_max: Pids,
    /// Controllers of which the configuration names a limit, with the name of the first such key.
    pub asked: Vec<(Controller, &'static str)>,
}

impl Share {
    /// The configuration gives it a limit of its own, beside a mere weight.
    pub fn is_own(&self) -> bool {
        let weight = |key: &str| matches!(key, "cpu_weight" | "io_weight" | "oom_group");
        self.asked.iter().any(|(_, key)| !weight(key))
    }
}

/// Reads the keys of a share.
pub(super) fn share(table: &mut Table<'_, '_, '_>) -> Option<Share> {
    let cpu_quota = table.load("cpu_quota");
    let cpu_weight = table.count("cpu_weight");
    let memory_high = table.amount("memory_high");
    let memory_max = table.amount("memory_max");
    let swap_max = table.amount("swap_max");
    let oom_group = table.flag("oom_group");
    let io_weight = table.count("io_weight");
    let pids_max = table.word_or_count("pids_max");
    if let (Some(high), Some(max)) = (&memory_high, &memory_max) {
        high_below_max(table, high, max);
        unbounded(table, high, max);
    }
    if let Some(all) = pids_max.as_ref().filter(|most| most.value.is_none()) {
        let what = format!("`{}`: nothing bounds its processes", table.full("pids_max"));
        let help = "write a number: one that forks without end takes the machine with it";
        let span = all.span.clone().unwrap_or(table.header());
        table.report().warning(span, what, help.to_owned());
    }
    let asked = [
        (Controller::Cpu, "cpu_quota"),
        (Controller::Memory, "memory_max"),
        (Controller::Memory, "memory_high"),
        (Controller::Memory, "swap_max"),
        (Controller::Pids, "pids_max"),
        (Controller::Cpu, "cpu_weight"),
        (Controller::Io, "io_weight"),
        (Controller::Memory, "oom_group"),
    ];
    Some(Share {
        cpu_quota: cpu_quota.map(|quota| quota.value),
        cpu_weight: cpu_weight?.value,
        memory_high: memory_high?.value,
        memory_max: memory_max?.value,
        swap_max: swap_max?.value,
        oom_group: oom_group?.value,
        io_weight: io_weight?.value,
        pids_max: pids_max.map_or(Pids::ByMemory, |most| {
            most.value.map_or(Pids::Unlimited, Pids::Most)
        }),
        asked: first_of_each(asked.into_iter().filter(|(_, key)| table.gives(key))),
    })
}

/// Warns of a service that was given all the memory there is.
fn unbounded(table: &mut Table<'_, '_, '_>, high: &At<Amount>, max: &At<Amount>) {
    if max.value != Amount::Unlimited || high.value != Amount::Unlimited {
        return;
    }
    let what = format!("`{}`: nothing bounds its memory", table.full("memory_max"));
    let help = "write an amount or a share, such as the default, \"75%\": one that leaks takes the \
                machine with it";
    let span = max.span.clone().unwrap_or(table.header());
    table.report().warning(span, what, help.to_owned());
}

/// The first key of each controller.
fn first_of_each(
    asked: impl Iterator<Item = (Controller, &'static str)>,
) -> Vec<(Controller, &'static str)> {
    let mut first: Vec<(Controller, &'static str)> = Vec::new();
    for (controller, key) in asked {
        if first.iter().all(|(known, _)| *known != controller) {
            first.push((controller, key));
        }
    }
    first
}

/// Reports a limit that slows down later than the one that ends.
fn high_below_max(table: &mut Table<'_, '_, '_>, high: &At<Amount>, max: &At<Amount>) {
    let (above, shown) = match (high.value, max.value) {
        (Amount::Bytes(high), Amount::Bytes(max)) => {
            (high > max, (schema::size(high), schema::size(max)))
        }
        (Amount::Share(high), Amount::Share(max)) => {
            (high > max, (high.to_string(), max.to_string()))
        }
        // Which is more depends on the machine.
        (Amount::Bytes(_), Amount::Share(_))
        | (Amount::Share(_), Amount::Bytes(_))
        | (Amount::Unlimited, _)
        | (_, Amount::Unlimited) => return,
    };
    if above {
        let what = format!(
            "`{}` ({}{}) is more than `memory_max` ({}{})",
            table.full("memory_high"),
            shown.0,
            high.origin(),
            shown.1,
            max.origin(),
        );
        let span = high.span.clone().or(max.span.clone());
        let span = span.unwrap_or(table.header());
        let help =
            "write a memory_high that is at most memory_max: it slows the service down before";
        table.report().error(span, what, help.to_owned());
    }
}

//! Reads the machine's vital signs: temperature, memory, load, the clocks, mains, and the firmware's
//! throttle flags.
//!
//! Every sample gives a fact for each of temperature, memory, load and the kernel's clock, in this
//! order: a reading or its loss; then one each for the pressure on memory, swap, mains, the
//! battery-backed clock and the flags, on machines that have them, and for the network, where somebody
//! needs it. Files are opened once and read in place, so a sample costs a few short reads and a look
//! for power supplies and for flags; a file that fails is opened again for the next sample, because
//! drivers come and go. Never judges a reading, except that one which cannot be true is lost.

use super::clock;
use super::memory_want::MemoryWant;
use super::network::Network;
use super::power_supply::{PowerSupplies, Supplies, fault_of};
use super::proc_text;
use super::rtc::Rtc;
use super::throttle::ThrottleSources;
use super::throttle_bell::ThrottleBell;
use crate::core::fact::{Errno, Fact, Fault, Reading, Source};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Types of thermal zones that measure the processor, best first. The first is the Pi's.
const CPU_ZONES: [&str; 4] = ["cpu-thermal", "cpu_thermal", "soc-thermal", "x86_pkg_temp"];

/// Names of hwmon devices that measure the processor, for kernels without thermal zones.
const CPU_MONITORS: [&str; 3] = ["cpu_thermal", "coretemp", "k10temp"];

/// Room for one file, in bytes. `/proc/meminfo` is the longest with about 1600; a smaller room
/// would do too, as the lines that matter come first.
const ROOM: usize = 4096;

/// Reads the kernel's clock.
pub type ClockProbe = Box<dyn FnMut() -> Result<Reading, Errno> + Send>;

/// The files behind the vital signs, open.
pub struct Vitals {
    root: PathBuf,
    clock: ClockProbe,
    thermometer: Option<KeptFile>,
    memory: KeptFile,
    load: KeptFile,
    cpus: KeptFile,
    want: MemoryWant,
    mains: Option<PowerSupplies>,
    rtc: Option<Rtc>,
    network: Option<Network>,
    throttle: ThrottleSources,
    room: Box<[u8; ROOM]>,
}

impl Vitals {
    /// The vital signs of the machine whose `/proc` and `/sys` are below `root`, and of the
    /// kernel's clock; these supplies tell of mains. Nothing is opened yet.
    pub fn new(root: PathBuf, supplies: Supplies) -> Vitals {
        let mains = PowerSupplies::new(&root, supplies);
        Vitals {
            mains,
            ..Vitals::with_clock(root, Box::new(clock::reading))
        }
    }

    /// The same with another opinion of the clock, and with any supply.
    pub fn with_clock(root: PathBuf, clock: ClockProbe) -> Vitals {
        Vitals {
            clock,
            thermometer: None,
            memory: KeptFile::at(root.join("proc/meminfo")),
            load: KeptFile::at(root.join("proc/loadavg")),
            cpus: KeptFile::at(root.join("sys/devices/system/cpu/online")),
            want: MemoryWant::new(&root),
            mains: PowerSupplies::new(&root, Supplies::Any { battery: false }),
            rtc: None,
            network: None,
            throttle: ThrottleSources::new(&root),
            room: Box::new([0; ROOM]),
            root,
        }
    }

    /// Looks at the battery-backed clock, too.
    #[must_use]
    pub fn with_rtc(mut self, rtc: Rtc) -> Vitals {
        self.rtc = Some(rtc);
        self
    }

    /// Looks for a way out of the machine, too.
    #[must_use]
    pub fn with_network(mut self) -> Vitals {
        self.network = Some(Network::new(&self.root));
        self
    }

    /// Has this rung when there is news of the throttle flags.
    #[must_use]
    pub fn with_bell(mut self, bell: ThrottleBell) -> Vitals {
        self.throttle = self.throttle.with_bell(bell);
        self
    }

    /// What the throttle flags say of the past is cleared unseen, unless one looks often.
    pub fn flags_fade(&self) -> bool {
        self.throttle.known() && self.throttle.forgets()
    }

    /// Takes all readings: temperature, memory, load, clock; mains and throttle flags where anything
    /// tells; and the battery-backed clock where there is one and it is time to look.
    pub fn sample(&mut self) -> Vec<Fact> {
        let mut facts = vec![
            fact(Source::Temperature, self.temperature()),
            fact(Source::Memory, self.memory()),
            fact(Source::Load, self.load()),
            fact(Source::Clock, self.clock()),
        ];
        facts.extend(self.want.sample());
        facts.extend(self.mains());
        facts.extend(self.rtc.as_mut().and_then(Rtc::sample));
        facts.extend(self.throttle.sample());
        facts.extend(self.network());
        facts
    }

    /// Looks for a way out of the machine alone, where somebody needs one.
    pub fn network(&mut self) -> Option<Fact> {
        self.network.as_mut().map(Network::sample)
    }

    /// Looks at the throttle flags alone, on machines that have any.
    pub fn glance(&mut self) -> Option<Fact> {
        let known = self.throttle.known();
        known.then(|| self.throttle.sample()).flatten()
    }

    /// Looks at the kernel's power supplies alone.
    pub fn mains(&mut self) -> Option<Fact> {
        self.mains.as_mut().and_then(PowerSupplies::sample)
    }

    fn temperature(&mut self) -> Result<Reading, Fault> {
        if self.thermometer.is_none() {
            self.thermometer = find_thermometer(&self.root).map(KeptFile::at);
        }
        let thermometer = self.thermometer.as_mut().ok_or(Fault::Absent)?;
        let text = thermometer.read(&mut *self.room);
        if text.is_err() {
            self.thermometer = None;
        }
        proc_text::temperature(text?)
            .map(Reading::Temperature)
            .ok_or(Fault::Implausible)
    }

    fn memory(&mut self) -> Result<Reading, Fault> {
        let text = self.memory.read(&mut *self.room)?;
        proc_text::memory_available(text)
            .map(|available| Reading::Memory { available })
            .ok_or(Fault::Implausible)
    }

    fn load(&mut self) -> Result<Reading, Fault> {
        let cpus = proc_text::cpu_count(self.cpus.read(&mut *self.room)?);
        let load = proc_text::load_centi(self.load.read(&mut *self.room)?);
        let (Some(cpus), Some(load)) = (cpus, load) else {
            return Err(Fault::Implausible);
        };
        Ok(Reading::Load {
            centi_per_cpu: load.checked_div(cpus).unwrap_or(load),
        })
    }

    fn clock(&mut self) -> Result<Reading, Fault> {
        (self.clock)().map_err(Fault::Errno)
    }
}

/// A reading, or its loss.
fn fact(source: Source, result: Result<Reading, Fault>) -> Fact {
    match result {
        Ok(reading) => Fact::Seen(reading),
        Err(why) => Fact::Lost { source, why },
    }
}

/// The file that tells the processor's temperature: that of the best thermal zone, else of the
/// zone with the lowest number, else of a hwmon device.
fn find_thermometer(root: &Path) -> Option<PathBuf> {
    let zones = numbered(&root.join("sys/class/thermal"), "thermal_zone");
    let best = CPU_ZONES
        .iter()
        .find_map(|wanted| zones.iter().find(|zone| holds(&zone.join("type"), wanted)));
    if let Some(zone) = best.or(zones.first()) {
        return Some(zone.join("temp"));
    }
    let monitors = numbered(&root.join("sys/class/hwmon"), "hwmon");
    let monitor = CPU_MONITORS.iter().find_map(|wanted| {
        let named = |monitor: &&PathBuf| holds(&monitor.join("name"), wanted);
        monitors.iter().find(named)
    })?;
    Some(monitor.join("temp1_input"))
}

/// The entries `PREFIX0`, `PREFIX1`, ... of a directory, by number.
fn numbered(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(prefix)?.parse();
            Some((number.ok()?, entry.path()))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, path)| path).collect()
}

/// The file holds this one word.
fn holds(path: &Path, word: &str) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.trim_ascii() == word.as_bytes())
}

/// A file that stays open between readings.
struct KeptFile {
    path: PathBuf,
    file: Option<File>,
}

impl KeptFile {
    fn at(path: PathBuf) -> KeptFile {
        KeptFile { path, file: None }
    }

    /// What the file holds now, as far as there is room. The kernel makes the text of such a file
    /// anew for every read from its beginning.
    fn read<'r>(&mut self, room: &'r mut [u8]) -> Result<&'r [u8], Fault> {
        match self.read_length(room) {
            Ok(length) => Ok(&room[..length.min(room.len())]),
            Err(error) => {
                self.file = None;
                Err(fault_of(&error))
            }
        }
    }

    fn read_length(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        self.file.insert(file).read_at(room, 0)
    }
}

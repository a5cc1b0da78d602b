//! How the machine is looked at: its own devices, or the simulated ones.

use super::Devices;
use crate::app::vital_signs::{RealVitals, SimVitals};
use crate::config::board::MainsBy;
use crate::config::{Config, Ends, UplinkPlan};
use crate::core::settings::{Network, Settings, WatchdogOwner};
use crate::edge::bound_chips::BoundChips;
use crate::edge::canary::Canaries;
use crate::edge::caps::Caps;
use crate::edge::disk::Disk;
use crate::edge::drive::OutputLine;
use crate::edge::gauge::{Gauge, Look};
use crate::edge::gpio::KernelLine;
use crate::edge::hardware::Hardware;
use crate::edge::i2c::KernelBus;
use crate::edge::inbox::Inbox;
use crate::edge::register::Writer;
use crate::edge::senses::Rhythm;
use crate::edge::sim_board::SimBoard;
use crate::edge::watchdog_device::WatchdogDevice;
use crate::edge::watchdog_driver::KernelWatchdog;
use crate::edge::{clock, senses, wear};
use crate::text::fault_sentence;
use crate::units::Mono;
use crossbeam_channel::{Receiver, bounded};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(super) type Sampler = Box<dyn FnMut(&Inbox) -> senses::Look + Send>;
pub(super) type Looker = Box<dyn FnMut() -> Look + Send>;

/// What is looked at of the way out with how it is judged, and what expires.
pub(super) type Outlook = (Option<(UplinkPlan, Network)>, Vec<Ends>);

/// How the machine is looked at.
pub(super) struct Samplers {
    pub vitals: Sampler,
    /// Rung when they are worth a look between two.
    pub bell: Receiver<()>,
    pub disk: Sampler,
    /// The canaries, where there are any.
    pub canary: Option<Sampler>,
    /// The way out, if somebody cares, and what expires.
    pub uplink: Option<Outlook>,
    /// The chips of the board, or the simulated ones.
    pub gauge: Option<Looker>,
    /// What writes to them.
    pub writer: Option<Writer>,
    /// The line that tells of mains, if a line does.
    pub line: Option<KernelLine>,
    /// The line that shows the board that the computer runs.
    pub alive: Option<OutputLine>,
}

impl Samplers {
    fn real(config: &Config, settings: &Arc<Settings>, hardware: &Hardware) -> Samplers {
        let board = &config.wiring.board;
        let (ring, bell) = bounded(1);
        let mut vitals = RealVitals::new(config, settings, hardware, ring);
        let mut rhythm = Rhythm::new(config.wiring.vitals_every);
        let mut disk = Disk::new("/".into());
        let mounts = settings.mounts.iter().map(|m| PathBuf::from(&**m));
        let mounts: Vec<PathBuf> = mounts.collect();
        let next = config.wiring.disk_every;
        let (mut caps, mut worn) = (Caps::new(settings.clone()), Mono(0));
        let gauge = board.chips.first().map(|first| {
            let bus = Box::new(KernelBus::of(first.bus, hardware));
            let mut gauge = Gauge::of(board, bus, BoundChips::new("/".as_ref()));
            Box::new(move || gauge.look()) as Looker
        });
        Samplers {
            alive: board
                .alive
                .as_ref()
                .map(|line| OutputLine::of(line, hardware)),
            vitals: Box::new(move |_| rhythm.look(clock::now(), &mut vitals)),
            bell,
            disk: Box::new(move |inbox| {
                // One that hangs must not keep back what those before it have answered.
                disk.sample_each(&mounts, |fact| inbox.send(fact));
                caps.sample_each(|fact| inbox.send(fact));
                let now = clock::now();
                let mut facts = Vec::new();
                if now >= worn {
                    worn = now.after(WORN);
                    facts = wear::look(Path::new("/"), &mounts);
                }
                senses::Look { facts, next }
            }),
            canary: canaries(config, settings),
            uplink: Some(outlook(config, settings)),
            gauge,
            writer: board.chips.first().map(|first| {
                let bus = Box::new(KernelBus::of(first.bus, hardware));
                Writer::of(bus, BoundChips::new("/".as_ref()))
            }),
            line: match &board.mains {
                MainsBy::Line {
                    line,
                    pull,
                    debounce,
                    ..
                } => Some(KernelLine::of(line.clone(), *pull, *debounce, hardware)),
                MainsBy::Supplies | MainsBy::Supply(_) => None,
                MainsBy::Register { .. } | MainsBy::Voltage { .. } => None,
                MainsBy::Chip { .. } | MainsBy::Current { .. } => None,
            },
        }
    }

    fn simulated(board: &SimBoard, config: &Config, settings: &Settings) -> Samplers {
        let mounts = u16::try_from(settings.mounts.len()).unwrap_or(u16::MAX);
        let [disk, gauge] = [board.clone(), board.clone()];
        let mut vitals = SimVitals::new(board.clone(), settings);
        let mut rhythm = Rhythm::new(config.wiring.vitals_every);
        let next = config.wiring.disk_every;
        Samplers {
            vitals: Box::new(move |_| rhythm.look(clock::now(), &mut vitals)),
            bell: crossbeam_channel::never(),
            disk: Box::new(move |_| senses::Look {
                facts: disk.sample_mounts(clock::now(), mounts),
                next,
            }),
            canary: None,
            uplink: Some(outlook(config, settings)),
            gauge: Some(Box::new(move || Look {
                facts: gauge.sample_gauge(clock::now()),
                doubtful: false,
            })),
            writer: None,
            line: None,
            alive: None,
        }
    }
}

/// Time between two looks at how worn the media are: that changes in months.
const WORN: Duration = Duration::from_secs(3600);

fn outlook(config: &Config, settings: &Settings) -> Outlook {
    let plan = config.wiring.uplink.clone();
    // The configuration gives both or none.
    let way = plan.zip(settings.network.clone());
    (way, config.wiring.expiries.clone())
}

/// What looks after the canaries.
fn canaries(config: &Config, settings: &Settings) -> Option<Sampler> {
    let directories = settings.canaries.iter().map(|dir| PathBuf::from(&**dir));
    let mut canaries = Canaries::new(directories.collect());
    let next = config.wiring.canary_every;
    let sample = move |inbox: &Inbox| {
        canaries.sample_each(|fact| inbox.send(fact));
        let facts = Vec::new();
        senses::Look { facts, next }
    };
    (!settings.canaries.is_empty()).then(|| Box::new(sample) as Sampler)
}

/// The watchdog, if it is ours, and the samplers, real or simulated.
pub(super) fn instruments(
    config: &Config,
    devices: Devices,
    settings: &Arc<Settings>,
) -> (Option<Box<dyn WatchdogDevice>>, Samplers) {
    let ours = settings.watchdog.owner == WatchdogOwner::Fieldwarden;
    let (watchdog, samplers): (Box<dyn WatchdogDevice>, _) = match devices {
        Devices::Real(hardware) => {
            let samplers = Samplers::real(config, settings, &hardware);
            let device = &config.wiring.watchdog_device;
            if let Err(why) = KernelWatchdog::stop_handed(ours.then_some(device), &hardware) {
                log::error!(
                    "the watchdog that is not named any more cannot be stopped ({}), and resets this \
                     machine",
                    fault_sentence(&why)
                );
            }
            (Box::new(KernelWatchdog::of(device, hardware)), samplers)
        }
        Devices::Simulated(board) => {
            let samplers = Samplers::simulated(&board, config, settings);
            let watchdog = board.watchdog(Arc::new(clock::now));
            (Box::new(watchdog), samplers)
        }
    };
    (ours.then_some(watchdog), samplers)
}

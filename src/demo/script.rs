//! The story of the demo, as data: acts, and in each what is done and what has to be seen.
//!
//! Terms: a *cue* is something done to the board, to a service or to the daemon; a *sight* is
//! something that has to be seen before the story goes on. All times are board time, and no step
//! relies on time alone where there is something to see.

use super::ledger::{Guard, Ledger, Phase, Watched};
use crate::core::fact::Fault;
use crate::core::picture::Verdict;
use crate::units::{MilliCelsius, Permille};
use std::time::Duration;

/// One act.
#[derive(Clone, Copy, Debug)]
pub struct Act {
    /// What it shows.
    pub title: &'static str,
    /// Its steps, one after the other.
    pub steps: &'static [Step],
}

/// One step of an act.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Do something.
    Do(Cue),
    /// Wait until something was seen, but no longer than this.
    See(Sight, Duration),
    /// Let this much time pass.
    Pause(Duration),
    /// Tell something.
    Say(&'static str),
    /// Tell how the other services fared in this act, leaving out this one.
    Neighbours(&'static str),
}

/// Something that is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cue {
    /// Make this service crash.
    Crash(&'static str),
    /// Make it hang.
    Hang(&'static str),
    /// Make it use a processor for this long, in a case that stands in the sun.
    Burn(&'static str, Duration),
    /// Bring the case back into the shade.
    Cool,
    /// Leave this much memory available.
    Memory(Permille),
    /// Give the clock its discipline, or take it away.
    Synced(bool),
    /// Give mains back, or cut them.
    Mains(bool),
    /// Let the watchdog device vanish, and another program open it.
    StealWatchdog,
    /// Let that program close it.
    ReturnWatchdog,
    /// Let the watchdog's driver not come back from a call.
    StickWatchdog,
    /// Let it come back.
    FreeWatchdog,
    /// Ask the daemon to end.
    Exit,
}

/// Something to be seen. Counts begin with the act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// The watchdog was armed.
    Armed,
    /// Every service is up.
    AllUp,
    /// This service came up as many times, and is up.
    Ups(&'static str, u32),
    /// It fell silent and was ended.
    Hung(&'static str),
    /// It was stopped on purpose and is down.
    Stopped(&'static str),
    /// The verdict on the temperature is this or worse.
    Heat(Verdict),
    /// The verdict on the temperature is good again.
    Cooled,
    /// The verdict on memory is this or worse.
    Memory(Verdict),
    /// The clock is disciplined, or not.
    Synced(bool),
    /// The board runs on its battery, or on mains again.
    OnBattery(bool),
    /// The watchdog device failed.
    DeviceLost,
    /// It is held by another program.
    DeviceTaken,
    /// No more pets are given.
    Withheld,
    /// The watchdog reset the simulated board.
    Bitten,
    /// The machine is being halted.
    Halting,
    /// The daemon ended.
    Ended,
}

impl Sight {
    /// Whether it is to be seen in `ledger`, counting from what `before` held.
    pub fn seen(self, before: &Ledger, ledger: &Ledger) -> bool {
        let count = |name, of: fn(&Watched) -> u32| {
            let of = |l: &Ledger| l.named(name).map_or(0, of);
            of(ledger).saturating_sub(of(before))
        };
        let up = |name| ledger.named(name).is_some_and(|s| s.phase == Phase::Up);
        match self {
            Sight::Armed => ledger.watchdog.armed > before.watchdog.armed,
            Sight::AllUp => ledger.up() == ledger.services.len(),
            Sight::Ups(name, times) => count(name, |s| s.ups) >= times && up(name),
            Sight::Hung(name) => count(name, |s| s.hangs) >= 1,
            Sight::Stopped(name) => count(name, |s| s.stops) >= 1 && !up(name),
            Sight::Heat(verdict) => ledger.signs.heat >= verdict,
            Sight::Cooled => ledger.signs.heat == Verdict::Ok,
            Sight::Memory(verdict) => ledger.signs.memory_verdict >= verdict,
            Sight::Synced(synced) => ledger.signs.synced == Some(synced),
            Sight::OnBattery(battery) => ledger.signs.on_battery == battery,
            Sight::DeviceLost => matches!(ledger.watchdog.guard, Guard::Failed(_)),
            Sight::DeviceTaken => {
                matches!(ledger.watchdog.guard, Guard::Failed(Fault::Taken { .. }))
            }
            Sight::Withheld => ledger.watchdog.withholdings > before.watchdog.withholdings,
            Sight::Bitten => ledger.bites > before.bites,
            Sight::Halting => ledger.halt.is_some(),
            Sight::Ended => ledger.ended,
        }
    }

    /// What did not happen, where it was not seen.
    pub fn missing(self) -> String {
        match self {
            Sight::Armed => "the watchdog was not armed".to_owned(),
            Sight::AllUp => "not every service came up".to_owned(),
            Sight::Ups(name, _) => format!("{name} did not come up"),
            Sight::Hung(name) => format!("nobody noticed that {name} hangs"),
            Sight::Stopped(name) => format!("{name} was not stopped"),
            Sight::Heat(_) => "nobody noticed the heat".to_owned(),
            Sight::Cooled => "nobody noticed that the board cooled down".to_owned(),
            Sight::Memory(_) => "nobody noticed the lack of memory".to_owned(),
            Sight::Synced(_) => "nobody noticed the clock".to_owned(),
            Sight::OnBattery(true) => "nobody noticed that mains are gone".to_owned(),
            Sight::OnBattery(false) => "nobody noticed that mains are back".to_owned(),
            Sight::DeviceLost => "nobody noticed that the watchdog device is gone".to_owned(),
            Sight::DeviceTaken => "nobody noticed who holds the watchdog device".to_owned(),
            Sight::Withheld => "pets were not withheld".to_owned(),
            Sight::Bitten => "the watchdog did not reset the board".to_owned(),
            Sight::Halting => "the board was not powered off".to_owned(),
            Sight::Ended => "fieldwarden did not end".to_owned(),
        }
    }
}

/// The processor's temperature while the case stands in the sun and a processor is busy: far beyond
/// every limit, so that the way to the limits takes seconds and not minutes.
pub const SUN: MilliCelsius = MilliCelsius(90_000);

/// Load while one program uses all it can get, and otherwise; hundredths per processor.
pub const BUSY: u32 = 104;
/// See [`BUSY`].
pub const IDLE: u32 = 12;

/// Memory that is available when all is well.
pub const ENOUGH: Permille = Permille(640);

/// Name that the other program shows, which takes the watchdog device.
pub const THIEF: &str = "wd_keepalive (pid 412)";

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Longest wait for something that takes no time worth mentioning.
const SOON: Duration = s(15);

/// Longest wait for something that the core looks at again after a while, such as a lost device.
const PATIENT: Duration = s(40);

/// The pause that lets a reader see one thing before the next begins.
const BREATH: Duration = Duration::from_secs(2);

/// The whole story: about two minutes.
pub const STORY: &[Act] = &[
    Act {
        title: "The board is guarded, then the services come up in order",
        steps: &[
            Step::See(Sight::Armed, SOON),
            Step::See(Sight::AllUp, SOON),
            Step::Pause(s(2)),
        ],
    },
    Act {
        title: "A service crashes, and goes on crashing",
        steps: &[
            Step::Do(Cue::Crash("logger")),
            Step::See(Sight::Ups("logger", 1), SOON),
            Step::Pause(BREATH),
            Step::Do(Cue::Crash("logger")),
            Step::See(Sight::Ups("logger", 2), SOON),
            Step::Pause(BREATH),
            Step::Do(Cue::Crash("logger")),
            Step::See(Sight::Ups("logger", 3), SOON),
            Step::Pause(BREATH),
            Step::Do(Cue::Crash("logger")),
            Step::See(Sight::Ups("logger", 4), SOON),
            Step::Pause(BREATH),
            Step::Say("this time it holds; a long run without a failure wipes out the wait"),
        ],
    },
    Act {
        title: "A service hangs: its process lives on, but does nothing",
        steps: &[
            Step::Do(Cue::Hang("camera")),
            Step::See(Sight::Hung("camera"), SOON),
            Step::See(Sight::Ups("camera", 1), SOON),
            Step::Pause(BREATH),
        ],
    },
    Act {
        title: "A service uses up the processor, and the board gets hot",
        steps: &[
            Step::Do(Cue::Burn("vision", s(10))),
            Step::See(Sight::Heat(Verdict::Warn), PATIENT),
            Step::See(Sight::Heat(Verdict::Critical), PATIENT),
            Step::Pause(s(1)),
            Step::Say(
                "near such an episode no failure is held against a service: who made it crash, \
                 fieldwarden cannot know",
            ),
            Step::Do(Cue::Cool),
            Step::See(Sight::Cooled, PATIENT),
            Step::Neighbours("vision"),
            Step::Pause(BREATH),
        ],
    },
    Act {
        title: "The hardware watchdog is lost, and comes back",
        steps: &[
            Step::Do(Cue::StealWatchdog),
            Step::See(Sight::DeviceLost, PATIENT),
            Step::Say("meanwhile everything else is watched as before:"),
            Step::Do(Cue::Mains(false)),
            Step::Do(Cue::Memory(Permille(40))),
            Step::See(Sight::Memory(Verdict::Critical), SOON),
            Step::Do(Cue::Synced(false)),
            Step::See(Sight::Synced(false), SOON),
            Step::See(Sight::OnBattery(true), SOON),
            Step::Pause(BREATH),
            Step::Do(Cue::Mains(true)),
            Step::Do(Cue::Memory(ENOUGH)),
            Step::Do(Cue::Synced(true)),
            Step::See(Sight::Synced(true), SOON),
            Step::See(Sight::OnBattery(false), SOON),
            Step::See(Sight::DeviceTaken, PATIENT),
            Step::Do(Cue::ReturnWatchdog),
            Step::See(Sight::Armed, PATIENT),
            Step::Pause(BREATH),
        ],
    },
    Act {
        title: "And if fieldwarden itself hangs?",
        steps: &[
            Step::Do(Cue::StickWatchdog),
            Step::See(Sight::Withheld, PATIENT),
            Step::See(Sight::Bitten, PATIENT),
            Step::Say("a real board restarts here; in this demo the services live on"),
            Step::Do(Cue::FreeWatchdog),
            Step::See(Sight::Armed, PATIENT),
            Step::Pause(BREATH),
        ],
    },
    Act {
        title: "The mains fail, and stay away",
        steps: &[
            Step::Do(Cue::Mains(false)),
            Step::See(Sight::OnBattery(true), SOON),
            Step::See(Sight::Stopped("vision"), PATIENT),
            Step::Say("logger, camera and the essential services go on"),
            Step::See(Sight::Stopped("logger"), PATIENT),
            Step::See(Sight::Halting, PATIENT),
            Step::See(Sight::Ended, PATIENT),
            Step::Say("the board is off: nothing is cut short, and nothing is half written"),
            Step::Say("with its mains it boots, and says how this boot ended, and why"),
        ],
    },
];

/// What is played instead of the rest where the reader has seen enough.
pub const CURTAIN: Act = Act {
    title: "The end: services that depend on others stop first",
    steps: &[Step::Do(Cue::Exit), Step::See(Sight::Ended, PATIENT)],
};

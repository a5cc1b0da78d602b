//! What may go wrong. A seed switches some of these on; each is fair, which means: it can happen to a
//! real board, and the daemon is meant to survive it or to have the machine reset.
//!
//! Not fair, and never injected: an edge that lies about a process that is alive (a wrong exit, a
//! wrong adoption), and an order that is neither carried out nor refused by a thread that is well.

/// One kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A process ends with an error or by a signal.
    Crash,
    /// A process ends with success.
    CleanExit,
    /// A process lives and sends no more heartbeats.
    Hang,
    /// A process tells this and that of itself: it reloads, needs time, is broken, is about to end.
    Talks,
    /// A process gets ready only after a long time.
    SlowReady,
    /// A process never says that it is ready.
    NeverReady,
    /// A process takes no notice of the signals that ask it to end.
    IgnoresStop,
    /// A process cannot be killed for a while: it waits for a device.
    Uninterruptible,
    /// A process leaves others behind that take time to be killed.
    Leftovers,
    /// No process comes of a start.
    StartFails,
    /// The spawner waits for the card for a long time.
    StartStuck,
    /// An essential thread stands still for a moment, less than its limit.
    Hiccup,
    /// An essential thread stands still for longer than its limit, and goes on.
    EssentialStuck,
    /// An essential thread stands still for ever.
    EssentialDead,
    /// Another thread stands still for a long time.
    OtherStuck,
    /// The card does not answer: every thread that waits for it stands still.
    CardStalls,
    /// The queues of the threads are very short.
    ShortQueues,
    /// The daemon is killed.
    Killed,
    /// The daemon stands still as a whole.
    Frozen,
    /// The daemon is killed when a halt has come to another rung.
    KilledOnRung,
    /// The machine is reset then.
    ResetOnRung,
    /// The daemon is not started again at once.
    SlowInit,
    /// The machine loses power for a moment.
    PowerCut,
    /// The watchdog device is held by another process for a while after the boot.
    DeviceTaken,
    /// There is no watchdog device.
    DeviceAbsent,
    /// The device takes other timeouts than the one that is asked for.
    DeviceClamps,
    /// The device refuses a pet once.
    DeviceFails,
    /// The device vanishes and comes back.
    DeviceVanishes,
    /// A reading cannot be taken.
    SensorLost,
    /// A reading is nonsense.
    SensorGarbled,
    /// Mains are cut for a while, and a battery runs the machine.
    MainsCut,
    /// Mains come and go.
    MainsFlap,
    /// They are cut for long: only a battery that is large enough outlasts that.
    MainsOut,
    /// Nobody can tell whether there are mains.
    MainsUnseen,
    /// The battery's gauge says what is not so.
    GaugeLies,
    /// It does not answer, most of the time or at all.
    GaugeNaks,
    /// Its registers do not change any more.
    GaugeFreezes,
    /// Its bus is stuck: no transfer comes back.
    BusStuck,
    /// Somebody switches a machine on that is off without mains.
    SwitchedOn,
    /// The battery-backed clock shows another time.
    RtcLies,
    /// Its oscillator has stopped.
    RtcStops,
    /// It stands still.
    RtcFreezes,
    /// It is gone for a while.
    RtcGone,
    /// It gives one nonsense after the other.
    RtcNonsense,
    /// Somebody sets the kernel's clock.
    WallStepped,
    /// The supply sags or the processor gets hot for a while, as the firmware's flags say.
    Sag,
    /// The same, too short to be seen by anybody but the firmware.
    BriefSag,
    /// Nobody can read the firmware's flags.
    FlagsUnseen,
    /// The status LED refuses an order, or somebody else has it.
    LedRefuses,
    /// The status LED is gone for a while.
    LedVanishes,
    /// A file system turns read-only.
    ReadOnly,
    /// Readings run into their limits.
    Shortage,
    /// News arrive late, and those of different threads out of order.
    LateNews,
    /// News arrive twice.
    NewsTwice,
    /// News about old runs, unknown services and orders that nobody gave.
    FalseNews,
    /// Time goes backwards from one fact to the next.
    TimeBackwards,
    /// An operator asks for this and that.
    Operator,
    /// An operator ends the daemon.
    AskedExit,
    /// An operator has the daemon replaced.
    AskedLeave,
    /// An operator has the configuration read anew.
    AskedReload,
    /// An operator halts the machine.
    AskedHalt,
    /// The marker cannot be written to the card.
    RecordFails,
    /// Init takes no notice of the wish to halt, or is none that can be asked.
    InitDeaf,
    /// The kernel refuses to halt, once.
    ForceFails,
    /// Unmounting takes long.
    SlowUnmount,
    /// A process hangs, or never gets anywhere, as its probes can see.
    ProbeSick,
    /// Probes fail now and then, and a process can be used only from time to time.
    ProbeMoody,
    /// Probes tell nothing, or are not answered.
    ProbeBlind,
    /// An operator works on the machine, and has nothing escalated.
    Held,
    /// Somebody has the watchdog tried out.
    Drilled,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 70] = [
        Kind::Crash,
        Kind::CleanExit,
        Kind::Hang,
        Kind::Talks,
        Kind::SlowReady,
        Kind::NeverReady,
        Kind::IgnoresStop,
        Kind::Uninterruptible,
        Kind::Leftovers,
        Kind::StartFails,
        Kind::StartStuck,
        Kind::Hiccup,
        Kind::EssentialStuck,
        Kind::EssentialDead,
        Kind::OtherStuck,
        Kind::CardStalls,
        Kind::ShortQueues,
        Kind::Killed,
        Kind::Frozen,
        Kind::KilledOnRung,
        Kind::ResetOnRung,
        Kind::SlowInit,
        Kind::PowerCut,
        Kind::DeviceTaken,
        Kind::DeviceAbsent,
        Kind::DeviceClamps,
        Kind::DeviceFails,
        Kind::DeviceVanishes,
        Kind::SensorLost,
        Kind::SensorGarbled,
        Kind::MainsCut,
        Kind::MainsFlap,
        Kind::MainsOut,
        Kind::MainsUnseen,
        Kind::GaugeLies,
        Kind::GaugeNaks,
        Kind::GaugeFreezes,
        Kind::BusStuck,
        Kind::SwitchedOn,
        Kind::RtcLies,
        Kind::RtcStops,
        Kind::RtcFreezes,
        Kind::RtcGone,
        Kind::RtcNonsense,
        Kind::WallStepped,
        Kind::Sag,
        Kind::BriefSag,
        Kind::FlagsUnseen,
        Kind::LedRefuses,
        Kind::LedVanishes,
        Kind::ReadOnly,
        Kind::Shortage,
        Kind::LateNews,
        Kind::NewsTwice,
        Kind::FalseNews,
        Kind::TimeBackwards,
        Kind::Operator,
        Kind::AskedExit,
        Kind::AskedLeave,
        Kind::AskedReload,
        Kind::AskedHalt,
        Kind::RecordFails,
        Kind::InitDeaf,
        Kind::ForceFails,
        Kind::SlowUnmount,
        Kind::ProbeSick,
        Kind::ProbeMoody,
        Kind::ProbeBlind,
        Kind::Held,
        Kind::Drilled,
    ];

    /// Those that strike by themselves, and the mean time between two strikes in seconds. The others
    /// come with something else that happens.
    pub fn every(self) -> Option<u64> {
        match self {
            Kind::Hiccup => Some(20),
            Kind::EssentialStuck => Some(150),
            Kind::EssentialDead => Some(300),
            Kind::OtherStuck => Some(60),
            Kind::CardStalls => Some(150),
            Kind::Killed => Some(80),
            Kind::Frozen => Some(150),
            Kind::PowerCut => Some(200),
            Kind::DeviceFails => Some(60),
            Kind::DeviceVanishes => Some(120),
            Kind::MainsCut | Kind::MainsFlap | Kind::MainsUnseen => Some(60),
            Kind::MainsOut => Some(200),
            Kind::GaugeLies | Kind::GaugeNaks | Kind::GaugeFreezes | Kind::BusStuck => Some(60),
            Kind::RtcLies
            | Kind::RtcStops
            | Kind::RtcFreezes
            | Kind::RtcGone
            | Kind::RtcNonsense
            | Kind::WallStepped => Some(60),
            Kind::Sag | Kind::BriefSag | Kind::FlagsUnseen => Some(60),
            Kind::LedVanishes => Some(120),
            Kind::ReadOnly => Some(60),
            Kind::FalseNews => Some(2),
            Kind::Operator => Some(12),
            Kind::Held => Some(60),
            Kind::Drilled => Some(120),
            Kind::AskedExit => Some(150),
            Kind::AskedLeave => Some(150),
            Kind::AskedReload => Some(60),
            Kind::AskedHalt => Some(120),
            Kind::RecordFails
            | Kind::InitDeaf
            | Kind::ForceFails
            | Kind::SlowUnmount
            | Kind::ProbeSick
            | Kind::ProbeMoody
            | Kind::ProbeBlind
            | Kind::Crash
            | Kind::CleanExit
            | Kind::Hang
            | Kind::Talks
            | Kind::SlowReady
            | Kind::NeverReady
            | Kind::IgnoresStop
            | Kind::Uninterruptible
            | Kind::Leftovers
            | Kind::StartFails
            | Kind::StartStuck
            | Kind::ShortQueues
            | Kind::SlowInit
            | Kind::SwitchedOn
            | Kind::KilledOnRung
            | Kind::ResetOnRung
            | Kind::DeviceTaken
            | Kind::DeviceAbsent
            | Kind::DeviceClamps
            | Kind::LedRefuses
            | Kind::SensorLost
            | Kind::SensorGarbled
            | Kind::Shortage
            | Kind::LateNews
            | Kind::NewsTwice
            | Kind::TimeBackwards => None,
        }
    }
}

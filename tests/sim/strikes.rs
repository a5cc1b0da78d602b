//! Faults that strike by themselves, readings, operators, and false news.

use crate::daemon::LifeEvent;
use crate::faults::Kind;
use crate::verdict::How;
use crate::world::{EVER, World};
use fieldwarden::core::fact::{
    Asker, Change, Errno, Exit, Fact, Fault, HaltKind, MountId, OrderId, Pid, Pulse, Reading,
    Request, RunId, ServiceId, Source, Thread, Ticket,
};
use fieldwarden::core::light::LedState;
use fieldwarden::core::settings::WatchdogOwner;
use fieldwarden::units::{MilliCelsius, Permille};
use std::time::Duration;

/// Number of a service that no configuration has.
const NOBODY: ServiceId = ServiceId(9999);

/// Threads that wait for the card.
const ON_THE_CARD: [Thread; 6] = [
    Thread::Spawner,
    Thread::SecondSpawner,
    Thread::Disk,
    Thread::Recorder,
    Thread::Marker,
    Thread::Sync,
];

impl World {
    pub fn strike(&mut self, kind: Kind) {
        self.tally.fault(kind);
        let essential = self.rng.pick(&[Thread::Children, Thread::Watchdog]);
        match kind {
            Kind::Hiccup => {
                let until = self.now + self.rng.range(50, 2_500);
                self.stick(essential, until);
            }
            Kind::EssentialStuck => {
                let until = self.now + self.rng.range(3_000, 25_000);
                self.stick(essential, until);
            }
            Kind::EssentialDead => {
                self.stick(essential, EVER);
                if let Some(no) = self.life.as_ref().map(|l| l.no) {
                    self.reset_due(no);
                }
            }
            Kind::OtherStuck => {
                let others = [
                    Thread::Spawner,
                    Thread::SecondSpawner,
                    Thread::Vitals,
                    Thread::Disk,
                    Thread::Control,
                    Thread::Recorder,
                    Thread::Bus,
                    Thread::Line,
                    Thread::Marker,
                    Thread::Sync,
                    Thread::Led,
                ];
                let until = self.now + self.rng.range(1_000, 90_000);
                let thread = self.rng.pick(&others);
                self.stick(thread, until);
            }
            Kind::CardStalls => {
                let until = self.now + self.rng.range(1_000, 90_000);
                for thread in ON_THE_CARD {
                    self.stick(thread, until);
                }
            }
            Kind::Killed if self.life.is_some() => self.kill_daemon(),
            Kind::Frozen => {
                let short = self.now + self.rng.range(100, 20_000);
                let until = self.rng.pick(&[short, short, EVER]);
                self.freeze(until);
            }
            Kind::PowerCut => {
                self.board.goes_dark();
                self.truth.off &= !self.mains.is_present();
                self.reboot(How::Cut);
            }
            Kind::DeviceFails => self.device.fails_next = true,
            Kind::DeviceVanishes => {
                self.device.armed = None;
                self.device.gone_until = self.now + self.rng.range(1_000, 40_000);
            }
            Kind::MainsCut => self.cut_mains(),
            Kind::MainsFlap => self.flap_mains(),
            Kind::MainsOut => self.lose_mains(),
            Kind::MainsUnseen => self.blind_mains(),
            Kind::GaugeLies | Kind::GaugeNaks | Kind::GaugeFreezes | Kind::BusStuck => {
                self.ail(kind);
            }
            Kind::RtcLies
            | Kind::RtcStops
            | Kind::RtcFreezes
            | Kind::RtcGone
            | Kind::RtcNonsense
            | Kind::WallStepped => self.strike_clocks(kind),
            Kind::Sag => self.sag(),
            Kind::BriefSag => self.sag_briefly(),
            Kind::FlagsUnseen => self.blind_flags(),
            Kind::LedVanishes => self.lose_lamp(),
            Kind::FalseNews => self.false_news(),
            Kind::Operator => self.operate(),
            Kind::Held => self.work_on_it(),
            Kind::Drilled => self.ask(Request::Drill),
            Kind::AskedExit => self.ask(Request::Exit),
            Kind::AskedLeave => self.ask(Request::Leave),
            Kind::AskedReload => self.ask(Request::Reload),
            Kind::AskedHalt => {
                let kind = self.rng.pick(&[HaltKind::PowerOff, HaltKind::Reboot]);
                self.ask(Request::Halt(kind));
            }
            Kind::ReadOnly => self.see_mount(true),
            _ => {}
        }
    }

    fn service(&mut self) -> ServiceId {
        let last = self.alive.len() as u64 - 1;
        ServiceId(u16::try_from(self.rng.range(0, last)).unwrap_or(0))
    }

    fn operate(&mut self) {
        let id = self.service();
        let requests = [
            Request::Status,
            Request::Start(id),
            Request::Start(id),
            Request::Stop(id),
            Request::Restart(id),
            Request::Restart(NOBODY),
            self.show_led(),
        ];
        let request = self.rng.pick(&requests);
        self.ask(request.clone());
        if self.rng.chance(30) {
            // Some people press a button twice, and then another one.
            self.ask(request);
            let other = self.rng.pick(&requests);
            self.ask(other);
        }
    }

    fn show_led(&mut self) -> Request {
        Request::ShowLed {
            state: self.rng.pick(&LedState::ALL),
            time: Duration::from_secs(self.rng.range(1, 30)),
        }
    }

    fn ask(&mut self, request: Request) {
        self.next_ticket += 1;
        let fact = Fact::Asked {
            ticket: Ticket(self.next_ticket),
            by: self.rng.pick(&[Asker::User(0), Asker::Signal(15)]),
            request,
        };
        self.life_at(self.now, LifeEvent::Fact(fact, 0));
    }

    pub fn read_vitals(&mut self) {
        let bad = self.rng.chance(10);
        let readings = [
            (Source::Temperature, self.temperature(bad)),
            (Source::Memory, self.memory(bad)),
            (Source::Load, self.load(bad)),
            (Source::Network, self.network()),
        ];
        for (source, reading) in readings {
            let fact = match self.strikes(Kind::SensorLost, 10) {
                true => Fact::Lost {
                    source,
                    why: self.rng.pick(&[Errno(5), Errno(2)]).into_fault(),
                },
                false => Fact::Seen(reading),
            };
            self.send(Thread::Vitals, fact);
        }
        let synced = self.rng.chance(90);
        self.read_clocks(synced);
        if self.watches_mains() == Thread::Vitals {
            self.read_mains();
        }
        self.read_flags();
    }

    fn temperature(&mut self, bad: bool) -> Reading {
        let usual = i32::try_from(self.rng.range(40_000, 70_000)).unwrap_or(0);
        let value = if self.strikes(Kind::SensorGarbled, 5) {
            self.rng.pick(&[i32::MAX, i32::MIN, -273_000, 0])
        } else if bad && self.strikes(Kind::Shortage, 50) {
            usual + 30_000
        } else {
            usual
        };
        Reading::Temperature(MilliCelsius(value))
    }

    fn memory(&mut self, bad: bool) -> Reading {
        let available = if self.strikes(Kind::SensorGarbled, 5) {
            Permille(u16::MAX)
        } else if bad && self.strikes(Kind::Shortage, 50) {
            Permille(self.rng.pick(&[0, 30, 80]))
        } else {
            Permille(400)
        };
        Reading::Memory { available }
    }

    fn load(&mut self, bad: bool) -> Reading {
        let centi_per_cpu = if self.strikes(Kind::SensorGarbled, 5) {
            u32::MAX
        } else if bad && self.strikes(Kind::Shortage, 50) {
            self.rng.pick(&[399, 400, 1_500])
        } else {
            50
        };
        Reading::Load { centi_per_cpu }
    }

    /// It comes and goes, and is there in the end.
    fn network(&mut self) -> Reading {
        self.network = self.calm || self.network != self.rng.chance(15);
        Reading::Network { up: self.network }
    }

    pub fn read_disks(&mut self) {
        self.see_mount(false);
    }

    fn see_mount(&mut self, read_only: bool) {
        for at in 0..self.plan.settings.mounts.len() {
            let mount = MountId(u16::try_from(at).unwrap_or(0));
            if self.strikes(Kind::SensorLost, 10) {
                let source = Source::Mount(mount);
                let why = Errno(5).into_fault();
                self.send(Thread::Disk, Fact::Lost { source, why });
                continue;
            }
            let short = self.strikes(Kind::Shortage, 15);
            let fact = Fact::Seen(Reading::Mount {
                mount,
                space: Permille(if short { 40 } else { 500 }),
                inodes: match self.strikes(Kind::Shortage, 15) {
                    true => Some(Permille(100)),
                    false => self.rng.pick(&[None, Some(Permille(600))]),
                },
                read_only,
                errors: if short { self.rng.pick(&[0, 1, 7]) } else { 0 },
            });
            self.send(Thread::Disk, fact);
        }
    }

    /// News that a core may hear and must not believe.
    fn false_news(&mut self) {
        let service = self.service();
        let current = self.checks.run(service);
        // A run that is over, or one that will never be: these news may arrive late.
        let runs = [current.0.checked_sub(1), current.0.checked_sub(2), None];
        let run = RunId(self.rng.pick(&runs).unwrap_or(current.0 + 1000));
        let facts = [
            self.child(NOBODY, current),
            self.child(service, run),
            Fact::Done {
                order: OrderId(u64::MAX - self.rng.range(0, 9)),
                outcome: Err(Fault::Busy),
            },
            self.done_again(),
            Fact::Lost {
                source: Source::Mount(MountId(99)),
                why: Fault::Absent,
            },
            Fact::Seen(Reading::Mount {
                mount: MountId(77),
                space: Permille(0),
                inodes: None,
                read_only: true,
                errors: 3,
            }),
            Fact::Thread {
                thread: Thread::Control,
                pulse: Pulse::OnTime,
            },
            self.lost_guard(),
        ];
        let at = usize::try_from(self.rng.range(0, facts.len() as u64 - 1)).unwrap_or(0);
        let fact = facts[at].clone();
        self.life_at(self.now, LifeEvent::Fact(fact, 0));
    }

    fn child(&mut self, service: ServiceId, run: RunId) -> Fact {
        let Some(pid) = Pid::new(4_000_000) else {
            return Fact::Tick;
        };
        let changes = [
            Change::Started { pid },
            Change::Adopted { pid, ready: true },
            Change::Ready,
            Change::Heartbeat,
            Change::Exited(Exit::Code(1)),
        ];
        let at = usize::try_from(self.rng.range(0, 4)).unwrap_or(0);
        Fact::Child {
            service,
            run,
            change: changes[at].clone(),
        }
    }

    /// The outcome of an order that was answered before, or never given.
    fn done_again(&mut self) -> Fact {
        let order = OrderId(self.rng.range(1, 2_000));
        let waiting = |l: &crate::daemon::Life| l.unanswered.contains(&order);
        // One that is still to be given must not be answered beforehand.
        let given = self.checks.given() >= order.0;
        match self.life.as_ref().is_some_and(waiting) || !given {
            true => Fact::Tick,
            false => Fact::Done {
                order,
                outcome: Err(Fault::Busy),
            },
        }
    }

    /// The loss of a device that is none of ours.
    fn lost_guard(&self) -> Fact {
        match self.plan.settings.watchdog.owner {
            WatchdogOwner::Fieldwarden => Fact::Tick,
            WatchdogOwner::Systemd | WatchdogOwner::Nobody => Fact::Lost {
                source: Source::Watchdog,
                why: Fault::Absent,
            },
        }
    }
}

/// An error number as the reason of a fault.
trait IntoFault {
    fn into_fault(self) -> Fault;
}

impl IntoFault for Errno {
    fn into_fault(self) -> Fault {
        Fault::Errno(self)
    }
}

//! Any fact that can be put into words, true or not, and what must hold of the answer to it.
//!
//! Chance decides, or a fuzzer that has taken its place.

use crate::rng::Rng;
use fieldwarden::core::action::{Action, Actions};
use fieldwarden::core::fact::{
    Asker, CanaryId, CapId, Change, Controller, Errno, Exit, ExpiryId, Fact, Fault, Found, Freed,
    HaltKind, Health, Hold, Ill, Lack, Life, MountId, NotifyKey, Obstacle, OrderId, Pid, ProbeKind,
    Probed, Pulse, Reading, Refusal, Request, RtcSeen, RunId, Said, ServiceId, Shown, Source,
    Stage, StandIn, Standing, Step, Swap, Thread, ThrottleFlags, Ticket, Uplink, WatchdogSeen,
    Wear,
};
use fieldwarden::core::intent::{CutTold, FoundMarker, HaltPhase, Intent, Marker};
use fieldwarden::core::light::LedState;
use fieldwarden::core::memo::{Left, Memo, Progress, Rest};
use fieldwarden::core::picture::HaltCause;
use fieldwarden::core::settings::{Engine, Keeper, Settings, Unhealthy};
use fieldwarden::core::{BootFacts, Core};
use fieldwarden::units::{MilliCelsius, Milliamps, Millivolts, Mono, Permille, Wall};
use std::time::Duration;

/// Ticks in a row at one time.
const MOST_TICKS: u32 = 20;

/// A core that is told anything.
pub struct Victim {
    core: Core,
    services: u64,
    out: Actions,
    now: Mono,
    given: u64,
}

impl Victim {
    /// One with these settings; some of its services are kept by systemd.
    pub fn new(mut settings: Settings, init_watchdog: Option<Duration>, rng: &mut Rng) -> Victim {
        let services = u64::try_from(settings.services.len()).unwrap_or(0);
        for s in &mut settings.services {
            let unit = "any.service".into();
            s.keeper = rng.chance(30).then(|| {
                Box::new(match rng.chance(50) {
                    true => Keeper::Systemd {
                        unit,
                        own_start: rng.chance(50),
                        own_stop: rng.chance(50),
                    },
                    false => Keeper::Engine {
                        engine: Engine::Docker,
                        socket: "/run/docker.sock".into(),
                        container: unit,
                        unhealthy: rng.pick(&[Unhealthy::Restart, Unhealthy::Tell]),
                    },
                })
            });
        }
        let boot = BootFacts {
            seed: rng.next(),
            init_watchdog,
            first: rng.chance(50),
        };
        Victim {
            core: Core::new(settings, boot),
            services,
            out: Actions::default(),
            now: Mono(rng.range(0, 1 << 40)),
            given: 0,
        }
    }

    /// Tells it something, and lets it do all that is due by then.
    pub fn suffer(&mut self, rng: &mut Rng) -> Result<(), String> {
        // Most of what happens needs time; some of it does not, and some goes back in time.
        let ahead = rng.pick(&[0, 0, 1, 50, 1_000, 30_000, 700_000]);
        self.now = Mono(self.now.0 + rng.range(0, ahead));
        let told = Mono(self.now.0.saturating_sub(rng.pick(&[0, 0, 0, 5_000])));
        let fact = fact(rng, self.services, self.given);
        self.core.step(told, &fact, &mut self.out);
        self.check(&fact)
            .map_err(|why| format!("{fact:?}: {why}"))?;
        for _ in 0..MOST_TICKS {
            if self.core.deadline().is_none_or(|due| due > self.now) {
                return Ok(());
            }
            self.core.step(self.now, &Fact::Tick, &mut self.out);
            self.check(&Fact::Tick)?;
        }
        Err(format!("after {fact:?} it turns in circles"))
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        check(fact, &self.out, self.services)?;
        self.given = self.out.orders.last().map_or(self.given, |o| o.id.0);
        self.out.clear();
        Ok(())
    }
}

fn check(fact: &Fact, out: &Actions, services: u64) -> Result<(), String> {
    let n = usize::try_from(services).unwrap_or(0);
    if out.orders.len() > 3 * n + 10 || out.notes.len() > 5 * n + 20 {
        return Err("too much in one step".to_owned());
    }
    let replies = out.orders.iter().filter_map(|o| match o.action {
        Action::Reply { ticket, .. } => Some(ticket),
        _ => None,
    });
    let wanted = match fact {
        Fact::Asked { ticket, .. } => vec![*ticket],
        _ => Vec::new(),
    };
    match replies.collect::<Vec<_>>() == wanted {
        true => Ok(()),
        false => Err("not one reply for one request".to_owned()),
    }
}

fn fact(rng: &mut Rng, services: u64, given: u64) -> Fact {
    match rng.range(0, 14) {
        13 | 14 => Fact::Kept {
            service: service(rng, services),
            standing: standing(rng),
        },
        0 => Fact::Tick,
        1 | 2 => Fact::Seen(reading(rng)),
        3 => Fact::Lost {
            source: source(rng),
            why: fault(rng),
        },
        4..=8 => Fact::Child {
            service: service(rng, services),
            run: RunId(rng.pick(&[0, 1, 2, 3, 4, 5, u32::MAX])),
            change: change(rng),
        },
        9 => Fact::Asked {
            ticket: Ticket(rng.next()),
            by: rng.pick(&[Asker::User(0), Asker::Signal(15)]),
            request: request(rng, services),
        },
        10 => Fact::Thread {
            thread: rng.pick(&Thread::ALL),
            pulse: rng.pick(&[
                Pulse::OnTime,
                Pulse::Late { since: Mono(0) },
                Pulse::Late {
                    since: Mono(1 << 50),
                },
            ]),
        },
        _ => Fact::Done {
            order: OrderId(given.saturating_sub(rng.range(0, 4))),
            outcome: match rng.chance(60) {
                true => Ok(()),
                false => Err(fault(rng)),
            },
        },
    }
}

/// One of them, or one that does not exist.
fn service(rng: &mut Rng, services: u64) -> ServiceId {
    ServiceId(u16::try_from(rng.range(0, services)).unwrap_or(u16::MAX))
}

fn request(rng: &mut Rng, services: u64) -> Request {
    let id = service(rng, services);
    match rng.range(0, 33) {
        33 => Request::Drill,
        31 => Request::EndHold,
        32 => Request::Hold {
            time: Duration::from_secs(rng.pick(&[0, 1, 60, 14_400, 14_401, u64::MAX])),
            reason: "x".into(),
        },
        0 => Request::Exit,
        1 => Request::Leave,
        30 => Request::Halt(rng.pick(&[HaltKind::PowerOff, HaltKind::Reboot])),
        2..=8 => Request::Status,
        29 => Request::ShowLed {
            state: rng.pick(&LedState::ALL),
            time: Duration::from_secs(rng.range(0, 90)),
        },
        9..=15 => Request::Start(id),
        16..=22 => Request::Stop(id),
        _ => Request::Restart(id),
    }
}

fn standing(rng: &mut Rng) -> Standing {
    let pid = Pid::new(u32::try_from(rng.range(2, 9)).unwrap_or(2));
    match (rng.range(0, 8), pid) {
        (0..=2, Some(pid)) => Standing::Up {
            life: Life(rng.range(0, 3)),
            pid,
            again: rng.pick(&[0, 0, 1, u32::MAX]),
            health: rng.pick(&[Health::Untold, Health::Awaited, Health::Well, Health::Ill]),
            patience: rng.pick(&[None, Some(Duration::ZERO), Some(Duration::from_secs(600))]),
        },
        (3, pid) => Standing::Coming {
            pid,
            after: rng.pick(&[None, None, Some(Exit::Code(1))]),
        },
        (4, _) => Standing::Going,
        (5, _) => Standing::Unknown { why: fault(rng) },
        _ => Standing::Down {
            exit: rng.pick(&[Exit::Code(0), Exit::Signal(15), Exit::Unknown]),
            told: rng.chance(40),
            obstacle: rng.pick(&[None, None, Some(Obstacle::Masked), Some(Obstacle::Unseen)]),
        },
    }
}

fn change(rng: &mut Rng) -> Change {
    let pid = Pid::new(u32::try_from(rng.range(2, 9)).unwrap_or(2));
    match (rng.range(0, 13), pid) {
        (12 | 13, _) => Change::Probed {
            kind: rng.pick(&ProbeKind::ALL),
            attempt: rng.pick(&[0, 1, 2, 3, u32::MAX]),
            probed: rng.pick(&[
                Probed::Good,
                Probed::Bad(Ill::TimedOut),
                Probed::Unsure(Ill::Busy),
            ]),
        },
        (0 | 1, Some(pid)) => Change::Started { pid },
        (2, _) => Change::StartFailed {
            stage: Stage::Exec,
            errno: Errno(i32::MIN),
        },
        (3, Some(pid)) => Change::Adopted {
            pid,
            ready: rng.chance(50),
        },
        (4, _) => Change::Recalled(memo(rng)),
        (5, _) => Change::Ready,
        (6, _) => Change::Heartbeat,
        (7, _) => Change::Said(said(rng)),
        (8, _) => Change::Refused {
            why: rng.pick(&[
                Refusal::TooLong,
                Refusal::Flood,
                Refusal::Value(NotifyKey::Errno),
            ]),
            times: u32::MAX,
        },
        _ => Change::Exited(rng.pick(&[
            Exit::Code(0),
            Exit::Code(255),
            Exit::Signal(9),
            Exit::Signal(255),
            Exit::Unknown,
        ])),
    }
}

fn said(rng: &mut Rng) -> Said {
    let time = rng.pick(&[Duration::ZERO, Duration::from_secs(5), Duration::MAX]);
    let pid = Pid::new(u32::try_from(rng.range(2, 9)).unwrap_or(2));
    match (rng.range(0, 8), pid) {
        (0, _) => Said::Reloading {
            since: rng.pick(&[None, Some(Mono(0)), Some(Mono(u64::MAX))]),
        },
        (1, _) => Said::Stopping,
        (2, _) => Said::Status(rng.pick(&["", "busy"]).into()),
        (3, _) => Said::Errno(Errno(rng.pick(&[0, 2, i32::MIN]))),
        (4, _) => Said::Trigger,
        (5, _) => Said::Window(rng.pick(&[None, Some(time)])),
        (6, Some(pid)) => Said::Main(pid),
        (7, _) => Said::Kept(u16::MAX),
        _ => Said::Extend(time),
    }
}

fn memo(rng: &mut Rng) -> Memo {
    let until = Mono(rng.pick(&[0, 1 << 30, 1 << 41]));
    Memo {
        left: rng.pick(&[
            Left::Over,
            Left::Waiting,
            Left::Running,
            Left::Ending,
            Left::Resting { why: Rest::Stopped },
            Left::Resting {
                why: Rest::Finished,
            },
            Left::Backoff { until },
            Left::GaveUp { until },
        ]),
        failures: rng.pick(&[0, 1, u32::MAX]),
        restarts: vec![until; usize::try_from(rng.range(0, 40)).unwrap_or(0)].into(),
        progress: Progress {
            started: rng.chance(50),
            ready: rng.chance(50),
        },
    }
}

fn fault(rng: &mut Rng) -> Fault {
    match rng.range(0, 4) {
        0 => Fault::Busy,
        1 => Fault::Errno(Errno(5)),
        2 => Fault::Taken { by: None },
        3 => Fault::Absent,
        _ => Fault::Implausible,
    }
}

fn source(rng: &mut Rng) -> Source {
    let mount = MountId(rng.pick(&[0, 1, 2, u16::MAX]));
    rng.pick(&[
        Source::Temperature,
        Source::Memory,
        Source::Load,
        Source::Network,
        Source::Clock,
        Source::Rtc,
        Source::Floor,
        Source::Mains,
        Source::Throttle,
        Source::Mount(mount),
        Source::Watchdog,
        Source::Marker,
        Source::Gauge,
        Source::Journal,
        Source::Pool,
        Source::Starts,
        Source::Limits,
        Source::Hold,
        Source::Configuration,
        Source::Health,
        Source::Canary(CanaryId(mount.0)),
        Source::Cap(CapId(mount.0)),
        Source::Wear(mount),
        Source::Pressure,
        Source::Swap,
        Source::Uplink,
        Source::Expiry(ExpiryId(mount.0)),
    ])
}

fn uplink(rng: &mut Rng) -> Uplink {
    let mut uplink = Uplink {
        handshake: rng.pick(&[None, Some(Duration::ZERO), Some(Duration::MAX)]),
        beyond: rng.chance(50),
        ..Uplink::default()
    };
    for step in Step::ALL {
        if rng.chance(70) {
            let all_well = rng.chance(60);
            let found = if all_well {
                Found::Well
            } else {
                rng.pick(&Found::ALL)
            };
            uplink.put(step, found);
        }
    }
    uplink
}

fn time(rng: &mut Rng) -> Wall {
    let times = [0, 1, 2_000_000_000, 2_000_000_031, 4_000_000_000];
    Wall::new(rng.pick(&times)).unwrap_or(Wall::MAX)
}

fn shown(rng: &mut Rng) -> Option<Shown> {
    let at = Mono(rng.pick(&[0, 999, 1_000_000, u64::MAX]));
    let time = time(rng);
    rng.pick(&[None, Some(Shown { time, at })])
}

fn reading(rng: &mut Rng) -> Reading {
    let share = Permille(rng.pick(&[0, 49, 50, 150, 1000, u16::MAX]));
    match source(rng) {
        Source::Temperature => Reading::Temperature(MilliCelsius(rng.pick(&[
            i32::MIN,
            -40_000,
            79_999,
            85_000,
            i32::MAX,
        ]))),
        Source::Memory => Reading::Memory { available: share },
        Source::Load => Reading::Load {
            centi_per_cpu: rng.pick(&[0, 399, 400, u32::MAX]),
        },
        Source::Network => Reading::Network { up: rng.chance(50) },
        Source::Clock => Reading::Clock {
            synced: rng.chance(50),
            shown: shown(rng),
        },
        Source::Rtc => Reading::Rtc(RtcSeen {
            shown: shown(rng),
            oscillator_stopped: rng.pick(&[None, Some(false), Some(true)]),
            temperature: rng.pick(&[None, Some(MilliCelsius(i32::MIN))]),
        }),
        Source::Floor => Reading::Floor { time: time(rng) },
        Source::Configuration if rng.chance(30) => Reading::StandIn {
            by: rng.pick(&[StandIn::SafeMode, StandIn::Copy { taken: Wall::MAX }]),
            problem: "".into(),
        },
        Source::Configuration => Reading::Problems {
            text: "web.toml:1: no".into(),
        },
        Source::Hold => Reading::Hold(Hold {
            by: Asker::User(0),
            since: Mono(rng.pick(&[0, 999, 1_000_000, u64::MAX])),
            until: Mono(rng.pick(&[0, 1_000, 1_000_000, u64::MAX])),
            reason: "x".into(),
        }),
        Source::Mains => Reading::Mains {
            present: rng.chance(50),
        },
        Source::Throttle => {
            Reading::Throttle(ThrottleFlags(rng.pick(&[0, 0x5_0005, 0x5_0000, u32::MAX])))
        }
        Source::Mount(mount) => Reading::Mount {
            mount,
            space: share,
            inodes: rng.pick(&[None, Some(share)]),
            read_only: rng.chance(30),
            errors: rng.pick(&[0, 0, 1, u32::MAX]),
        },
        Source::Watchdog if rng.chance(30) => Reading::WatchdogElsewhere {
            running: rng.chance(50),
            timeout: rng.pick(&[None, Some(Duration::ZERO), Some(Duration::MAX)]),
        },
        Source::Watchdog => Reading::Watchdog(WatchdogSeen {
            identity: "".into(),
            timeout: rng.pick(&[
                Duration::ZERO,
                Duration::from_nanos(1),
                Duration::from_secs(15),
                Duration::MAX,
            ]),
            nowayout: rng.chance(50),
            caused_reset: rng.chance(50),
        }),
        Source::Marker => Reading::marker(found(rng)),
        Source::Journal => Reading::Journal,
        Source::Pool => Reading::Pool,
        Source::Health => Reading::Health,
        Source::Canary(canary) => Reading::Canary {
            canary,
            took: rng.pick(&[Duration::ZERO, Duration::from_secs(5), Duration::MAX]),
        },
        Source::Cap(cap) => Reading::Cap {
            cap,
            size: rng.pick(&[0, 1, u64::MAX]),
            freed: rng.pick(&[
                None,
                Some(Freed {
                    files: u32::MAX,
                    bytes: u64::MAX,
                }),
            ]),
        },
        Source::Wear(mount) => Reading::Wear {
            mount,
            wear: Wear {
                life: rng.pick(&[0, 10, u8::MAX]),
                spare: rng.pick(&[0, 2, u8::MAX]),
            },
        },
        Source::Pressure => Reading::Pressure { full: share },
        Source::Uplink => Reading::Uplink(uplink(rng)),
        Source::Expiry(expiry) => Reading::Expiry {
            expiry,
            ends: time(rng),
        },
        Source::Swap => Reading::Swap(Swap {
            read: rng.pick(&[0, 512, u32::MAX]),
            written: rng.pick(&[0, 512, u32::MAX]),
            on_disk: rng.chance(50),
        }),
        Source::Starts => Reading::Starts {
            aborted: rng.pick(&[0, 3, u32::MAX]),
        },
        Source::Limits => Reading::Unenforced {
            controller: rng.pick(&Controller::ALL),
            lack: rng.pick(&Lack::ALL),
            asked: rng.chance(50),
        },
        Source::Gauge => Reading::Gauge {
            voltage: rng.pick(&[None, Some(Millivolts(0)), Some(Millivolts(u32::MAX))]),
            charge: rng.pick(&[None, Some(share)]),
            current: rng.pick(&[None, Some(Milliamps(i32::MIN)), Some(Milliamps(i32::MAX))]),
        },
    }
}

fn found(rng: &mut Rng) -> FoundMarker {
    let halt = Intent::Halt {
        kind: rng.pick(&[HaltKind::PowerOff, HaltKind::Reboot]),
        cause: rng.pick(&[HaltCause::RideThrough, HaltCause::LowBattery]),
        phase: rng.pick(&[HaltPhase::Begun, HaltPhase::Committed]),
    };
    let thread = Thread::Children;
    let intent = rng.pick(&[Intent::Run, Intent::Exit, Intent::Withhold { thread }, halt]);
    FoundMarker {
        marker: Marker {
            intent,
            mains: rng.pick(&[None, Some(true), Some(false)]),
            attempts: rng.pick(&[0, 1, 3, u8::MAX]),
            in_vain: rng.pick(&[0, 0, 2, 3, u8::MAX]),
            sunk: rng.pick(&[0, 0, 1, 3, u8::MAX]),
            reboots: fieldwarden::core::reboots::Reboots::default(),
            outage: None,
            cut: rng.pick(&[
                CutTold::No,
                CutTold::Maybe,
                CutTold::Taken { since: Mono(70) },
            ]),
            before: None,
            ..Marker::default()
        },
        same_boot: rng.chance(50),
        reset: rng.pick(&[None, Some(true), Some(false)]),
        lasts: rng.chance(80),
        ..FoundMarker::default()
    }
}

//! A core in trouble, as its report shows it.

use super::*;
use crate::core::BootFacts;
use crate::core::action::{Action, Actions};
use crate::core::fact::{
    Asker, Change, Controller, Errno, Exit, Fact, Fault, Lack, MountId, OrderId, Pid, Pulse,
    Reading, Request, ServiceId, Source, Thread, ThrottleFlags, Ticket, WatchdogSeen,
};
use crate::core::settings::{Backoff, Power, Ready, Service, Settings, Watchdog};
use crate::journal::{Directory, Journal, Record, Stamp, Trust};
use crate::units::{MilliCelsius, Milliamps, Millivolts, Permille};
use std::time::Duration;

struct Rig {
    core: Core,
    now: Mono,
    events: Vec<Record>,
    journal: Journal<Directory>,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn new(settings: Settings) -> Rig {
        let boot = BootFacts {
            seed: 1,
            init_watchdog: None,
            first: true,
        };
        let core = Core::new(settings, boot);
        let now = Mono(3_600_000);
        let dir = tempfile::tempdir().unwrap();
        Rig {
            core,
            now,
            events: Vec::new(),
            journal: Journal::open(&dir.path().join("journal"), "boot"),
            _dir: dir,
        }
    }

    /// One fact; what the core orders is returned, what it says is kept.
    fn tell(&mut self, after_ms: u64, fact: Fact) -> Vec<Action> {
        let mut out = Actions::default();
        self.now = Mono(self.now.0 + after_ms);
        self.core.step(self.now, &fact, &mut out);
        let stamp = Stamp {
            mono: self.now,
            wall: "2026-03-04T05:06:07Z".parse().ok(),
            trust: Trust::Rtc,
        };
        let notes: Vec<_> = out.notes.iter().map(|note| (stamp, note)).collect();
        let events = &mut self.events;
        self.journal
            .append_all(&notes, self.core.settings(), |json| {
                events.push(serde_json::from_str(json).unwrap());
            });
        out.orders.into_iter().map(|order| order.action).collect()
    }

    fn child(&mut self, after_ms: u64, service: u16, change: Change) {
        let service = ServiceId(service);
        let view = self.core.services().find(|v| v.service == service).unwrap();
        let run = view.run;
        self.tell(
            after_ms,
            Fact::Child {
                service,
                run,
                change,
            },
        );
    }

    fn started(&mut self, service: u16) {
        let pid = Pid::new(812 + u32::from(service)).unwrap();
        self.child(20, service, Change::Started { pid });
    }

    fn status(&self) -> Status {
        Status {
            pid: 800,
            ..Status::of(&self.core, self.now)
        }
    }

    /// The screen without its colours.
    fn screen(&self, events: usize) -> String {
        let last = &self.events[self.events.len() - events..];
        let last: Vec<Dated> = last.iter().cloned().map(Dated::from).collect();
        anstream::adapter::strip_str(&screen(&self.status(), &last)).to_string()
    }
}

fn service(name: &str, after: &[u16]) -> Service {
    Service {
        after: after.iter().copied().map(ServiceId).collect(),
        backoff: Backoff {
            immediate: 1,
            first: Duration::from_secs(10),
            stable: Duration::from_secs(60),
            restarts: 2,
            cooldown: Duration::from_secs(300),
            ..Backoff::DEFAULT
        },
        ..Service::named(name)
    }
}

fn settings() -> Settings {
    let mut nightly = service("nightly-backup-of-everything", &[]);
    nightly.autostart = false;
    let mut web = service("web", &[1]);
    (web.ready, web.heartbeat) = (Ready::Notify, Some(Duration::from_secs(5)));
    Settings {
        services: vec![
            service("cache", &[]),
            service("database", &[]),
            nightly,
            service("queue", &[0]),
            web,
        ],
        mounts: vec!["/".into(), "/data".into()],
        // Nothing is stopped to save power in these stories.
        power: Power {
            ride_through: Some(Duration::from_secs(3600)),
            shed_optional: Duration::from_secs(3600),
            ..Power::DEFAULT
        },
        watchdog: Watchdog {
            owner: WatchdogOwner::Fieldwarden,
            timeout: Duration::from_secs(15),
            disarm_on_stop: false,
        },
        ..Settings::nothing()
    }
}

/// A rig whose machine is well.
fn well() -> Rig {
    let mut rig = Rig::new(settings());
    rig.tell(0, Fact::Tick);
    let mount = |mount, space| {
        Fact::Seen(Reading::Mount {
            mount: MountId(mount),
            space: Permille(space),
            inodes: Some(Permille(800)),
            read_only: false,
            errors: 0,
        })
    };
    let watchdog = WatchdogSeen {
        identity: "Broadcom BCM2835 Watchdog timer".into(),
        timeout: Duration::from_secs(15),
        nowayout: true,
        caused_reset: false,
    };
    for fact in [
        Fact::Seen(Reading::Watchdog(watchdog)),
        Fact::Seen(Reading::Temperature(MilliCelsius(61_234))),
        Fact::Seen(Reading::Memory {
            available: Permille(435),
        }),
        Fact::Seen(Reading::Load { centi_per_cpu: 35 }),
        Fact::Seen(Reading::Clock {
            synced: true,
            shown: None,
        }),
        Fact::Seen(Reading::Mains { present: true }),
        Fact::Seen(Reading::Gauge {
            voltage: Some(Millivolts(4_112)),
            charge: Some(Permille(965)),
            current: Some(Milliamps(310)),
        }),
        Fact::Seen(Reading::Throttle(ThrottleFlags(0))),
        mount(0, 430),
        mount(1, 210),
    ] {
        rig.tell(10, fact);
    }
    rig
}

/// All is well: one green line says so, and the rest backs it up.
#[test]
fn all_is_well() {
    let mut rig = well();
    for service in [0, 1, 3, 4] {
        rig.started(service);
    }
    rig.child(500, 4, Change::Ready);
    rig.now = Mono(rig.now.0 + 7_380_000);
    let text = "\
ok: 4 of 4 services up, watchdog armed
fieldwarden VERSION, pid 800; machine up 3 h 3 min

watchdog
  ●  armed  Broadcom BCM2835 Watchdog timer, timeout 15 s, petted by fieldwarden, cannot be stopped

services
  ●  cache                         up    2 h 3 min  pid 812
  ●  database                      up    2 h 3 min  pid 813
  ●  nightly-backup-of-everything  down                      nobody has asked for it
  ●  queue                         up    2 h 3 min  pid 815
  ●  web                           up    2 h 3 min  pid 816

machine
  temperature  61.2C
  memory       43.5% available
  load         0.35 per processor
  clock        synced
  power        on mains
  battery      96.5%, 4.11V, charging with 0.31A
  throttle     never seen; flags 0x0

storage
  ●  /      ok  43% free  80% of inodes free
  ●  /data  ok  21% free  80% of inodes free
";
    assert_eq!(
        rig.screen(0),
        text.replace("VERSION", env!("CARGO_PKG_VERSION"))
    );
}

/// The screen of [`much_is_wrong`].
const MUCH_IS_WRONG: &str = "\
critical: no hardware watchdog: input/output error (EIO); cache keeps failing (next try in 9.7 s); queue is starting; web is starting; space on /data is low (3.5% free); on battery for 2.2 s; processor at 86.0C; the supply voltage is too low, for 260 ms; thread recorder is late by 1 min 22 s
fieldwarden VERSION, pid 800; machine up 1 h 1 min

watchdog
  ●  failed  input/output error (EIO), next try in 2.2 s

services
  ●  cache                         backoff                        1 restart  next try in 9.7 s, 2 failures in a row, 2 put down to power, throttling or a hold
  ●  database                      up        1 min 22 s  pid 813
  ●  nightly-backup-of-everything  down                                      nobody has asked for it
  ●  queue                         starting  1 min 22 s                      process is being made
  ●  web                           starting  1 min 22 s                      process is being made

machine
  temperature  86.0C (critical)
  memory       43.5% available
  load         0.35 per processor
  clock        synced
  power        on battery for 2.2 s
  battery      7.08V, in use with 1.25A
  throttle     under-voltage once, 260 ms in all, now too; flags 0x10001

storage
  ●  /      ok        43% free   80% of inodes free
  ●  /data  critical  3.5% free  80% of inodes free  space low

late threads
  ●  recorder  late by 1 min 22 s

latest events
  2026-03-04 05:06:07? warning cache exited with status 1 after 100 ms
  2026-03-04 05:06:07? info    cache failed while the machine ran on its battery, or shortly after: not counted towards giving up
  2026-03-04 05:06:07? warning cache failed twice in a row: next start in 9.7 s
";

/// Everything at once: each trouble is named at the top, worst first, and explained below.
#[test]
fn much_is_wrong() {
    let mut rig = well();
    rig.started(1);
    rig.started(0);
    let pulse = Pulse::Late { since: rig.now };
    let thread = Thread::Recorder;
    let gauge = Reading::Gauge {
        voltage: Some(Millivolts(7_080)),
        charge: None,
        current: Some(Milliamps(-1_250)),
    };
    rig.tell(80_000, Fact::Thread { thread, pulse });
    rig.tell(0, Fact::Seen(Reading::Mains { present: false }));
    rig.tell(2_000, Fact::Tick);
    rig.tell(0, Fact::Seen(gauge));
    rig.tell(10, Fact::Seen(Reading::Temperature(MilliCelsius(86_000))));
    let flags = ThrottleFlags(0x1_0001);
    rig.tell(0, Fact::Seen(Reading::Throttle(flags)));
    rig.tell(
        10,
        Fact::Seen(Reading::Mount {
            mount: MountId(1),
            space: Permille(35),
            inodes: Some(Permille(800)),
            read_only: false,
            errors: 0,
        }),
    );
    rig.tell(
        10,
        Fact::Lost {
            source: Source::Watchdog,
            why: Fault::Errno(Errno(5)),
        },
    );
    for _ in 0..2 {
        rig.started(0);
        rig.child(100, 0, Change::Exited(Exit::Code(1)));
    }
    assert_eq!(
        rig.screen(3),
        MUCH_IS_WRONG.replace("VERSION", env!("CARGO_PKG_VERSION"))
    );
}

/// The report that programs read comes back as it went out.
#[test]
fn json_there_and_back() {
    let mut rig = well();
    rig.started(0);
    let status = rig.status();
    let json = status.to_json();
    assert!(!json.contains('\n'));
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["machine"]["temperature_celsius"], 61.234);
    assert_eq!(value["machine"]["battery"]["volts"], 4.112);
    assert_eq!(value["machine"]["battery"]["amperes"], 0.31);
    assert_eq!(value["services"][0]["state"], "up");
    assert_eq!(value["services"][4]["waits_for"][0], "database");
    assert_eq!(value["verdict"], "warn");
}

/// A machine that cannot tell about mains has no verdict on them and no line; one that could and
/// cannot any more says so.
#[test]
fn mains_that_nobody_sees() {
    let mut rig = Rig::new(Settings::nothing());
    rig.tell(0, Fact::Tick);
    let status = rig.status();
    assert_eq!((status.verdicts.power, status.machine.power), (None, None));
    assert_eq!(status.machine.battery, None);
    assert!(!rig.screen(0).contains("power"), "{}", rig.screen(0));
    let (source, why) = (Source::Mains, Fault::Absent);
    rig.tell(10, Fact::Lost { source, why });
    let status = rig.status();
    assert_eq!(status.verdicts.power.as_deref(), Some("unknown"));
    assert_eq!(status.machine.power.as_deref(), Some("unknown"));
    assert!(rig.screen(0).contains("  power        unknown\n"));
}

/// Pets that are withheld are the first thing that is said.
#[test]
fn withheld_pets_come_first() {
    let mut rig = well();
    let pulse = Pulse::Late { since: rig.now };
    let thread = Thread::Children;
    rig.tell(3_000, Fact::Thread { thread, pulse });
    let status = rig.status();
    assert_eq!(status.watchdog.state, "withheld");
    let start = "critical: thread children is stuck: the watchdog resets the machine within 15 s; ";
    assert!(status.headline.starts_with(start), "{}", status.headline);
}

/// While the daemon ends its services are no reason for alarm.
#[test]
fn ending_is_told() {
    let mut rig = well();
    rig.started(0);
    let ask = Fact::Asked {
        ticket: Ticket(1),
        by: Asker::Signal(15),
        request: Request::Exit,
    };
    rig.tell(10, ask);
    let status = rig.status();
    assert_eq!(status.phase, "stopping");
    assert!(status.headline.contains("all services are being stopped"));
    assert!(!status.headline.contains("cache"), "{}", status.headline);
}

/// Every field of the report and every code of an answer is documented.
#[test]
fn everything_is_documented() {
    fn keys(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, inner) in map {
                    found.push(key.clone());
                    keys(inner, found);
                }
            }
            serde_json::Value::Array(list) => list.iter().for_each(|inner| keys(inner, found)),
            _ => {}
        }
    }
    let mut rig = well();
    let pulse = Pulse::Late { since: rig.now };
    let thread = Thread::Recorder;
    rig.tell(80_000, Fact::Thread { thread, pulse });
    let flags = ThrottleFlags(0x1_0001);
    rig.tell(0, Fact::Seen(Reading::Throttle(flags)));
    let mut found = Vec::new();
    let status = Status {
        led: with_led().status().led,
        ..rig.status()
    };
    let value = serde_json::to_value(status).unwrap();
    keys(&value, &mut found);
    assert!(found.len() > 60, "{found:?}");
    let page = include_str!("../../docs/control.md");
    for key in found {
        assert!(
            page.contains(&format!("`{key}`")),
            "{key} is not in docs/control.md"
        );
    }
}

/// What cannot be looked at any more is shown with what was seen of it last, and what was bad about
/// it stays in the first line.
#[test]
fn silence_is_shown() {
    let mut rig = well();
    for service in [0, 1, 3, 4] {
        rig.started(service);
    }
    rig.child(500, 4, Change::Ready);
    let lost = |source| Fact::Lost {
        source,
        why: Fault::Errno(Errno(5)),
    };
    rig.tell(10, lost(Source::Mount(MountId(0))));
    let status = rig.status();
    assert_eq!(status.headline, "unknown: no reading of /");
    assert_eq!((status.mounts.len(), status.mounts[0].readable), (2, false));
    rig.tell(
        10,
        Fact::Seen(Reading::Mount {
            mount: MountId(1),
            space: Permille(210),
            inodes: None,
            read_only: true,
            errors: 0,
        }),
    );
    rig.tell(60_000, lost(Source::Mount(MountId(1))));
    rig.tell(0, Fact::Seen(Reading::Temperature(MilliCelsius(90_000))));
    rig.tell(10, lost(Source::Temperature));
    let status = rig.status();
    assert_eq!(
        status.headline,
        "critical: /data has turned read-only; processor was hot when it was read last; no reading \
         of the battery; no reading of the file systems"
    );
    let screen = rig.screen(0);
    let data = "/data  critical  21% free  unknown, last seen 1 min ago; has turned read-only: \
                nothing can be written";
    let screen = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    let data = data.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains(&data), "{screen}");
}

/// Of space and inodes, the one that is beyond its limit is named, not the one with less left.
#[test]
fn the_limit_that_was_passed_is_named() {
    let mut rig = well();
    rig.tell(
        10,
        Fact::Seen(Reading::Mount {
            mount: MountId(1),
            space: Permille(145),
            inodes: Some(Permille(120)),
            read_only: false,
            errors: 0,
        }),
    );
    let mount = &rig.status().mounts[1];
    assert_eq!(
        (mount.verdict.as_str(), mount.why.as_deref()),
        ("warn", Some("space"))
    );
}

/// What the daemon itself lacks costs nothing today, and is told before it does.
#[test]
fn what_the_daemon_lacks_is_in_the_first_line() {
    let mut rig = well();
    let lost = |source, errno| Fact::Lost {
        source,
        why: Fault::Errno(Errno(errno)),
    };
    rig.tell(10, lost(Source::Journal, 30));
    rig.tell(10, lost(Source::Pool, 2));
    let status = Status::of(&rig.core, rig.now);
    assert_eq!(status.verdicts.daemon, "warn");
    let both = "events are kept in memory only: read-only file system (EROFS); services end with the \
                daemon, there is no pool: no such file or directory (ENOENT)";
    assert!(status.headline.contains(both), "{}", status.headline);
    rig.tell(10, Fact::Seen(Reading::Journal));
    let status = Status::of(&rig.core, rig.now);
    assert_eq!(status.daemon.journal_why, None);
    assert_eq!(status.verdicts.daemon, "warn");
}

/// Limits that do not hold are shown with the remedy. Only one that was asked for is a reason to call
/// the machine degraded: most Pis have no controller of memory.
#[test]
fn limits_that_do_not_hold_are_shown() {
    let mut rig = well();
    let lacks = |controller, lack, asked| {
        Fact::Seen(Reading::Unenforced {
            controller,
            lack,
            asked,
        })
    };
    rig.tell(10, lacks(Controller::Memory, Lack::SwitchedOff, false));
    let status = Status::of(&rig.core, rig.now);
    assert_eq!(status.verdicts.daemon, "ok");
    assert!(!status.headline.contains("limits"), "{}", status.headline);
    let shown = rig.screen(0);
    assert!(shown.contains("cgroup_enable=memory"), "{shown}");
    rig.tell(10, lacks(Controller::Cpu, Lack::NoPool, true));
    let status = Status::of(&rig.core, rig.now);
    assert_eq!(status.verdicts.daemon, "warn");
    let reason = "limits of services are not enforced: cpu";
    assert!(status.headline.contains(reason), "{}", status.headline);
    let told: Vec<bool> = status.daemon.unenforced.iter().map(|u| u.asked).collect();
    assert_eq!(told, [false, true]);
}

/// Up again is not well again: not before it has stayed up. What was stopped by request is no trouble,
/// and not passed over.
#[test]
fn up_again_is_on_probation() {
    let mut rig = well();
    for service in [0, 1, 3, 4] {
        rig.started(service);
    }
    rig.child(500, 4, Change::Ready);
    rig.child(100, 0, Change::Exited(Exit::Code(1)));
    rig.started(0);
    assert_eq!(rig.status().verdict, "ok", "a single failure is over");
    rig.child(100, 0, Change::Exited(Exit::Code(1)));
    rig.tell(12_000, Fact::Tick);
    rig.started(0);
    rig.now = Mono(rig.now.0 + 3_000);
    assert_eq!(
        rig.status().headline,
        "degraded: cache failed 2 times in a row, up again for 3 s"
    );
    assert!(rig.screen(0).contains("2 failures in a row"));
    rig.tell(57_000, Fact::Tick);
    let gauge = Reading::Gauge {
        voltage: Some(Millivolts(4_112)),
        charge: Some(Permille(965)),
        current: Some(Milliamps(310)),
    };
    rig.tell(0, Fact::Seen(gauge));
    let stop = Fact::Asked {
        ticket: Ticket(1),
        by: Asker::User(0),
        request: Request::Stop(ServiceId(3)),
    };
    rig.tell(0, stop);
    rig.child(10, 3, Change::Exited(Exit::Signal(15)));
    assert_eq!(
        rig.status().headline,
        "ok: 3 of 3 services up, 1 stopped by request, watchdog armed"
    );
}

/// A core with an LED that has been ordered to show something.
fn with_led() -> Rig {
    let settings = Settings {
        led: Some("ACT".into()),
        ..Settings::nothing()
    };
    let mut rig = Rig::new(settings);
    rig.tell(0, Fact::Tick);
    rig
}

/// What the LED shows stands in the report; that it shows nothing, in its first line.
#[test]
fn the_led_is_told() {
    let mut rig = with_led();
    // Of the orders of the first tick, the last but one or two is for the LED: all are answered.
    for order in 1..9 {
        let (order, outcome) = (OrderId(order), Ok(()));
        rig.tell(0, Fact::Done { order, outcome });
    }
    let status = rig.status();
    let led = status.led.as_ref().unwrap();
    assert_eq!(status.verdicts.led.as_deref(), Some("ok"));
    assert_eq!(led.shows.as_deref(), Some(led.state.as_str()));
    let line =
        "  \u{25cf}  ACT  degraded  three short flashes, a pause; somebody should look some day\n";
    assert!(rig.screen(0).contains(line), "{}", rig.screen(0));
    let mut rig = with_led();
    for order in 1..9 {
        let outcome = Err(Fault::Taken {
            by: Some("trigger mmc0".into()),
        });
        let order = OrderId(order);
        rig.tell(0, Fact::Done { order, outcome });
    }
    let status = rig.status();
    assert_eq!(status.verdicts.led.as_deref(), Some("warn"));
    assert_eq!(status.led.as_ref().unwrap().shows, None);
    let reason = "LED ACT shows nothing: taken by trigger mmc0";
    assert!(status.headline.contains(reason), "{}", status.headline);
    let line = "  \u{25cf}  ACT  nothing  taken by trigger mmc0; next try in 10 s\n";
    assert!(rig.screen(0).contains(line), "{}", rig.screen(0));
}

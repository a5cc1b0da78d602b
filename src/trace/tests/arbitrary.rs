//! Strategies for facts.

use crate::core::budget::StopTimes;
use crate::core::fact::{
    Asker, CanaryId, CapId, Change, Controller, Errno, Exit, ExpiryId, Fact, Fault, Found, Freed,
    Health, Hold, Ill, Lack, Life, MountId, NotifyKey, Obstacle, OrderId, Pid, ProbeKind, Probed,
    Pulse, Reading, Refusal, Request, RtcSeen, RunId, Said, ServiceId, Shown, Source, Stage,
    StandIn, Standing, Swap, Thread, ThrottleFlags, Ticket, Uplink, WatchdogSeen, Wear,
};
use crate::core::job::{JobPast, Outcome, Stamp};
use crate::core::light::LedState;
use crate::core::memo::{Left, Memo, Progress, Rest};
use crate::units::{MilliCelsius, Milliamps, Millivolts, Mono, Permille, Wall};
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

/// Number of services and of mounts in [`names`] and [`paths`].
pub(super) const COUNT: u16 = 3;

/// Names of services.
pub(super) fn names() -> [&'static str; 3] {
    ["sensor-bridge", "tick", "web.2_a"]
}

/// Mount points, some of them malicious.
pub(super) fn paths() -> [&'static str; 3] {
    ["/", "/srv/my \"data\"=1", "/mnt/\u{202e}\n----\n"]
}

/// Any text whatsoever.
fn text() -> impl Strategy<Value = Box<str>> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,20}",
        r#"[\\"nrtu{}0-9= \n\t\r\u{7f}\u{85}\u{2028}é]{0,12}"#,
    ]
    .prop_map(Into::into)
}

fn errno() -> impl Strategy<Value = Errno> {
    prop_oneof![0..150i32, any::<i32>()].prop_map(Errno)
}

fn pid() -> impl Strategy<Value = Pid> {
    (2..=1u32 << 22).prop_map(|n| Pid::new(n).unwrap())
}

fn share() -> impl Strategy<Value = Permille> {
    (0..=1000u16).prop_map(Permille)
}

fn service() -> impl Strategy<Value = ServiceId> {
    (0..COUNT).prop_map(ServiceId)
}

fn mount() -> impl Strategy<Value = MountId> {
    (0..COUNT).prop_map(MountId)
}

/// Any instant.
pub(super) fn mono() -> impl Strategy<Value = Mono> {
    prop_oneof![0..100_000_000u64, any::<u64>()].prop_map(Mono)
}

fn memo() -> impl Strategy<Value = Memo> {
    let rest = prop_oneof![
        Just(Rest::NotStarted),
        Just(Rest::Stopped),
        Just(Rest::Finished),
        Just(Rest::Failed),
        Just(Rest::Elsewhere),
    ];
    let left = prop_oneof![
        Just(Left::Over),
        Just(Left::Waiting),
        Just(Left::Running),
        Just(Left::Ending),
        rest.prop_map(|why| Left::Resting { why }),
        mono().prop_map(|until| Left::Backoff { until }),
        mono().prop_map(|until| Left::GaveUp { until }),
    ];
    let restarts = prop::collection::vec(mono(), 0..4);
    let progress = (any::<bool>(), any::<bool>());
    let progress = progress.prop_map(|(started, ready)| Progress { started, ready });
    (left, any::<u32>(), restarts, progress).prop_map(|(left, failures, restarts, progress)| Memo {
        progress,
        left,
        failures,
        restarts: restarts.into(),
    })
}

fn past() -> impl Strategy<Value = JobPast> {
    let stamp = || {
        let parts = (option::of(mono()), option::of(wall()));
        parts.prop_map(|(at, wall)| Stamp { at, wall })
    };
    let outcome = prop_oneof![
        Just(Outcome::Good),
        Just(Outcome::Failed),
        Just(Outcome::Stopped),
    ];
    let stamps = (stamp(), option::of(stamp()), option::of(stamp()));
    let flags = (any::<bool>(), any::<bool>());
    let rest = (option::of(outcome), flags, option::of(wall()));
    (stamps, rest).prop_map(|(stamps, (outcome, (failing, repeats), slot))| JobPast {
        first: stamps.0,
        good: stamps.1,
        latest: stamps.2,
        outcome,
        failing,
        repeats,
        slot,
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Busy),
        errno().prop_map(Fault::Errno),
        option::of(text()).prop_map(|by| Fault::Taken { by }),
        Just(Fault::Absent),
        Just(Fault::Implausible),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::Temperature),
        Just(Source::Memory),
        Just(Source::Load),
        Just(Source::Network),
        Just(Source::Clock),
        Just(Source::Rtc),
        Just(Source::Floor),
        Just(Source::Mains),
        Just(Source::Throttle),
        mount().prop_map(Source::Mount),
        Just(Source::Watchdog),
        Just(Source::Gauge),
        Just(Source::Journal),
        Just(Source::Pool),
        Just(Source::Starts),
        Just(Source::Limits),
        Just(Source::Hold),
        Just(Source::Configuration),
        Just(Source::Health),
        Just(Source::Canary(CanaryId(0))),
        Just(Source::Cap(CapId(0))),
        mount().prop_map(Source::Wear),
        Just(Source::Pressure),
        Just(Source::Swap),
        Just(Source::Uplink),
        Just(Source::Expiry(ExpiryId(0))),
    ]
}

fn wall() -> impl Strategy<Value = Wall> {
    (0..=Wall::MAX.seconds()).prop_map(|s| Wall::new(s).unwrap())
}

fn shown() -> impl Strategy<Value = Shown> {
    (wall(), mono()).prop_map(|(time, at)| Shown { time, at })
}

fn rtc() -> impl Strategy<Value = RtcSeen> {
    let heat = any::<i32>().prop_map(MilliCelsius);
    (
        option::of(shown()),
        option::of(any::<bool>()),
        option::of(heat),
    )
        .prop_map(|(shown, oscillator_stopped, temperature)| RtcSeen {
            shown,
            oscillator_stopped,
            temperature,
        })
}

fn unenforced() -> impl Strategy<Value = Reading> {
    let controller = prop::sample::select(&Controller::ALL);
    let lack = prop::sample::select(&Lack::ALL);
    (controller, lack, any::<bool>()).prop_map(|(controller, lack, asked)| Reading::Unenforced {
        controller,
        lack,
        asked,
    })
}

fn uplink() -> impl Strategy<Value = Uplink> {
    let found = option::of(prop::sample::select(&Found::ALL));
    let steps = prop::array::uniform8(found);
    (steps, option::of(any::<Duration>()), any::<bool>()).prop_map(|(steps, handshake, beyond)| {
        Uplink {
            steps,
            handshake,
            beyond,
        }
    })
}

fn guarded() -> impl Strategy<Value = Reading> {
    let freed = (any::<u32>(), any::<u64>()).prop_map(|(files, bytes)| Freed { files, bytes });
    let (canary, cap) = (CanaryId(0), CapId(0));
    let wear = (any::<u8>(), any::<u8>()).prop_map(|(life, spare)| Wear { life, spare });
    let swap = (any::<u32>(), any::<u32>(), any::<bool>());
    prop_oneof![
        any::<Duration>().prop_map(move |took| Reading::Canary { canary, took }),
        (any::<u64>(), option::of(freed)).prop_map(move |(size, freed)| Reading::Cap {
            cap,
            size,
            freed
        }),
        (mount(), wear).prop_map(|(mount, wear)| Reading::Wear { mount, wear }),
        share().prop_map(|full| Reading::Pressure { full }),
        uplink().prop_map(Reading::Uplink),
        wall().prop_map(|ends| Reading::Expiry {
            expiry: ExpiryId(0),
            ends
        }),
        swap.prop_map(|(read, written, on_disk)| {
            Reading::Swap(Swap {
                read,
                written,
                on_disk,
            })
        }),
    ]
}

fn reading() -> impl Strategy<Value = Reading> {
    let on_mount = (
        mount(),
        share(),
        option::of(share()),
        any::<bool>(),
        any::<u32>(),
    );
    let watchdog = (text(), any::<Duration>(), any::<bool>(), any::<bool>());
    let gauge = (
        option::of(any::<u32>()),
        option::of(share()),
        option::of(any::<i32>()),
    );
    prop_oneof![
        prop_oneof![-60_000..150_000i32, any::<i32>()]
            .prop_map(|t| Reading::Temperature(MilliCelsius(t))),
        share().prop_map(|available| Reading::Memory { available }),
        any::<u32>().prop_map(|centi_per_cpu| Reading::Load { centi_per_cpu }),
        any::<bool>().prop_map(|up| Reading::Network { up }),
        Just(Reading::Journal),
        Just(Reading::Health),
        hold().prop_map(Reading::Hold),
        Just(Reading::Pool),
        text().prop_map(|text| Reading::Problems { text }),
        (option::of(wall()), any::<bool>(), text()).prop_map(|(taken, safe, problem)| {
            Reading::StandIn {
                by: match (taken, safe) {
                    (Some(taken), _) => StandIn::Copy { taken },
                    (None, true) => StandIn::SafeMode,
                    (None, false) => StandIn::Elsewhere,
                },
                problem,
            }
        }),
        any::<u32>().prop_map(|aborted| Reading::Starts { aborted }),
        unenforced(),
        guarded(),
        (any::<bool>(), option::of(shown()))
            .prop_map(|(synced, shown)| Reading::Clock { synced, shown }),
        rtc().prop_map(Reading::Rtc),
        wall().prop_map(|time| Reading::Floor { time }),
        any::<bool>().prop_map(|present| Reading::Mains { present }),
        any::<u32>().prop_map(|flags| Reading::Throttle(ThrottleFlags(flags))),
        on_mount.prop_map(|(mount, space, inodes, read_only, errors)| Reading::Mount {
            mount,
            space,
            inodes,
            read_only,
            errors
        }),
        watchdog.prop_map(|(identity, timeout, nowayout, caused_reset)| {
            Reading::Watchdog(WatchdogSeen {
                identity,
                timeout,
                nowayout,
                caused_reset,
            })
        }),
        (any::<bool>(), option::of(any::<Duration>()))
            .prop_map(|(running, timeout)| Reading::WatchdogElsewhere { running, timeout }),
        gauge.prop_map(|(voltage, charge, current)| Reading::Gauge {
            voltage: voltage.map(Millivolts),
            charge,
            current: current.map(Milliamps),
        }),
    ]
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        Just(Stage::Prepare),
        Just(Stage::Clone),
        Just(Stage::Session),
        Just(Stage::Cgroup),
        Just(Stage::Output),
        Just(Stage::Mounts),
        Just(Stage::Secrets),
        Just(Stage::Paths),
        Just(Stage::Tmp),
        Just(Stage::Network),
        Just(Stage::Limits),
        Just(Stage::Capabilities),
        Just(Stage::Groups),
        Just(Stage::User),
        Just(Stage::Directory),
        Just(Stage::Exec),
        Just(Stage::Machine),
        Just(Stage::Keeper),
    ]
}

fn stop_times() -> impl Strategy<Value = StopTimes> {
    let took = option::of((0u64..6_000).prop_map(|tenths| Duration::from_millis(tenths * 100)));
    prop::collection::vec(took, 1..=StopTimes::MOST).prop_map(|all| {
        let mut times = StopTimes::default();
        all.into_iter().for_each(|took| times.see(took));
        times
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        pid().prop_map(|pid| Change::Started { pid }),
        (stage(), errno()).prop_map(|(stage, errno)| Change::StartFailed { stage, errno }),
        (pid(), any::<bool>()).prop_map(|(pid, ready)| Change::Adopted { pid, ready }),
        memo().prop_map(Change::Recalled),
        Just(Change::Redefined),
        past().prop_map(Change::Remembered),
        stop_times().prop_map(Change::Stops),
        Just(Change::Ready),
        Just(Change::Heartbeat),
        said().prop_map(Change::Said),
        (refusal(), any::<u32>()).prop_map(|(why, times)| Change::Refused { why, times }),
        (probe_kind(), any::<u32>(), probed()).prop_map(|(kind, attempt, probed)| {
            Change::Probed {
                kind,
                attempt,
                probed,
            }
        }),
        any::<u8>().prop_map(|code| Change::Exited(Exit::Code(code))),
        any::<u8>().prop_map(|signal| Change::Exited(Exit::Signal(signal))),
        Just(Change::Exited(Exit::Unknown)),
    ]
}

fn standing() -> impl Strategy<Value = Standing> {
    let exit = prop_oneof![
        any::<u8>().prop_map(Exit::Code),
        any::<u8>().prop_map(Exit::Signal),
        Just(Exit::Unknown),
    ];
    let obstacle = prop::sample::select(&[
        Obstacle::Unseen,
        Obstacle::Silent,
        Obstacle::Ending,
        Obstacle::Missing,
        Obstacle::Masked,
        Obstacle::Paused,
        Obstacle::Broken,
        Obstacle::NoProcess,
    ]);
    let health =
        prop::sample::select(&[Health::Untold, Health::Awaited, Health::Well, Health::Ill]);
    prop_oneof![
        (
            any::<u64>(),
            pid(),
            any::<u32>(),
            health,
            option::of(any::<Duration>())
        )
            .prop_map(|(life, pid, again, health, patience)| Standing::Up {
                life: Life(life),
                pid,
                again,
                health,
                patience,
            }),
        (option::of(pid()), option::of(exit.clone()))
            .prop_map(|(pid, after)| Standing::Coming { pid, after }),
        Just(Standing::Going),
        (exit, any::<bool>(), option::of(obstacle)).prop_map(|(exit, told, obstacle)| {
            Standing::Down {
                exit,
                told,
                obstacle,
            }
        }),
        fault().prop_map(|why| Standing::Unknown { why }),
    ]
}

fn probe_kind() -> impl Strategy<Value = ProbeKind> {
    prop::sample::select(&ProbeKind::ALL)
}

fn probed() -> impl Strategy<Value = Probed> {
    let exit = prop_oneof![
        any::<u8>().prop_map(Exit::Code),
        any::<u8>().prop_map(Exit::Signal),
        Just(Exit::Unknown),
    ];
    let ill = prop_oneof![
        errno().prop_map(Ill::Errno),
        Just(Ill::TimedOut),
        Just(Ill::Closed),
        Just(Ill::NotHttp),
        any::<u16>().prop_map(Ill::Status),
        exit.prop_map(Ill::Exit),
        any::<Duration>().prop_map(Ill::Unchanged),
        Just(Ill::Undated),
        Just(Ill::Busy),
        any::<u8>().prop_map(Ill::Reaches),
    ];
    (ill, 0..3u8).prop_map(|(ill, which)| match which {
        0 => Probed::Good,
        1 => Probed::Bad(ill),
        _ => Probed::Unsure(ill),
    })
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        option::of(mono()).prop_map(|since| Said::Reloading { since }),
        Just(Said::Stopping),
        text().prop_map(Said::Status),
        errno().prop_map(Said::Errno),
        Just(Said::Trigger),
        option::of(any::<Duration>()).prop_map(Said::Window),
        any::<Duration>().prop_map(Said::Extend),
        any::<u16>().prop_map(Said::Kept),
        pid().prop_map(Said::Main),
    ]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        (option::of(pid()), any::<u32>()).prop_map(|(pid, user)| Refusal::Stranger { pid, user }),
        Just(Refusal::TooLong),
        Just(Refusal::Nul),
        proptest::sample::select(&NotifyKey::ALL[..]).prop_map(Refusal::Value),
        pid().prop_map(Refusal::Main),
        Just(Refusal::Store),
        Just(Refusal::Flood),
    ]
}

fn asker() -> impl Strategy<Value = Asker> {
    prop_oneof![
        any::<u32>().prop_map(Asker::User),
        any::<u8>().prop_map(Asker::Signal),
    ]
}

fn hold() -> impl Strategy<Value = Hold> {
    (asker(), mono(), mono(), text()).prop_map(|(by, since, until, reason)| Hold {
        by,
        since,
        until,
        reason,
    })
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::Status),
        service().prop_map(Request::Start),
        service().prop_map(Request::Stop),
        service().prop_map(Request::Restart),
        Just(Request::Exit),
        Just(Request::Leave),
        Just(Request::Reload),
        (
            proptest::sample::select(&LedState::ALL[..]),
            any::<Duration>()
        )
            .prop_map(|(state, time)| Request::ShowLed { state, time }),
        (any::<Duration>(), text()).prop_map(|(time, reason)| Request::Hold { time, reason }),
        Just(Request::EndHold),
    ]
}

fn pulse() -> impl Strategy<Value = Pulse> {
    prop_oneof![
        mono().prop_map(|since| Pulse::Late { since }),
        Just(Pulse::OnTime),
    ]
}

fn thread() -> impl Strategy<Value = Thread> {
    proptest::sample::select(&Thread::ALL[..])
}

/// Any fact about the services and mounts above.
pub(super) fn fact() -> impl Strategy<Value = Fact> {
    let child = (service(), any::<u32>(), change());
    let asked = (any::<u64>(), asker(), request());
    let done = (any::<u64>(), option::of(fault()));
    prop_oneof![
        Just(Fact::Tick),
        reading().prop_map(Fact::Seen),
        (source(), fault()).prop_map(|(source, why)| Fact::Lost { source, why }),
        child.prop_map(|(service, run, change)| Fact::Child {
            service,
            run: RunId(run),
            change
        }),
        (service(), standing()).prop_map(|(service, standing)| Fact::Kept { service, standing }),
        asked.prop_map(|(ticket, by, request)| Fact::Asked {
            ticket: Ticket(ticket),
            by,
            request
        }),
        done.prop_map(|(order, fault)| Fact::Done {
            order: OrderId(order),
            outcome: fault.map_or(Ok(()), Err),
        }),
        (thread(), pulse()).prop_map(|(thread, pulse)| Fact::Thread { thread, pulse }),
    ]
}

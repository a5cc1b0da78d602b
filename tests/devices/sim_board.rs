//! The simulated board behaves as a real one and never differently for the same seed.

use fieldwarden::core::fact::{Errno, Fact, Fault, MountId, Reading, Source, ThrottleFlags};
use fieldwarden::edge::sim_board::{Bite, SimBoard, SimWatchdog};
use fieldwarden::edge::watchdog_device::WatchdogDevice;
use fieldwarden::units::{MilliCelsius, Mono, Permille};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A board with a watchdog, and a clock that only the test moves.
struct Bench {
    board: SimBoard,
    clock: Arc<AtomicU64>,
    watchdog: SimWatchdog,
}

impl Bench {
    fn new() -> Bench {
        let board = SimBoard::new(7, Mono(0));
        let clock = Arc::new(AtomicU64::new(0));
        let watchdog = watchdog(&board, &clock);
        Bench {
            board,
            clock,
            watchdog,
        }
    }

    /// Another opener of the same device, as after a restart of the daemon.
    fn second(&self) -> SimWatchdog {
        watchdog(&self.board, &self.clock)
    }

    fn at(&self, seconds: u64) -> Option<Bite> {
        self.clock.store(seconds * 1000, Ordering::SeqCst);
        self.board.advance(Mono(seconds * 1000))
    }
}

fn watchdog(board: &SimBoard, clock: &Arc<AtomicU64>) -> SimWatchdog {
    let clock = Arc::clone(clock);
    board.watchdog(Arc::new(move || Mono(clock.load(Ordering::SeqCst))))
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn heat(board: &SimBoard, now: u64) -> i32 {
    match board.sample(Mono(now * 1000))[0] {
        Fact::Seen(Reading::Temperature(MilliCelsius(milli))) => milli,
        ref other => panic!("no temperature: {other:?}"),
    }
}

#[test]
fn a_petted_watchdog_never_bites() {
    let mut bench = Bench::new();
    let seen = bench.watchdog.arm(seconds(10)).unwrap();
    assert_eq!(&*seen.identity, "simulated watchdog");
    assert_eq!(
        (seen.timeout, seen.nowayout, seen.caused_reset),
        (seconds(10), false, false)
    );
    for now in (5..100).step_by(5) {
        assert_eq!(bench.at(now), None);
        bench.watchdog.pet().unwrap();
    }
    let record = bench.board.record();
    assert_eq!((record.pets, record.bites, record.running), (19, 0, true));
    assert_eq!(bench.board.bites_at(), Some(Mono(105_000)));
}

#[test]
fn a_neglected_watchdog_bites_once_at_its_deadline_and_remembers_it() {
    let mut bench = Bench::new();
    bench.watchdog.arm(seconds(10)).unwrap();
    bench.at(4);
    bench.watchdog.pet().unwrap();
    assert_eq!(bench.at(13), None);
    let bite = Bite {
        at: Mono(14_000),
        last_pet: Mono(4_000),
    };
    assert_eq!(bench.at(60), Some(bite));
    assert_eq!(bench.at(61), None);

    // The machine is down; nobody pets it back to life.
    assert_eq!(bench.watchdog.pet(), Err(Fault::Errno(Errno(libc::ENODEV))));
    assert_eq!(bench.watchdog.arm(seconds(10)), Err(Fault::Absent));
    bench.board.boot(Mono(70_000));
    assert!(bench.second().arm(seconds(10)).unwrap().caused_reset);
}

#[test]
fn a_late_pet_comes_too_late_even_if_nobody_looked_in_between() {
    let mut bench = Bench::new();
    bench.watchdog.arm(seconds(10)).unwrap();
    bench.clock.store(10_000, Ordering::SeqCst);
    assert_eq!(bench.watchdog.pet(), Err(Fault::Errno(Errno(libc::ENODEV))));
    let bite = Bite {
        at: Mono(10_000),
        last_pet: Mono(0),
    };
    assert_eq!(bench.at(11), Some(bite));
}

#[test]
fn a_dropped_watchdog_runs_on_and_a_disarmed_one_does_not() {
    let mut bench = Bench::new();
    bench.watchdog.arm(seconds(10)).unwrap();
    bench.watchdog.disarm().unwrap();
    assert_eq!(bench.at(100), None);

    let mut second = bench.second();
    second.arm(seconds(10)).unwrap();
    drop(second);
    assert_eq!(bench.at(111).map(|bite| bite.at), Some(Mono(110_000)));
}

#[test]
fn a_successor_opens_what_its_predecessor_left_running() {
    let mut bench = Bench::new();
    let mut first = bench.second();
    first.arm(seconds(10)).unwrap();
    let busy = bench.watchdog.arm(seconds(10));
    assert!(matches!(busy, Err(Fault::Taken { .. })), "{busy:?}");
    drop(first);
    bench.at(5);
    bench.watchdog.arm(seconds(10)).unwrap();
    assert_eq!(bench.at(14), None);
    assert_eq!(bench.at(15).map(|bite| bite.last_pet), Some(Mono(5_000)));
}

#[test]
fn nowayout_keeps_it_running() {
    let mut bench = Bench::new();
    bench.board.forbid_disarming();
    assert!(bench.watchdog.arm(seconds(10)).unwrap().nowayout);
    assert_eq!(
        bench.watchdog.disarm(),
        Err(Fault::Errno(Errno(libc::EPERM)))
    );
    bench.at(5);
    bench.watchdog.pet().unwrap();
    assert_eq!(bench.board.bites_at(), Some(Mono(15_000)));
}

#[test]
fn a_taken_watchdog_names_its_holder_until_it_is_freed() {
    let mut bench = Bench::new();
    assert!(bench.board.take_watchdog("systemd (pid 1)"));
    let by = Some("systemd (pid 1)".into());
    assert_eq!(bench.watchdog.arm(seconds(10)), Err(Fault::Taken { by }));
    assert_eq!(bench.at(1000), None);
    bench.board.free_watchdog();
    bench.watchdog.arm(seconds(10)).unwrap();
    assert!(!bench.board.take_watchdog("late (pid 9)"));
    bench.watchdog.pet().unwrap();
}

#[test]
fn a_watchdog_that_vanishes_is_missed_and_found_again() {
    let mut bench = Bench::new();
    bench.watchdog.arm(seconds(10)).unwrap();
    bench.board.vanish();
    assert_eq!(bench.watchdog.pet(), Err(Fault::Errno(Errno(libc::ENODEV))));
    assert_eq!(bench.watchdog.arm(seconds(10)), Err(Fault::Absent));
    assert_eq!(bench.at(100), None);
    bench.board.come_back();
    bench.watchdog.arm(seconds(10)).unwrap();
    bench.watchdog.pet().unwrap();
}

#[test]
fn a_dead_descriptor_stays_dead_and_closes_nothing_of_a_new_one() {
    let mut bench = Bench::new();
    bench.watchdog.arm(seconds(10)).unwrap();
    bench.board.vanish();
    bench.board.come_back();
    let mut second = bench.second();
    second.arm(seconds(10)).unwrap();
    assert_eq!(bench.watchdog.pet(), Err(Fault::Errno(Errno(libc::ENODEV))));
    second.pet().unwrap();
}

#[test]
fn a_driver_with_a_limit_gives_what_it_can() {
    let mut bench = Bench::new();
    bench.board.refuse_timeouts_above(Some(seconds(15)));
    assert_eq!(
        bench.watchdog.arm(seconds(60)).unwrap().timeout,
        seconds(15)
    );
    assert_eq!(bench.watchdog.arm(seconds(8)).unwrap().timeout, seconds(8));
    bench.board.refuse_timeouts_above(None);
    assert_eq!(
        bench.watchdog.arm(seconds(600)).unwrap().timeout,
        seconds(600)
    );
}

#[test]
fn vital_signs_come_in_the_order_of_the_real_ones_and_are_healthy() {
    let board = SimBoard::new(1, Mono(0));
    let facts = board.sample(Mono(0));
    let [
        Fact::Seen(Reading::Temperature(heat)),
        Fact::Seen(Reading::Memory { available }),
        Fact::Seen(Reading::Load { centi_per_cpu }),
        Fact::Seen(Reading::Clock { synced: true, .. }),
        Fact::Seen(Reading::Mains { present: true }),
        Fact::Seen(Reading::Throttle(ThrottleFlags(0))),
    ] = facts[..]
    else {
        panic!("{facts:?}");
    };
    assert!((40_000..50_000).contains(&heat.0), "{heat}");
    assert!((600..700).contains(&available.0), "{available}");
    assert!(centi_per_cpu < 50);
}

#[test]
fn heat_comes_slowly_and_goes_slowly() {
    let board = SimBoard::new(3, Mono(0));
    let cold = heat(&board, 0);
    board.set_heat(MilliCelsius(40_000));
    let warm = heat(&board, 5);
    let hot = heat(&board, 120);
    board.set_heat(MilliCelsius(0));
    let again = heat(&board, 240);
    assert!(
        cold + 2_000 < warm && warm + 10_000 < hot,
        "{cold} {warm} {hot}"
    );
    assert!(
        hot > cold + 35_000 && (again - cold).abs() < 4_000,
        "{cold} {hot} {again}"
    );
}

/// The firmware of a Pi slows the processor down at 85 degrees: no sun and no load gets it far beyond.
#[test]
fn no_board_gets_hotter_than_a_pi() {
    let board = SimBoard::new(3, Mono(0));
    board.set_heat(MilliCelsius(60_000));
    board.set_load(100);
    let hot = [60, 120, 3_600].map(|second| heat(&board, second));
    assert!(hot.iter().all(|t| (85_000..90_000).contains(t)), "{hot:?}");
}

#[test]
fn load_heats() {
    let board = SimBoard::new(3, Mono(0));
    let idle = heat(&board, 0);
    board.set_load(100);
    assert!(heat(&board, 120) > idle + 15_000);
    let load = &board.sample(Mono(120_000))[2];
    let Fact::Seen(Reading::Load {
        centi_per_cpu: 98..=102,
    }) = load
    else {
        panic!("{load:?}");
    };
}

#[test]
fn every_knob_shows() {
    let board = SimBoard::new(3, Mono(0));
    board.set_memory(Permille(1000));
    let memory = board.sample(Mono(0))[1].clone();
    let Fact::Seen(Reading::Memory {
        available: Permille(998..=1000),
    }) = memory
    else {
        panic!("{memory:?}");
    };
    board.set_synced(false);
    let clock = board.sample(Mono(0))[3].clone();
    let Fact::Seen(Reading::Clock {
        synced: false,
        shown: Some(shown),
    }) = clock
    else {
        panic!("{clock:?}");
    };
    assert_eq!(shown.at, Mono(0));
    assert_eq!(shown.time.seconds(), board.wall(Mono(0)).as_second());
    board.set_mains(false);
    let mains = Reading::Mains { present: false };
    assert_eq!(board.sample(Mono(0))[4], Fact::Seen(mains));
    board.set_space(Permille(40));
    board.set_read_only(true);
    let expected = |mount| {
        Fact::Seen(Reading::Mount {
            mount: MountId(mount),
            space: Permille(40),
            inodes: Some(Permille(900)),
            read_only: true,
            errors: 0,
        })
    };
    assert_eq!(board.sample_mounts(Mono(0), 2), [expected(0), expected(1)]);
}

#[test]
fn a_silenced_source_is_lost_and_comes_back() {
    let board = SimBoard::new(3, Mono(0));
    let why = Fault::Errno(Errno(libc::EIO));
    board.silence(Source::Temperature, Some(why.clone()));
    board.silence(Source::Mount(MountId(1)), Some(why.clone()));
    let source = Source::Temperature;
    assert_eq!(board.sample(Mono(0))[0], Fact::Lost { source, why });
    let mounts = board.sample_mounts(Mono(0), 2);
    assert!(
        matches!(mounts[..], [Fact::Seen(_), Fact::Lost { .. }]),
        "{mounts:?}"
    );
    board.silence(Source::Temperature, None);
    assert!(matches!(board.sample(Mono(0))[0], Fact::Seen(_)));
}

/// The clock goes on from where it was set, and can be set right again.
#[test]
fn the_clock_is_stepped() {
    let board = SimBoard::new(3, Mono(5_000));
    let shown = |now| board.wall(Mono(now)).strftime("%H:%M:%S").to_string();
    assert_eq!(shown(5_000), "12:00:00");
    board.step_clock(seconds(3 * 3600));
    assert_eq!(shown(7_000), "15:00:02");
    board.step_clock(Duration::ZERO);
    assert_eq!(shown(8_000), "12:00:03");
    board.step_clock(Duration::MAX);
    board.wall(Mono(u64::MAX));
}

#[test]
fn time_that_runs_backwards_stands() {
    let mut bench = Bench::new();
    bench.at(50);
    bench.watchdog.arm(seconds(10)).unwrap();
    assert_eq!(bench.at(20), None);
    bench.watchdog.pet().unwrap();
    assert_eq!(bench.board.bites_at(), Some(Mono(60_000)));
}

proptest! {
    #[test]
    fn the_same_seed_gives_the_same_day_however_often_somebody_looks(
        seed in any::<u64>(),
        looks in proptest::collection::vec(0_u64..400_000, 1..20),
    ) {
        let (often, once) = (SimBoard::new(seed, Mono(0)), SimBoard::new(seed, Mono(0)));
        let mut looks = looks;
        looks.sort_unstable();
        let last = looks.iter().map(|&now| often.sample(Mono(now))).next_back();
        let end = looks.last().copied().unwrap_or_default();
        prop_assert_eq!(last, Some(once.sample(Mono(end))));
    }

    #[test]
    fn no_knob_and_no_time_makes_an_impossible_reading(
        seed in any::<u64>(),
        now in any::<u64>(),
        extra in any::<i32>(),
        load in any::<u32>(),
        memory in 0_u16..=1000,
    ) {
        let board = SimBoard::new(seed, Mono(0));
        board.set_heat(MilliCelsius(extra));
        board.set_load(load);
        board.set_memory(Permille(memory));
        let facts = board.sample(Mono(now));
        let [
            Fact::Seen(Reading::Temperature(heat)),
            Fact::Seen(Reading::Memory { available }),
            Fact::Seen(Reading::Load { .. }),
            Fact::Seen(Reading::Clock { .. }),
            Fact::Seen(Reading::Mains { .. }),
            Fact::Seen(Reading::Throttle(_)),
        ] = facts[..] else {
            panic!("{facts:?}");
        };
        prop_assert!((-40_000..=150_000).contains(&heat.0));
        prop_assert!(available.0 <= 1000);
    }

    #[test]
    fn a_watchdog_bites_exactly_when_a_gap_is_as_long_as_its_timeout(
        timeout in 1_u64..30,
        gaps in proptest::collection::vec(0_u64..40, 1..20),
    ) {
        let mut bench = Bench::new();
        bench.watchdog.arm(seconds(timeout)).unwrap();
        let mut now = 0;
        for gap in gaps {
            now += gap;
            let bite = bench.at(now);
            prop_assert_eq!(bite.is_some(), gap >= timeout);
            if bite.is_some() {
                break;
            }
            bench.watchdog.pet().unwrap();
        }
    }
}

/// The battery falls while mains are cut and charges when they are back, by time alone; the knob
/// sets what is left.
#[test]
fn the_battery_falls_and_charges() {
    let board = SimBoard::new(1, Mono(0));
    let look = |at: u64| match board.sample_gauge(Mono(at)).remove(0) {
        Fact::Seen(Reading::Gauge {
            voltage: Some(v),
            charge: Some(c),
            current: Some(a),
        }) => (v.0, c.0, a.0),
        other => panic!("{other:?}"),
    };
    assert_eq!(look(1_000), (4_200, 1000, 0));
    board.set_mains(false);
    let hour = 3_600_000;
    for at in (2_000..hour).step_by(7_001) {
        look(at);
    }
    assert_eq!(look(hour + 1_000), (3_540, 500, -1_400));
    board.set_mains(true);
    assert_eq!(look(2 * hour + 1_000), (3_900, 750, 700));
    board.set_charge(Permille(100));
    assert_eq!(look(2 * hour + 1_000).1, 100);
    board.set_mains(false);
    assert_eq!(look(9 * hour), (2_940, 0, -1_400));
    board.silence(Source::Gauge, Some(Fault::Absent));
    let lost = Fact::Lost {
        source: Source::Gauge,
        why: Fault::Absent,
    };
    assert_eq!(board.sample_gauge(Mono(9 * hour)), [lost]);
}

/// The flags, as the simulated firmware tells them.
fn flags(board: &SimBoard, now: u64) -> u32 {
    match board.glance(Mono(now * 1000)) {
        Fact::Seen(Reading::Throttle(ThrottleFlags(flags))) => flags,
        other => panic!("no flags: {other:?}"),
    }
}

#[test]
fn the_firmware_flags_heat_and_under_voltage_and_keeps_them_in_mind() {
    let board = SimBoard::new(3, Mono(0));
    assert_eq!(flags(&board, 0), 0);
    board.set_under_voltage(true);
    assert_eq!(flags(&board, 1), 0x7_0007);
    board.set_under_voltage(false);
    assert_eq!(flags(&board, 2), 0x7_0000);
    board.clear_throttle_history();
    assert_eq!(flags(&board, 3), 0);
    // Too brief to be seen by who looks every second.
    board.set_under_voltage(true);
    board.set_under_voltage(false);
    assert_eq!(flags(&board, 4), 0x7_0000);
    board.clear_throttle_history();
    board.set_heat(MilliCelsius(60_000));
    let mut seen = Vec::new();
    for now in 5..200 {
        if seen.last() != Some(&flags(&board, now)) {
            seen.push(flags(&board, now));
        }
    }
    assert_eq!(seen, [0, 0xa_000a, 0xe_000e]);
    board.set_heat(MilliCelsius(0));
    assert_eq!(flags(&board, 900), 0xe_0000);
}

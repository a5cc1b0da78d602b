//! What is said of the way out, whatever is seen of it: U1 to U3.
//!
//! A core of its own that is told looks by chance. The judge counts them by itself.

use crate::rng::Rng;
use fieldwarden::core::action::{Action, Actions};
use fieldwarden::core::fact::{Fact, Fault, Found, Pulse, Reading, Source, Step, Thread, Uplink};
use fieldwarden::core::note::{NetworkNote, Note};
use fieldwarden::core::picture::Verdict;
use fieldwarden::core::{BootFacts, Core};
use fieldwarden::units::{MilliCelsius, Mono, Permille};
use std::time::Duration;

const CONFIG: &str = "[watchdog]\nowner = \"nobody\"\n[storage]\nmounts = []\n\
    [network]\nname = \"example.org\"\nvpn = \"wg0\"\nfailures = 4\n";

fn core() -> Core {
    let loaded = fieldwarden::config::parse("uplink.toml", CONFIG);
    let settings = loaded.unwrap_or_else(|p| panic!("{p}")).config.settings;
    let boot = BootFacts {
        seed: 1,
        init_watchdog: None,
        first: true,
    };
    Core::new(settings, boot)
}

/// How the machine stands, but for the watchdog that nobody has here.
fn machine(core: &Core) -> Verdict {
    let mut picture = core.picture().clone();
    picture.watchdog = Verdict::Ok;
    picture.worst()
}

/// A machine that is well.
fn vitals() -> impl Iterator<Item = Reading> {
    let (synced, shown) = (true, None);
    let available = Permille(500);
    let readings = [
        Reading::Temperature(MilliCelsius(50_000)),
        Reading::Memory { available },
        Reading::Load { centi_per_cpu: 10 },
        Reading::Clock { synced, shown },
    ];
    readings.into_iter()
}

/// The first step that is broken, by what the configuration above says; `None` for a look that cannot
/// tell.
fn judged(uplink: &Uplink) -> Option<Option<Step>> {
    let old = uplink.handshake > Some(Duration::from_secs(300));
    let broken = uplink.found().find(|(step, found)| match found {
        Found::Well => *step == Step::Vpn && old,
        Found::Unsure => false,
        _ => true,
    });
    match broken {
        Some((step, _)) => Some(Some(step)),
        None if uplink.found().any(|(_, found)| found == Found::Unsure) => None,
        None => uplink.found().next().map(|_| None),
    }
}

fn look(rng: &mut Rng, bad: bool) -> Uplink {
    let mut uplink = Uplink::default();
    for step in Step::ALL {
        let found = match bad && rng.chance(15) {
            true => rng.pick(&Found::ALL),
            false => Found::Well,
        };
        uplink.put(step, found);
    }
    let ages = if bad { &[40, 300, 301][..] } else { &[40][..] };
    uplink.handshake = Some(Duration::from_secs(rng.pick(ages)));
    uplink
}

/// U1: it is broken after four looks in a row that failed, and not before; U2: one that is well mends
/// it at once; each is told once. U3: whatever it is, it changes nothing of how the machine stands, and
/// nothing is ordered for it.
#[test]
fn the_way_out_is_judged_by_its_steps() {
    let (mut breaks, mut mends, mut moves) = (0, 0, 0);
    for seed in 0..300 {
        let mut rng = Rng::new(seed ^ 0x0F_FEED);
        let (mut core, mut out) = (core(), Actions::default());
        core.step(Mono(0), &Fact::Tick, &mut out);
        vitals().for_each(|reading| core.step(Mono(0), &Fact::Seen(reading), &mut out));
        out.clear();
        // On a machine that is well every harm shows.
        assert_eq!(machine(&core), Verdict::Ok);
        let (mut now, mut bad) = (0, false);
        // Looks in a row that failed, those with the same step, and the step that was told.
        let (mut failed, mut same, mut told): (u32, (Option<Step>, u32), Option<Step>) =
            (0, (None, 0), None);
        for _ in 0..300 {
            now += rng.range(1_000, 300_000);
            if rng.chance(10) {
                bad = !bad;
            }
            let fact = match rng.range(0, 20) {
                0 => Fact::Lost {
                    source: Source::Uplink,
                    why: Fault::Busy,
                },
                1 => Fact::Thread {
                    thread: Thread::Uplink,
                    pulse: Pulse::Late { since: Mono(0) },
                },
                _ => Fact::Seen(Reading::Uplink(look(&mut rng, bad))),
            };
            core.step(Mono(now), &fact, &mut out);
            if let Fact::Thread { thread, .. } = fact {
                // That it was late is ill health, which is not what is judged here.
                let pulse = Pulse::OnTime;
                core.step(Mono(now), &Fact::Thread { thread, pulse }, &mut out);
            }
            let news: Vec<&NetworkNote> = out
                .notes
                .iter()
                .filter_map(|note| match note {
                    Note::Network(note) => Some(note),
                    _ => None,
                })
                .collect();
            let at = format!("seed {seed} at {now}: {fact:?}: {news:?}");
            let acts = |o: &fieldwarden::core::action::Order| {
                !matches!(o.action, Action::RollCall { .. } | Action::Announce(_))
            };
            assert!(!out.orders.iter().any(acts), "{at}: {:?}", out.orders);
            if matches!(fact, Fact::Seen(_)) {
                assert_eq!(machine(&core), Verdict::Ok, "{at}");
            }
            let step = match &fact {
                Fact::Seen(Reading::Uplink(uplink)) => judged(uplink),
                _ => None,
            };
            match step {
                None => assert!(news.is_empty(), "{at}"),
                Some(None) => {
                    (failed, same) = (0, (None, 0));
                    let mended = matches!(news[..], [NetworkNote::UplinkWell { .. }]);
                    assert_eq!(mended, told.take().is_some(), "{at}");
                    assert!(mended || news.is_empty(), "{at}");
                    mends += u32::from(mended);
                }
                Some(Some(step)) => {
                    failed += 1;
                    let again = same.0 == Some(step);
                    same = (Some(step), if again { same.1 + 1 } else { 1 });
                    let due = match told {
                        None => failed >= 4,
                        Some(old) => old != step && same.1 >= 4,
                    };
                    moves += u32::from(due && told.is_some());
                    match news[..] {
                        [NetworkNote::UplinkBroken { step: named, .. }] => {
                            assert!(due && *named == step, "{at}");
                            told = Some(step);
                            breaks += 1;
                        }
                        [] => assert!(!due, "{at}"),
                        _ => panic!("{at}"),
                    }
                }
            }
            let view = core.uplink().unwrap();
            assert_eq!(view.failures, failed, "{at}");
            assert_eq!(view.verdict == Verdict::Warn, told.is_some(), "{at}");
            out.clear();
        }
    }
    assert!(
        breaks > 500 && mends > 500 && moves > 5,
        "{breaks} {mends} {moves}"
    );
}

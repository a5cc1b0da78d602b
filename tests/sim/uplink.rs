//! What is said of the way out, whatever is seen of it: U1 to U3.
//!
//! A core of its own that is told looks by chance. The judge counts them by itself.

use crate::rng::Rng;
use fieldwarden::core::Core;
use fieldwarden::core::action::{Action, Actions};
use fieldwarden::core::fact::{Fact, Fault, Found, Pulse, Reading, Source, Step, Thread, Uplink};
use fieldwarden::core::note::{NetworkNote, Note};
use fieldwarden::core::picture::Verdict;
use fieldwarden::units::{MilliCelsius, Mono, Permille};
use std::time::Duration;

const CONFIG: &str = "[watchdog]\nowner = \"nobody\"\n[storage]\nmounts = []\n\
    [network]\nname = \"example.org\"\nvpn = \"wg0\"\nfailures = 4\n";

fn core() -> Core {
    crate::core_of(CONFIG, 1)
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
    let of = |wanted| uplink.found().find(|(step, _)| *step == wanted);
    let is = |step, wanted| of(step).is_some_and(|(_, found)| found == wanted);
    // Who is beyond this machine and told something.
    let mut asked = vec![Step::Peer];
    asked.extend(uplink.beyond.then_some(Step::Ssh));
    asked.retain(|step| of(*step).is_some() && !is(*step, Found::Unsure));
    let answered = asked.iter().any(|step| is(*step, Found::Well));
    let leads_out = answered || asked.is_empty() && is(Step::Vpn, Found::Well) && !old;
    // What says nothing, since more is known.
    let idle = |step| match step {
        Step::Route | Step::Gateway => leads_out,
        Step::Vpn => answered,
        _ => false,
    };
    let counted: Vec<_> = uplink.found().filter(|(step, _)| !idle(*step)).collect();
    let broken = counted.iter().find(|(step, found)| match found {
        Found::Well => *step == Step::Vpn && old,
        Found::Unsure => false,
        _ => true,
    });
    match broken {
        Some((step, _)) => Some(Some(*step)),
        None if counted.iter().any(|(_, found)| *found == Found::Unsure) => None,
        None => uplink
            .found()
            .any(|(_, found)| found == Found::Well)
            .then_some(None),
    }
}

/// A look; where one step is bad it mostly shows, and others may be.
fn look(rng: &mut Rng, bad: Option<Step>) -> Uplink {
    let mut uplink = Uplink::default();
    for step in Step::ALL {
        let odds = match bad {
            None => 0,
            Some(known) if known == step => 80,
            Some(_) => 8,
        };
        let found = match rng.chance(odds) {
            true => rng.pick(&Found::ALL),
            false => Found::Well,
        };
        uplink.put(step, found);
    }
    let ages = if bad.is_some() {
        &[40, 300, 301][..]
    } else {
        &[40][..]
    };
    uplink.handshake = Some(Duration::from_secs(rng.pick(ages)));
    uplink.beyond = rng.chance(50);
    uplink
}

/// U1: it is broken after four looks in a row that failed, and not before; U2: one that is well mends
/// it at once; each is told once; and failures with more than four times `every` between them are not
/// in a row. U3: whatever it is, it changes nothing of how the machine stands, and nothing is ordered
/// for it.
#[test]
fn the_way_out_is_judged_by_its_steps() {
    let (mut breaks, mut mends, mut moves, mut apart) = (0, 0, 0, 0);
    for seed in 0..300 {
        let mut rng = Rng::new(seed ^ 0x0F_FEED);
        let (mut core, mut out) = (core(), Actions::default());
        core.step(Mono(0), &Fact::Tick, &mut out);
        vitals().for_each(|reading| core.step(Mono(0), &Fact::Seen(reading), &mut out));
        out.clear();
        // On a machine that is well every harm shows.
        assert_eq!(machine(&core), Verdict::Ok);
        let (mut now, mut bad) = (0, None);
        // Looks in a row that failed, those with the same step, and the step that was told.
        let (mut failed, mut same, mut told): (u32, (Option<Step>, u32), Option<Step>) =
            (0, (None, 0), None);
        // When the latest look failed.
        let mut latest = 0;
        for _ in 0..300 {
            now += match rng.range(0, 20) {
                0 => rng.range(300_000, 2_000_000),
                _ => rng.range(1_000, 300_000),
            };
            if rng.chance(10) {
                bad = match bad {
                    None => Some(rng.pick(&Step::ALL)),
                    Some(_) => None,
                };
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
                    if now - latest > 4 * 300_000 {
                        apart += u32::from(failed > 0);
                        (failed, same) = (0, (None, 0));
                    }
                    (latest, failed) = (now, failed + 1);
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
        breaks > 500 && mends > 500 && moves > 5 && apart > 20,
        "{breaks} {mends} {moves} {apart}"
    );
}

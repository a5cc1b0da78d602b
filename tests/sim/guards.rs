//! What the guards of disks and memory ask for, whatever they are told: G1 to G3.
//!
//! Small worlds of their own: a core with one cap and services of every class, and facts by chance. The
//! judge derives from the same facts what may be asked for, and knows nothing of how the core decides.

use crate::rng::Rng;
use fieldwarden::core::Core;
use fieldwarden::core::action::{Action, Actions};
use fieldwarden::core::fact::{CapId, Errno, Fact, Fault, Freed, OrderId, Reading, Swap};
use fieldwarden::core::picture::Shed;
use fieldwarden::units::{Mono, Permille};

const CONFIG: &str = "[watchdog]\nowner = \"nobody\"\n[vitals]\nshed_memory = true\n\
    [cap.logs]\ndir = \"/var/log/app\"\nmax = \"1MiB\"\nonly = [\"*.log.*\"]\n";
const MAX: u64 = 1 << 20;

fn core() -> Core {
    crate::core_of(CONFIG, 1)
}

fn swap(busy: bool) -> Reading {
    let rate = if busy { 4_000 } else { 0 };
    Reading::Swap(Swap {
        read: rate,
        written: rate,
        on_disk: true,
    })
}

/// G1: files are deleted only for a directory that was just seen above its cap, one order at a time,
/// and a minute apart.
#[test]
fn caps_are_kept_and_no_more() {
    let mut trims = 0;
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let (mut core, mut out) = (core(), Actions::default());
        let (mut now, mut under_way): (u64, Option<OrderId>) = (0, None);
        let mut last: Option<u64> = None;
        core.step(Mono(0), &Fact::Tick, &mut out);
        out.clear();
        for _ in 0..300 {
            now += rng.range(1, 40_000);
            let size = rng.pick(&[0, MAX, MAX + 1, 40 * MAX]);
            let fact = match under_way {
                Some(order) if rng.chance(60) => {
                    under_way = None;
                    let outcome = match rng.chance(50) {
                        true => Ok(()),
                        false => Err(Fault::Errno(Errno(30))),
                    };
                    Fact::Done { order, outcome }
                }
                Some(_) | None => Fact::Seen(Reading::Cap {
                    cap: CapId(0),
                    size,
                    freed: rng.chance(30).then_some(Freed { files: 1, bytes: 9 }),
                }),
            };
            core.step(Mono(now), &fact, &mut out);
            for order in out
                .orders
                .iter()
                .filter(|o| matches!(o.action, Action::Trim { .. }))
            {
                let seen = match &fact {
                    Fact::Seen(Reading::Cap { size, freed, .. }) if freed.is_none() => *size,
                    _ => 0,
                };
                let above = seen > MAX;
                assert!(above, "seed {seed}: trimmed at {fact:?}");
                assert_eq!(under_way, None, "seed {seed}: two at a time");
                let rested = last.is_none_or(|at| now - at >= 60_000);
                assert!(rested, "seed {seed}: {last:?} and {now}");
                (under_way, last) = (Some(order.id), Some(now));
                trims += 1;
            }
            out.clear();
        }
    }
    assert!(trims > 1_000, "only {trims}");
}

/// G2: services are shed only after half a minute of want without a break, normal ones after a minute
/// and a half; G3: what was shed comes back a class at a time, two minutes of plenty apart.
#[test]
fn want_of_memory_sheds_in_order() {
    let (mut sheds, mut releases) = (0, 0);
    for seed in 0..200 {
        let mut rng = Rng::new(seed ^ 0x3E3);
        let (mut core, mut out) = (core(), Actions::default());
        let mut now = 0;
        let mut shed = Shed::Nothing;
        // Since when all that was heard speaks of want, and of plenty; and the last release.
        let (mut want, mut plenty, mut released) = (None, Some(0), 0);
        let (mut pressed, mut busy, mut calm_for) = (false, false, 9);
        for _ in 0..400 {
            now += rng.range(5_000, 20_000);
            if rng.chance(8) {
                (pressed, busy) = (rng.chance(50), rng.chance(30));
            }
            let full = if pressed { 500 } else { 0 };
            let full = Permille(full);
            for reading in [Reading::Pressure { full }, swap(busy)] {
                core.step(Mono(now), &Fact::Seen(reading), &mut out);
            }
            out.clear();
            // Swap counts until it was seen calm twice; the second of these comes behind the pressure.
            calm_for = if busy { 0 } else { calm_for + 1 };
            want = (pressed || calm_for <= 2).then(|| want.unwrap_or(now));
            plenty = (!pressed).then(|| plenty.unwrap_or(now));
            let after = core.picture().shed_for_memory;
            if after > shed {
                let since = want.unwrap_or_else(|| panic!("seed {seed} at {now}: shed in plenty"));
                let least = if after == Shed::Normal {
                    90_000
                } else {
                    30_000
                };
                assert!(
                    now - since >= least,
                    "seed {seed} at {now}: shed since {since}"
                );
                sheds += 1;
            }
            if after < shed {
                let since = plenty.unwrap_or_else(|| panic!("seed {seed} at {now}: back in want"));
                assert!(
                    now - since >= 120_000,
                    "seed {seed} at {now}: back since {since}"
                );
                assert!(
                    now - released >= 120_000,
                    "seed {seed} at {now}: two at once"
                );
                let one = [
                    (Shed::Normal, Shed::Optional),
                    (Shed::Optional, Shed::Nothing),
                ];
                assert!(
                    one.contains(&(shed, after)),
                    "seed {seed}: {shed:?} {after:?}"
                );
                released = now;
                releases += 1;
            }
            shed = after;
        }
    }
    assert!(sheds > 200 && releases > 200, "{sheds} {releases}");
}

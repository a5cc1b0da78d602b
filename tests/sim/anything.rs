//! Any facts in any order, true or not: the core does not fall over.
//!
//! The world of the other tests tells no lies about processes that are alive; this one tells nothing
//! but chance. So nothing can be asked of what the core does, only of how: it does not panic, its
//! lists are bounded, every request gets its one reply, and it does not turn in circles.

use crate::any_fact::Victim;
use crate::plan::Plan;
use crate::rng::Rng;
use std::time::Duration;

/// Facts for each seed.
const FACTS: u32 = 4_000;

#[test]
fn any_facts_in_any_order() {
    for seed in 0..200 {
        let plan = Plan::of(seed);
        let mut rng = Rng::new(seed ^ 0xA11);
        let patience = plan.init_watchdog.map(Duration::from_millis);
        let mut core = Victim::new(plan.settings, patience, &mut rng);
        for at in 0..FACTS {
            if let Err(why) = core.suffer(&mut rng) {
                panic!("seed {seed}, fact {at}: {why}");
            }
        }
    }
}

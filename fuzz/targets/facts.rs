//! The core, told anything in any order: what `tests/sim/anything.rs` does by chance.
#![no_main]

#[path = "../../tests/sim/any_fact.rs"]
mod any_fact;
mod rng;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut decisions = rng::Rng::new(bytes);
    let settings = fieldwarden::hostile::settings().clone();
    let mut core = any_fact::Victim::new(settings, None, &mut decisions);
    while !decisions.is_spent() {
        if let Err(why) = core.suffer(&mut decisions) {
            panic!("{why}");
        }
    }
});

//! The list of cases, one module per subject.

mod clock;
mod cuse;
mod daemon;
mod devices;
mod guard;
mod holder;
mod install;
mod lab;
mod power_cut;
mod throttle;
mod unit;
mod ups;

use super::case::Case;

/// Cases that are only run by name: too long or too much at the mercy of the host's load for every
/// change. No promise of the daemon rests on them.
pub fn by_name() -> Vec<Case> {
    power_cut::CASES.to_vec()
}

/// Every case of the suite, in the order they are run.
pub fn all() -> Vec<Case> {
    [
        lab::CASES,
        devices::CASES,
        cuse::CASES,
        holder::CASES,
        install::CASES,
        daemon::CASES,
        guard::CASES,
        unit::CASES,
        clock::CASES,
        ups::CASES,
        throttle::CASES,
    ]
    .concat()
}

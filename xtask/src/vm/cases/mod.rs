//! The list of cases, one module per subject.

mod clock;
mod clock_kept;
mod containers;
mod cuse;
mod cut_register;
mod daemon;
mod daemon_killed;
mod devices;
mod escalate;
mod first;
mod guard;
mod guard_systemd;
mod halt;
mod halt_end;
mod halt_gauge;
mod halt_killed;
mod holder;
mod install;
mod jobs;
mod lab;
mod led;
mod limits;
mod needs;
mod notify;
mod pi;
mod power_cut;
mod probes;
mod programs;
mod reload;
mod room;
mod runaway;
mod sandbox;
mod throttle;
mod unit;
mod units;
mod ups;

use super::case::Case;
pub use power_cut::MORE as MORE_CUTS;

/// Cases that are only run by name: too long or too much at the mercy of the host's load for every
/// change. No promise of the daemon rests on them.
pub fn by_name() -> Vec<Case> {
    [runaway::CASES, containers::CASES].concat()
}

/// Says what the suite leaves out, and why: nothing is skipped in silence.
pub fn tell_left_out() {
    for case in by_name() {
        println!(
            "vm: left out: {} ({}): its outcome is not the same on every host and in every run; run it with \
             `cargo xtask vm {}`",
            case.name, case.purpose, case.name
        );
    }
}

/// Every case of the suite, in the order they are run.
pub fn all() -> Vec<Case> {
    [
        lab::CASES,
        programs::CASES,
        devices::CASES,
        cuse::CASES,
        holder::CASES,
        install::CASES,
        daemon::CASES,
        daemon_killed::CASES,
        room::CASES,
        reload::CASES,
        first::CASES,
        notify::CASES,
        probes::CASES,
        guard::CASES,
        guard_systemd::CASES,
        unit::CASES,
        units::CASES,
        clock::CASES,
        clock_kept::CASES,
        ups::CASES,
        throttle::CASES,
        led::CASES,
        limits::CASES,
        sandbox::CASES,
        needs::CASES,
        jobs::CASES,
        pi::CASES,
        halt::CASES,
        halt_gauge::CASES,
        halt_end::CASES,
        halt_killed::CASES,
        escalate::CASES,
        cut_register::CASES,
        power_cut::CASES,
    ]
    .concat()
}

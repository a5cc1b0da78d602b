//! The values of the metrics, out of a status report.

use super::exposition::{Exposition, Metric};
use super::table::*;
use super::verdicts;
use crate::status::{Celsius, MountStatus, Percent, Seconds, ServiceStatus, Status};

/// What the daemon itself takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Own {
    /// Its memory that is in RAM, in bytes.
    pub resident: u64,
    /// Its threads.
    pub threads: u64,
}

/// All metrics as text. What is not known, or not there, is left out.
pub fn metrics(status: &Status, own: Option<Own>, open_metrics: bool) -> String {
    let mut out = Exposition::new(open_metrics);
    whole(&mut out, status, own);
    watchdog(&mut out, status);
    services(&mut out, status);
    jobs(&mut out, status);
    machine(&mut out, status);
    power(&mut out, status);
    throttle(&mut out, status);
    storage(&mut out, status);
    guards(&mut out, status);
    network(&mut out, status);
    out.finish()
}

/// One value without labels, if it is known.
fn one(out: &mut Exposition, metric: &Metric, value: Option<f64>) {
    let none: [&str; 0] = [];
    out.put(metric, value.map(|value| (none, value)));
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn seconds(time: Seconds) -> f64 {
    time.0.as_secs_f64()
}

fn share(percent: Percent) -> f64 {
    f64::from(percent.0.0) / 1000.0
}

fn celsius(celsius: Celsius) -> f64 {
    f64::from(celsius.0.0) / 1000.0
}

/// Exact below 2^53, and nothing here comes near that.
fn count(count: u64) -> f64 {
    count as f64
}

/// The verdict as a number: the higher, the worse.
fn badness(verdict: &str) -> f64 {
    match verdict {
        "ok" => 0.0,
        "unknown" => 1.0,
        "warn" => 2.0,
        _ => 3.0,
    }
}

fn whole(out: &mut Exposition, status: &Status, own: Option<Own>) {
    out.put(&BUILD, [([status.software.as_str()], 1.0)]);
    one(out, &UPTIME, Some(seconds(status.uptime_seconds)));
    one(out, &WORST, Some(badness(&status.verdict)));
    let all = verdicts(status).into_iter();
    let all = all.map(|(subject, verdict)| ([subject], badness(verdict)));
    out.put(&VERDICT, all);
    one(out, &RUNNING, Some(flag(status.phase == "running")));
    one(out, &HALTING, Some(flag(status.halt.is_some())));
    one(out, &HOLD, Some(flag(status.hold.is_some())));
    let daemon = &status.daemon;
    let lacks = [
        ("journal", daemon.journal_why.is_some()),
        ("pool", daemon.pool_why.is_some()),
        ("health", daemon.health_why.is_some()),
        ("configuration", daemon.stand_in.is_some()),
    ];
    out.put(&LACKS, lacks.map(|(what, lacks)| ([what], flag(lacks))));
    let late = status.late_threads.len();
    one(out, &LATE_THREADS, Some(count(late as u64)));
    one(out, &RESIDENT, own.map(|own| count(own.resident)));
    one(out, &THREADS, own.map(|own| count(own.threads)));
}

fn watchdog(out: &mut Exposition, status: &Status) {
    let watchdog = &status.watchdog;
    one(out, &ARMED, Some(flag(watchdog.state == "armed")));
    one(out, &WITHHELD, Some(flag(watchdog.state == "withheld")));
    one(out, &TIMEOUT, watchdog.timeout_seconds.map(seconds));
    one(out, &PETS, Some(count(watchdog.pets)));
    one(out, &LAST_PET, watchdog.last_pet_seconds.map(seconds));
    one(out, &LONGEST_GAP, watchdog.longest_gap_seconds.map(seconds));
    one(out, &CAUSED_RESET, watchdog.caused_reset.map(flag));
    let last = status.last_boot.iter();
    let labels = last.map(|last| ([last.end.as_str(), last.confidence.as_str()], 1.0));
    out.put(&LAST_BOOT, labels);
}

/// One value for each of these services that has one.
fn each<'s>(
    out: &mut Exposition,
    metric: &Metric,
    services: impl Iterator<Item = &'s ServiceStatus>,
    value: impl Fn(&ServiceStatus) -> Option<f64>,
) {
    let known = services.filter_map(|s| Some(([s.name.as_str()], value(s)?)));
    out.put(metric, known);
}

fn services(out: &mut Exposition, status: &Status) {
    let (up, wanted) = (status.services_up, status.services_wanted);
    one(out, &SERVICES_UP, Some(f64::from(up)));
    one(out, &SERVICES_WANTED, Some(f64::from(wanted)));
    let all = || status.services.iter();
    let labels = all().map(|s| {
        let kept = match (&s.keeper, &s.job) {
            (Some(keeper), _) => keeper.by.as_str(),
            (None, Some(_)) => "job",
            (None, None) => "service",
        };
        ([s.name.as_str(), s.class.as_str(), kept], 1.0)
    });
    out.put(&SERVICE, labels);
    each(out, &UP, all(), |s| Some(flag(s.state == "up")));
    each(out, &WANTED, all(), |s| Some(flag(s.wish == "run")));
    let ready = |s: &ServiceStatus| Some(flag(s.readiness.as_ref()? == "ready"));
    each(out, &READY, all(), ready);
    let states = all().flat_map(|s| {
        let is = |state| ([s.name.as_str(), state], flag(s.state == state));
        STATES.map(is)
    });
    out.put(&STATE, states);
    each(out, &RESTARTS, all(), |s| Some(f64::from(s.restarts)));
    each(out, &EXCUSED, all(), |s| Some(f64::from(s.excused)));
    each(out, &FAILURES, all(), |s| Some(f64::from(s.failures)));
    each(out, &RUN_AGE, all(), |s| s.since_seconds.map(seconds));
    each(out, &SILENCE, all(), |s| s.silent_seconds.map(seconds));
}

fn jobs(out: &mut Exposition, status: &Status) {
    let jobs = || status.services.iter().filter(|s| s.job.is_some());
    let age = |s: &ServiceStatus| s.job.as_ref()?.good_seconds.map(seconds);
    each(out, &JOB_AGE, jobs(), age);
    let failing = |s: &ServiceStatus| Some(flag(s.job.as_ref()?.failing));
    each(out, &JOB_FAILING, jobs(), failing);
    let verdict = |s: &ServiceStatus| Some(badness(&s.job.as_ref()?.verdict));
    each(out, &JOB_VERDICT, jobs(), verdict);
}

fn machine(out: &mut Exposition, status: &Status) {
    let machine = &status.machine;
    one(out, &TEMPERATURE, machine.temperature_celsius.map(celsius));
    one(out, &MEMORY, machine.memory_available_percent.map(share));
    let load = machine.load_per_cpu;
    one(out, &LOAD, load.map(|load| f64::from(load.0) / 100.0));
    one(out, &SYNCHRONIZED, machine.clock_synced.map(flag));
    let trust = machine.clock_trust.as_str();
    out.put(&TRUST, TRUSTS.map(|word| ([word], flag(word == trust))));
    let rtc = machine.rtc.as_ref();
    one(out, &RTC_RIGHT, rtc.map(|rtc| flag(rtc.state == "right")));
    let ahead = rtc.and_then(|rtc| rtc.ahead_seconds);
    // Less than 2^53 by far.
    one(out, &RTC_OFFSET, ahead.map(|seconds| seconds as f64));
    let network = machine.network.as_ref();
    one(out, &NETWORK, network.map(|word| flag(word == "up")));
}

fn power(out: &mut Exposition, status: &Status) {
    let machine = &status.machine;
    let mains = machine.power.as_deref().filter(|word| *word != "unknown");
    one(out, &MAINS, mains.map(|word| flag(word == "mains")));
    one(out, &ON_BATTERY, machine.on_battery_seconds.map(seconds));
    let battery = machine.battery.as_ref();
    one(
        out,
        &CHARGE,
        battery.and_then(|b| b.charge_percent).map(share),
    );
    let volts = battery.and_then(|b| b.volts);
    one(out, &VOLTS, volts.map(|v| f64::from(v.0.0) / 1000.0));
    let amperes = battery.and_then(|b| b.amperes);
    one(out, &AMPERES, amperes.map(|a| f64::from(a.0.0) / 1000.0));
    let Some(power) = &status.power else {
        return;
    };
    let ages = power.sources.iter();
    let ages = ages.filter_map(|s| Some(([s.source.as_str()], seconds(s.age_seconds?))));
    out.put(&SOURCE_AGE, ages);
    one(out, &REMAINING, power.remaining_seconds.map(seconds));
    one(out, &NEEDED, Some(seconds(power.needed_seconds)));
}

fn throttle(out: &mut Exposition, status: &Status) {
    let Some(throttle) = &status.machine.throttle else {
        return;
    };
    let of = |flag: &str| throttle.episodes.iter().find(|e| e.flag == flag);
    let known = throttle.flags.is_some();
    let active = FLAGS.map(|name| ([name], flag(of(name).is_some_and(|e| e.active))));
    out.put(&THROTTLED, active.into_iter().filter(|_| known));
    let times = FLAGS.map(|name| ([name], of(name).map_or(0.0, |e| f64::from(e.count))));
    out.put(&EPISODES, times);
    let spent = FLAGS.map(|name| ([name], of(name).map_or(0.0, |e| seconds(e.total_seconds))));
    out.put(&THROTTLED_TIME, spent);
}

fn storage(out: &mut Exposition, status: &Status) {
    let mut put = |metric: &Metric, value: fn(&MountStatus) -> Option<f64>| {
        let mounts = status.mounts.iter();
        out.put(
            metric,
            mounts.filter_map(|m| Some(([m.path.as_str()], value(m)?))),
        );
    };
    put(&MOUNT_VERDICT, |m| Some(badness(&m.verdict)));
    put(&FREE, |m| m.free_percent.map(share));
    put(&FREE_INODES, |m| m.free_inodes_percent.map(share));
    put(&READ_ONLY, |m| m.read_only.map(flag));
    put(&ERRORS, |m| m.errors.map(f64::from));
    put(&READING_AGE, |m| m.seen_seconds.map(seconds));
}

/// Canaries, caps and the want of memory.
fn guards(out: &mut Exposition, status: &Status) {
    let canaries = || status.canaries.iter();
    let verdicts = canaries().map(|c| ([c.directory.as_str()], badness(&c.verdict)));
    out.put(&CANARY_VERDICT, verdicts);
    let times = canaries().flat_map(|c| {
        let of = [
            ("latest", c.latest_seconds),
            ("median", c.median_seconds),
            ("p95", c.p95_seconds),
            ("longest", c.longest_seconds),
        ];
        let known = |(of, time): (&'static str, Option<_>)| {
            Some(([c.directory.as_str(), of], seconds(time?)))
        };
        of.into_iter().filter_map(known)
    });
    out.put(&CANARY_TIME, times);
    let caps = || status.caps.iter();
    out.put(
        &CAP_VERDICT,
        caps().map(|c| ([c.name.as_str()], badness(&c.verdict))),
    );
    let sizes = caps().filter_map(|c| Some(([c.name.as_str()], count(c.size_bytes?))));
    out.put(&CAP_SIZE, sizes);
    let want = &status.machine.want;
    one(out, &PRESSURE, want.pressure_percent.map(share));
    let ways = [
        ("read", want.swap_read_kib),
        ("written", want.swap_written_kib),
    ];
    let ways = ways
        .into_iter()
        .filter_map(|(way, rate)| Some(([way], f64::from(rate?))));
    out.put(&SWAP, ways);
    one(out, &THRASHING, Some(flag(want.thrashing)));
}

/// The way out, and what expires.
fn network(out: &mut Exposition, status: &Status) {
    if let Some(uplink) = &status.uplink {
        let known = uplink.seen_seconds.is_some();
        one(
            out,
            &UPLINK_BROKEN,
            known.then(|| flag(uplink.verdict == "warn")),
        );
        one(out, &UPLINK_FAILURES, Some(f64::from(uplink.failures)));
        let sure = uplink.steps.iter().filter(|s| s.found != "unsure");
        let steps = sure.map(|s| ([s.step.as_str()], flag(s.found == "well")));
        out.put(&UPLINK_STEP, steps);
        one(out, &HANDSHAKE, uplink.handshake_seconds.map(seconds));
        let repairs = uplink.repairs.iter();
        let repairs = repairs.map(|r| ([r.repair.as_str()], f64::from(r.tried)));
        out.put(&REPAIRS, repairs);
    }
    let all = || status.expiries.iter();
    let verdicts = all().map(|e| ([e.name.as_str()], badness(&e.verdict)));
    out.put(&EXPIRY_VERDICT, verdicts);
    let left = all().filter_map(|e| Some(([e.name.as_str()], seconds(e.left_seconds?))));
    out.put(&EXPIRY_LEFT, left);
}

#[cfg(test)]
mod tests;

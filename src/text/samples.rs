//! Settings and at least one note of every kind, for tests.
//!
//! That no kind is missing is itself tested, in `super::tests`, against the source of
//! [`Note`].

mod group;
mod guard;
mod halt;
mod hold;
mod job;
mod keeper;
mod made;
mod network;
mod notify;
mod power;
mod probe;
mod reload;
mod throttle;

use crate::core::Bar;
use crate::core::HeatLevel;
use crate::core::fact::{
    Asker, Controller, Errno, Exit, Fault, Lack, MountId, Pid, Request, RunId, ServiceId, Source,
    Stage, Thread,
};
use crate::core::light::LedState;
use crate::core::memo::{Left, Rest};
use crate::core::note;
use crate::core::note::{Doubt, Finish, Note, RtcDoubt, Trust};
use crate::core::picture::{Excuse, Shed, Strain, Verdict};
use crate::core::settings::{Need, Settings};
use crate::units::{MilliCelsius, Permille};
pub(crate) use made::settings;
use std::time::Duration;

/// The settings that [`notes`] speaks of.
pub(crate) fn field() -> Settings {
    settings(&["sensor-bridge", "web"], &["/", "/srv/my data"])
}

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Notes of every kind, with the sentence for each.
pub(crate) fn notes() -> Vec<(Note, &'static str)> {
    [
        daemon(),
        service_life(),
        service_ends(),
        notify::notes(),
        probe::notes(),
        group::notes(),
        group::machine(),
        job::notes(),
        guard::notes(),
        network::notes(),
        keeper::notes(),
        guard(),
        readings(),
        power::power(),
        clocks(),
        throttle::notes(),
        halt::notes(),
        hold::notes(),
        reload::notes(),
    ]
    .concat()
}

const WEB: ServiceId = ServiceId(1);
const DATA: MountId = MountId(1);

fn pid() -> Pid {
    Pid::new(812).unwrap()
}

fn daemon() -> Vec<(Note, &'static str)> {
    vec![
        (
            Note::Began {
                services: 1,
                adopted: 0,
            },
            "began with 1 service",
        ),
        (
            Note::Began {
                services: 4,
                adopted: 3,
            },
            "began with 4 services, 3 of them running already",
        ),
        (
            Note::Ending {
                by: Asker::Signal(15),
            },
            "ending: SIGTERM asked to stop all services",
        ),
        (
            Note::Leaving { by: Asker::User(0) },
            "ending: root asked to leave the services running for the next start",
        ),
        (
            Note::StopOverran {
                budget: seconds(90),
            },
            "services still running after the 1 min 30 s of `budget` in `[stop]` are killed",
        ),
        (Note::Ended, "ended"),
        (
            Note::JournalAway {
                why: Fault::Errno(Errno(30)),
            },
            "events cannot be written to disk: read-only file system (EROFS); the latest are kept in \
             memory, and a power cut loses them: check that the file system of `state_dir` is \
             mounted, writable and not full",
        ),
        (Note::JournalBack, "events are written to disk again"),
        (
            Note::Health(note::HealthNote::HealthAway {
                why: Fault::Errno(Errno(98)),
            }),
            "the health endpoint does not listen wherever it should: address already in use (EADDRINUSE); it is \
             tried again, at least every minute: look at [health] of the configuration, and with `ss -ltnp` \
             for who has its port",
        ),
        (
            Note::Health(note::HealthNote::HealthBack),
            "the health endpoint listens wherever it should",
        ),
        (
            Note::SafeStart { aborted: 3 },
            "3 daemons before this one broke off within a minute: what they left about services is \
             ignored, and those that were stopped are started again; look for the cause in the log; \
             if it goes on, the machine is left to its hardware watchdog",
        ),
        (
            Note::LimitsUnenforced {
                controller: Controller::Memory,
                lack: Lack::SwitchedOff,
                asked: true,
            },
            "memory limits of services are not enforced: the kernel's command line switches the \
             controller off (cgroup_disable=memory, which a Pi's firmware writes, because it costs \
             some memory); add cgroup_enable=memory at the end of the one line of \
             /boot/firmware/cmdline.txt (/boot/cmdline.txt on old releases) and reboot",
        ),
        (
            Note::PoolMissing {
                why: Fault::Errno(Errno(2)),
            },
            "the control group of fieldwarden-pool.service, or the one that `cgroup` names, cannot be used: \
             no such file or directory (ENOENT); services end with this daemon: look at \
             `systemctl status fieldwarden-pool` and at `cgroup`, then restart fieldwarden",
        ),
        (
            Note::Asked {
                by: Asker::User(1000),
                request: Request::Restart(WEB),
            },
            "user 1000 asked to restart web",
        ),
        (
            Note::Asked {
                by: Asker::User(0),
                request: Request::ShowLed {
                    state: LedState::OnBattery,
                    time: seconds(5),
                },
            },
            "root asked to see on-battery on the LED for 5 s",
        ),
        (
            Note::LedFailed {
                why: Fault::Taken {
                    by: Some("trigger mmc0".into()),
                },
                retry: seconds(10),
            },
            "LED ACT is taken by trigger mmc0: it does not show how this machine stands; trying again \
             in 10 s; `fieldwarden led list` tells more",
        ),
        (Note::LedBack, "LED ACT shows again how this machine stands"),
        (
            Note::Asked {
                by: Asker::Signal(3),
                request: Request::Leave,
            },
            "SIGQUIT asked to end and leave the services running",
        ),
    ]
}

fn service_life() -> Vec<(Note, &'static str)> {
    vec![
        (
            Note::ServiceStarting {
                service: WEB,
                run: RunId(2),
            },
            "starting web (run 2)",
        ),
        (
            Note::ServiceStartStuck {
                service: WEB,
                waited: seconds(10),
            },
            "start of web has been stuck for 10 s: the storage may hang; it is not repeated",
        ),
        (
            Note::ServiceStartFailed {
                service: WEB,
                stage: Stage::Exec,
                errno: Errno(2),
            },
            "start of web failed at exec: no such file or directory (ENOENT): check `command`, \
             and the interpreter in a script's first line",
        ),
        (
            Note::ServiceStartFailed {
                service: WEB,
                stage: Stage::Network,
                errno: Errno(1),
            },
            "start of web failed at network: operation not permitted (EPERM): only a daemon that \
             runs as root, with all capabilities, can give a service a private_tmp, read_only paths, \
             a private_network or secrets",
        ),
        (
            Note::ServiceStartFailed {
                service: WEB,
                stage: Stage::Session,
                errno: Errno(523),
            },
            "start of web failed at session: errno 523",
        ),
        (
            Note::ServiceUp {
                service: WEB,
                pid: pid(),
                took: Duration::from_millis(120),
            },
            "web is up after 120 ms (pid 812)",
        ),
        (
            Note::ServiceRecalled {
                service: WEB,
                left: Left::Resting { why: Rest::Stopped },
            },
            "web was stopped under the last daemon, and stays stopped",
        ),
        (
            Note::ServiceRecalled {
                service: WEB,
                left: Left::Running,
            },
            "web ended while no daemon was there to see it",
        ),
        (
            Note::ServiceRedefined(WEB),
            "web is configured otherwise than it was started: it is started anew",
        ),
        (
            Note::ServiceAdopted {
                service: ServiceId(0),
                pid: pid(),
            },
            "sensor-bridge was running already and was taken over (pid 812)",
        ),
        (
            Note::ServiceNotReady {
                service: WEB,
                waited: seconds(30),
            },
            "web did not say READY=1 within 30 s: stopping it; if it never says so, use \
             `ready = \"exec\"`",
        ),
        (
            Note::ServiceHung {
                service: WEB,
                silent: seconds(12),
            },
            "web sent no heartbeat for 12 s: ended and started again",
        ),
    ]
}

fn service_ends() -> Vec<(Note, &'static str)> {
    vec![
        (
            Note::ServiceExited {
                service: WEB,
                exit: Exit::Code(1),
                asked: false,
                done: false,
                lived: Duration::from_millis(3_200),
            },
            "web exited with status 1 after 3.2 s",
        ),
        (
            Note::ServiceExited {
                service: WEB,
                exit: Exit::Signal(15),
                asked: true,
                done: false,
                lived: seconds(3_780),
            },
            "web was ended by SIGTERM after 1 h 3 min, as asked",
        ),
        (
            Note::ServiceExited {
                service: WEB,
                exit: Exit::Unknown,
                asked: false,
                done: false,
                lived: seconds(125),
            },
            "web ended in a way nobody saw after 2 min 5 s",
        ),
        (Note::ServiceStopping { service: WEB }, "stopping web"),
        (
            Note::ServiceBarred {
                service: WEB,
                bar: Bar::Need(Need::Clock),
                stopped: false,
            },
            "web waits until the time is right",
        ),
        (
            Note::ServiceBarred {
                service: WEB,
                bar: Bar::Need(Need::Mains),
                stopped: true,
            },
            "web is stopped until mains are back",
        ),
        (
            Note::ServiceBarred {
                service: WEB,
                bar: Bar::Requirement {
                    service: ServiceId(0),
                    coming: false,
                },
                stopped: true,
            },
            "web is stopped: sensor-bridge, which it requires, is not up",
        ),
        (
            Note::ServiceKilled {
                service: WEB,
                waited: seconds(10),
            },
            "web did not stop within 10 s: killed",
        ),
        (
            Note::ServiceBackoff {
                service: WEB,
                delay: seconds(4),
                failures: 3,
            },
            "web failed 3 times in a row: next start in 4 s",
        ),
        (
            Note::ServiceExcused {
                service: WEB,
                excuse: Excuse::Strain(Strain::UnderVoltage),
            },
            "web failed while the supply voltage was too low, or shortly after: not counted towards \
             giving up",
        ),
        (
            Note::ServiceExcused {
                service: WEB,
                excuse: Excuse::Hold,
            },
            "web failed in a hold: not counted towards giving up",
        ),
        (
            Note::RestartsExcused {
                service: WEB,
                strain: Strain::OnBattery,
                restarts: 2,
            },
            "2 restarts of web do not count towards giving up: the machine ran on its battery soon \
             afterwards",
        ),
        (
            Note::ServiceGaveUp {
                service: WEB,
                restarts: 10,
                window: seconds(600),
                retry: seconds(900),
            },
            "gave up on web: 10 restarts within 10 min; one more try in 15 min, or now with \
             `fieldwarden start web`",
        ),
        (
            Note::ServiceFinished {
                service: WEB,
                how: Finish::Done,
            },
            "web is done and is not started again",
        ),
        (
            Note::ServiceFinished {
                service: WEB,
                how: Finish::Failed,
            },
            "web stays down, as its `restart` wants: look for the cause, then `fieldwarden start web`",
        ),
        (
            Note::ServiceFinished {
                service: WEB,
                how: Finish::Refused,
            },
            "web stays down: its status is one of `no_restart_on`, and another start would be of no \
             use; look for the cause, then `fieldwarden start web`",
        ),
    ]
}

fn guard() -> Vec<(Note, &'static str)> {
    vec![
        (
            Note::WatchdogArmed {
                identity: "Broadcom BCM2835 Watchdog timer".into(),
                timeout: seconds(15),
                nowayout: true,
            },
            "hardware watchdog armed: Broadcom BCM2835 Watchdog timer, resets after 15 s without \
             a pet, cannot be stopped",
        ),
        (
            Note::WatchdogClamped {
                wanted: seconds(60),
                timeout: seconds(15),
            },
            "hardware watchdog did not take a timeout of 1 min: 15 s is in force",
        ),
        (
            Note::WatchdogHadReset,
            "the previous boot was ended by the hardware watchdog",
        ),
        (
            Note::WatchdogFailed {
                why: Fault::Taken {
                    by: Some("systemd (pid 1)".into()),
                },
                retry: seconds(10),
            },
            "hardware watchdog taken by systemd (pid 1): not armed; trying again in 10 s",
        ),
        (
            Note::WatchdogFailed {
                why: Fault::Absent,
                retry: seconds(10),
            },
            "hardware watchdog failed (there is none on this machine): not armed; trying again \
             in 10 s",
        ),
        (
            Note::PetWithheld {
                thread: Thread::Children,
                timeout: Some(seconds(15)),
                init: None,
            },
            "our children thread is stuck: no more pets, the hardware resets this machine within \
             15 s",
        ),
        (
            Note::PetWithheld {
                thread: Thread::Watchdog,
                timeout: None,
                init: None,
            },
            "our watchdog thread is stuck: no more pets, but there is no hardware watchdog to \
             reset this machine",
        ),
        (
            Note::PetWithheld {
                thread: Thread::Watchdog,
                timeout: None,
                init: Some(seconds(30)),
            },
            "our watchdog thread is stuck: no more pets, systemd restarts this daemon within 30 s",
        ),
        (Note::PetResumed, "pets go on"),
        (
            Note::WatchdogRuns {
                timeout: Some(seconds(15)),
            },
            "a hardware watchdog runs, and systemd is to pet it; timeout 15 s",
        ),
        (
            Note::WatchdogIdle,
            "no hardware watchdog runs, although systemd is to pet it: set RuntimeWatchdogSec=",
        ),
        (
            Note::DaemonUnwatched,
            "systemd does not notice when this daemon hangs: set WatchdogSec= in its unit",
        ),
        (
            Note::WatchdogDisarmed,
            "hardware watchdog stopped, as `disarm_on_stop` wants: nothing guards this machine",
        ),
        (
            Note::WatchdogLeftArmed {
                timeout: seconds(15),
            },
            "hardware watchdog left armed: it resets this machine in 15 s unless a new \
             fieldwarden pets it",
        ),
        (
            Note::ThreadLate {
                thread: Thread::Disk,
                late: seconds(30),
            },
            "our disk thread is 30 s late: the storage may hang",
        ),
        (
            Note::ThreadOnTime {
                thread: Thread::Disk,
            },
            "our disk thread is on time again",
        ),
    ]
}

fn readings() -> Vec<(Note, &'static str)> {
    vec![
        (
            Note::SourceLost {
                source: Source::Mount(DATA),
                why: Fault::Errno(Errno(5)),
            },
            "file system /srv/my data cannot be read: input/output error (EIO)",
        ),
        (
            Note::SourceBack {
                source: Source::Temperature,
            },
            "the temperature can be read again",
        ),
        (
            Note::Heat {
                level: HeatLevel::Critical,
                verdict: Verdict::Critical,
                temperature: MilliCelsius(85_123),
            },
            "processor at 85.1C: critical: cool it, or give it less to do",
        ),
        (
            Note::HeatShedding {
                shed: Shed::Optional,
            },
            "the processor stays critically hot: services of the class optional are stopped",
        ),
        (
            Note::HeatShedding {
                shed: Shed::Nothing,
            },
            "the processor has cooled: services that were stopped for that may run again",
        ),
        (
            Note::Memory {
                verdict: Verdict::Warn,
                available: Permille(145),
            },
            "14.5% of memory available: warning",
        ),
        (
            Note::Load {
                verdict: Verdict::Ok,
                centi_per_cpu: 125,
            },
            "load 1.25 per processor: fine again",
        ),
        (
            Note::Space {
                verdict: Verdict::Warn,
                mount: MountId(0),
                free: Permille(90),
            },
            "9% of / free: warning",
        ),
        (
            Note::Inodes {
                verdict: Verdict::Unknown,
                mount: DATA,
                free: Permille(5),
            },
            "0.5% of the inodes of /srv/my data free: unknown",
        ),
        (
            Note::MountErrors {
                verdict: Verdict::Critical,
                mount: DATA,
                errors: 3,
            },
            "/srv/my data has just recorded errors (3 errors in all): writes may fail from now on, \
             look into `dmesg`; the card may be failing",
        ),
        (
            Note::MountErrors {
                verdict: Verdict::Warn,
                mount: DATA,
                errors: 1,
            },
            "/srv/my data has recorded 1 error since it was last checked: check it with `e2fsck`, \
             and look at the card",
        ),
        (
            Note::MountErrors {
                verdict: Verdict::Ok,
                mount: DATA,
                errors: 0,
            },
            "/srv/my data has no recorded errors any more",
        ),
        (
            Note::Guard(note::GuardNote::MountReadOnly { mount: DATA }),
            "/srv/my data became read-only: look for file system errors in `dmesg`; the card may \
             be failing",
        ),
        (
            Note::Guard(note::GuardNote::MountWritable { mount: DATA }),
            "/srv/my data is writable again",
        ),
    ]
}

fn clocks() -> Vec<(Note, &'static str)> {
    let year = seconds(365 * 86_400);
    let rtc_wrong = |why| Note::RtcWrong { why };
    vec![
        (Note::ClockSynced, "the clock is synchronised"),
        (
            Note::Guard(note::GuardNote::NetworkUp),
            "the network is up: there is a way out of this machine",
        ),
        (
            Note::Guard(note::GuardNote::NetworkDown),
            "the network is down: no way leads out of this machine",
        ),
        (
            Note::ClockUnsynced,
            "the clock is not synchronised any more: wall times may drift",
        ),
        (
            Note::ClockTrust {
                trust: Trust::Floor,
            },
            "nobody keeps the clock right: what it shows can be true, and may be wrong",
        ),
        (
            Note::ClockTrust { trust: Trust::Rtc },
            "nobody keeps the clock right: the battery-backed clock shows the same time",
        ),
        (
            Note::ClockWrong {
                why: Doubt::Early { by: year },
            },
            "the clock is wrong: it shows a time that is past for certain, by 365 d; its times \
             mislead until somebody sets it",
        ),
        (
            Note::ClockWrong {
                why: Doubt::Future { by: year * 73 },
            },
            "the clock is wrong: it shows a time 26645 d beyond anything known, and nobody \
             vouches for it",
        ),
        (
            Note::ClockStepped {
                by: seconds(7200),
                ahead: false,
            },
            "somebody set the clock back by 2 h",
        ),
        (
            rtc_wrong(RtcDoubt::Stopped),
            "the battery-backed clock had stopped: its battery is empty, or it was never set; \
             change the battery if this comes again after the next boot",
        ),
        (
            rtc_wrong(RtcDoubt::Invalid),
            "the battery-backed clock says that its time is not valid: it was never set, or its \
             battery is empty",
        ),
        (
            rtc_wrong(RtcDoubt::Frozen),
            "the battery-backed clock stands still: is it damaged?",
        ),
        (
            rtc_wrong(RtcDoubt::Untrue(Doubt::Early { by: year })),
            "the battery-backed clock is wrong: it shows a time that is past for certain, by \
             365 d; its times mislead until somebody sets it",
        ),
        (
            rtc_wrong(RtcDoubt::Behind { by: seconds(95) }),
            "the battery-backed clock is 1 min 35 s behind the synchronised clock; `hwclock -w` \
             sets it",
        ),
        (
            Note::Guard(note::GuardNote::RtcRight),
            "the battery-backed clock is right again",
        ),
        (
            Note::Guard(note::GuardNote::RtcSet),
            "the battery-backed clock was set by the synchronised one",
        ),
        (
            Note::Guard(note::GuardNote::RtcNotSet { why: Fault::Absent }),
            "the battery-backed clock cannot be set: there is none on this machine",
        ),
    ]
}

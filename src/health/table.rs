//! The table of all metrics.

use super::exposition::Kind::{Counter, Gauge, Info};
use super::exposition::{Kind, Metric};

/// States of a service, as the status report names them.
pub(super) const STATES: [&str; 7] = [
    "down", "starting", "up", "stopping", "backoff", "gave-up", "held",
];

/// How far a clock can be trusted, as the status report names it.
pub(super) const TRUSTS: [&str; 5] = ["unset", "floor", "rtc", "synced", "holdover"];

/// Flags of the firmware, as the status report names them.
pub(super) const FLAGS: [&str; 4] = [
    "under-voltage",
    "frequency-capped",
    "throttled",
    "soft-limit",
];

const fn metric(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        unit,
        labels,
        help,
    }
}

macro_rules! metrics {
    ($($id:ident = $name:literal, $kind:ident, $unit:literal, $labels:expr, $help:literal;)*) => {
        $(pub(super) const $id: Metric = metric($name, $kind, $unit, &$labels, $help);)*

        /// All metrics, in the order in which they are told.
        pub const METRICS: &[Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD = "fieldwarden_build_info", Info, "", ["version"],
        "The daemon that tells this";
    UPTIME = "fieldwarden_uptime_seconds", Gauge, "seconds", [],
        "Time since the machine started, without the time it slept";
    WORST = "fieldwarden_verdict_worst", Gauge, "", [],
        "The worst of all verdicts: 0 ok, 1 unknown, 2 warn, 3 critical";
    VERDICT = "fieldwarden_verdict", Gauge, "", ["subject"],
        "What is thought of one subject: 0 ok, 1 unknown, 2 warn, 3 critical";
    RUNNING = "fieldwarden_running", Gauge, "", [],
        "1 unless services are being stopped, the machine halted or the daemon ended";
    HALTING = "fieldwarden_halt_under_way", Gauge, "", [],
        "1 while the machine is being halted";
    HOLD = "fieldwarden_hold", Gauge, "", [],
        "1 while a hold is in force: nothing is escalated";
    LACKS = "fieldwarden_daemon_lacks", Gauge, "", ["what"],
        "1 while the daemon lacks its journal, its pool, its configuration or a door of this endpoint";
    LATE_THREADS = "fieldwarden_daemon_late_threads", Gauge, "", [],
        "Threads of the daemon that are behind with their work";
    RESIDENT = "fieldwarden_daemon_resident_memory_bytes", Gauge, "bytes", [],
        "Memory of the daemon that is in RAM, shared pages included";
    THREADS = "fieldwarden_daemon_threads", Gauge, "", [],
        "Threads of the daemon";
    ARMED = "fieldwarden_watchdog_armed", Gauge, "", [],
        "1 while the hardware watchdog runs and the daemon pets it";
    WITHHELD = "fieldwarden_watchdog_withheld", Gauge, "", [],
        "1 while pets are withheld: a reset is coming";
    TIMEOUT = "fieldwarden_watchdog_timeout_seconds", Gauge, "seconds", [],
        "Time without a pet after which the hardware watchdog resets the machine";
    PETS = "fieldwarden_watchdog_pets_total", Counter, "", [],
        "Pets that have reached every guard";
    LAST_PET = "fieldwarden_watchdog_last_pet_age_seconds", Gauge, "seconds", [],
        "Time since the latest pet was given out";
    LONGEST_GAP = "fieldwarden_watchdog_longest_gap_seconds", Gauge, "seconds", [],
        "Longest time between two pets since the daemon began";
    CAUSED_RESET = "fieldwarden_watchdog_caused_reset", Gauge, "", [],
        "1 if the hardware watchdog ended the boot before this one";
    LAST_BOOT = "fieldwarden_last_boot_info", Info, "", ["end", "confidence"],
        "How the boot before this one ended, and how sure that is";
    SERVICES_UP = "fieldwarden_services_up", Gauge, "", [],
        "Services that are up and, where a probe tells, can be used";
    SERVICES_WANTED = "fieldwarden_services_wanted", Gauge, "", [],
        "Services that should be up";
    SERVICE = "fieldwarden_service_info", Info, "", ["service", "class", "kept"],
        "A service: how much it matters, and what it is (service, job) or who keeps it";
    UP = "fieldwarden_service_up", Gauge, "", ["service"],
        "1 while it is up";
    WANTED = "fieldwarden_service_wanted", Gauge, "", ["service"],
        "1 while it should be up";
    READY = "fieldwarden_service_ready", Gauge, "", ["service"],
        "1 while its readiness probe says that it can be used; only while it is up and has one";
    STATE = "fieldwarden_service_state", Gauge, "", ["service", "state"],
        "1 for the state that it is in";
    RESTARTS = "fieldwarden_service_restarts_total", Counter, "", ["service"],
        "Times it was started again without being asked to";
    EXCUSED = "fieldwarden_service_excused_total", Counter, "", ["service"],
        "Failures that were put down to power, throttling or a hold";
    FAILURES = "fieldwarden_service_failures", Gauge, "", ["service"],
        "Failures in a row";
    RUN_AGE = "fieldwarden_service_run_age_seconds", Gauge, "seconds", ["service"],
        "Time since its run began, while it lasts";
    SILENCE = "fieldwarden_service_silence_seconds", Gauge, "seconds", ["service"],
        "Time since its last heartbeat, where it owes any";
    JOB_AGE = "fieldwarden_job_good_age_seconds", Gauge, "seconds", ["service"],
        "Age of the last good run of a job";
    JOB_FAILING = "fieldwarden_job_failing", Gauge, "", ["service"],
        "1 if the latest run of a job has failed";
    JOB_VERDICT = "fieldwarden_job_verdict", Gauge, "", ["service"],
        "What is thought of a job: 0 ok, 1 unknown, 2 warn, 3 critical";
    TEMPERATURE = "fieldwarden_soc_temperature_celsius", Gauge, "celsius", [],
        "Temperature of the processor";
    MEMORY = "fieldwarden_memory_available_ratio", Gauge, "ratio", [],
        "Memory that programs can still have, of all memory";
    LOAD = "fieldwarden_load_per_cpu", Gauge, "", [],
        "Processes that want to run, per processor";
    SYNCHRONIZED = "fieldwarden_clock_synchronized", Gauge, "", [],
        "1 while somebody disciplines the clock";
    TRUST = "fieldwarden_clock_trust", Gauge, "", ["trust"],
        "1 for how far the time of the clock can be trusted";
    RTC_RIGHT = "fieldwarden_rtc_right", Gauge, "", [],
        "1 while nothing speaks against the battery-backed clock";
    RTC_OFFSET = "fieldwarden_rtc_offset_seconds", Gauge, "seconds", [],
        "How far the battery-backed clock is ahead of the kernel's, good to a second";
    NETWORK = "fieldwarden_network_up", Gauge, "", [],
        "1 while there is a way out of the machine; only where a service needs one";
    MAINS = "fieldwarden_external_power", Gauge, "", [],
        "1 on mains, 0 on the battery";
    ON_BATTERY = "fieldwarden_on_battery_seconds", Gauge, "seconds", [],
        "Time since mains were first seen gone, on the battery";
    CHARGE = "fieldwarden_battery_charge_ratio", Gauge, "ratio", [],
        "What is left of a full battery";
    VOLTS = "fieldwarden_battery_voltage_volts", Gauge, "volts", [],
        "Voltage of the pack";
    AMPERES = "fieldwarden_battery_current_amperes", Gauge, "amperes", [],
        "Current into the battery; negative while the machine runs from it";
    SOURCE_AGE = "fieldwarden_power_source_age_seconds", Gauge, "seconds", ["source"],
        "Time since what tells of mains or of the battery was last heard and believed";
    REMAINING = "fieldwarden_battery_remaining_seconds", Gauge, "seconds", [],
        "Runtime that is left, at least";
    NEEDED = "fieldwarden_battery_needed_seconds", Gauge, "seconds", [],
        "Runtime below which the machine is halted";
    THROTTLED = "fieldwarden_throttled", Gauge, "", ["reason"],
        "1 while the firmware's flag is set";
    EPISODES = "fieldwarden_throttle_episodes_total", Counter, "", ["reason"],
        "Times the firmware's flag was set";
    THROTTLED_TIME = "fieldwarden_throttle_seconds_total", Counter, "seconds", ["reason"],
        "Time for which the firmware's flag was set";
    MOUNT_VERDICT = "fieldwarden_filesystem_verdict", Gauge, "", ["mountpoint"],
        "What is thought of a file system: 0 ok, 1 unknown, 2 warn, 3 critical";
    FREE = "fieldwarden_filesystem_free_ratio", Gauge, "ratio", ["mountpoint"],
        "Free space of all space";
    FREE_INODES = "fieldwarden_filesystem_free_inodes_ratio", Gauge, "ratio", ["mountpoint"],
        "Free inodes of all, where they are limited";
    READ_ONLY = "fieldwarden_filesystem_read_only", Gauge, "", ["mountpoint"],
        "1 while no write can succeed";
    ERRORS = "fieldwarden_filesystem_errors", Gauge, "", ["mountpoint"],
        "Errors that it has recorded since it was last checked";
    READING_AGE = "fieldwarden_filesystem_reading_age_seconds", Gauge, "seconds", ["mountpoint"],
        "Time since it was looked at last";
    CANARY_VERDICT = "fieldwarden_canary_verdict", Gauge, "", ["directory"],
        "What is thought of a canary: 0 ok, 1 unknown, 2 slow, 3 failed";
    CANARY_TIME = "fieldwarden_canary_seconds", Gauge, "seconds", ["directory", "of"],
        "Time that canaries took: the latest, half of them, nineteen of twenty, the longest";
    CAP_VERDICT = "fieldwarden_cap_verdict", Gauge, "", ["cap"],
        "What is thought of a cap: 0 ok, 1 unknown, 2 not kept";
    CAP_SIZE = "fieldwarden_cap_size_bytes", Gauge, "bytes", ["cap"],
        "What the files of a cap take up";
    PRESSURE = "fieldwarden_memory_pressure_ratio", Gauge, "ratio", [],
        "Share of time in which everything waits for memory";
    SWAP = "fieldwarden_swap_kibibytes_per_second", Gauge, "", ["way"],
        "Traffic of swap";
    THRASHING = "fieldwarden_thrashing", Gauge, "", [],
        "1 while the machine works for its swap";
    UPLINK_BROKEN = "fieldwarden_uplink_broken", Gauge, "", [],
        "1 while the way out is broken; only where somebody cares";
    UPLINK_FAILURES = "fieldwarden_uplink_failures", Gauge, "", [],
        "Looks in a row that have found a step of the way out broken";
    UPLINK_STEP = "fieldwarden_uplink_step_well", Gauge, "", ["step"],
        "1 if a step of the way out was as it should be when it was looked at";
    HANDSHAKE = "fieldwarden_vpn_handshake_age_seconds", Gauge, "seconds", [],
        "Age of the latest handshake of the VPN when it was looked at";
    REPAIRS = "fieldwarden_repairs_tried", Gauge, "", ["repair"],
        "Times that a repair of the way out was tried within its window";
    EXPIRY_VERDICT = "fieldwarden_expiry_verdict", Gauge, "", ["name"],
        "What is thought of something that expires: 0 ok, 1 unknown, 2 warn, 3 critical";
    EXPIRY_LEFT = "fieldwarden_expiry_left_seconds", Gauge, "seconds", ["name"],
        "Time until it expires; only while the clock can be trusted";
}

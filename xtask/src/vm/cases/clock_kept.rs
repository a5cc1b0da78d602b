//! Clocks that real daemons of Debian keep: chrony and systemd-timesyncd, and what a wrong clock makes
//! of data and of whoever tidies it up.

use anyhow::{Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::daemon::{SOON, configure, service, status, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "clock-kept-by-daemons",
    "a boot in the past: what needs a clock writes nothing that is dated wrong, and its retention deletes \
     nothing, until chrony has set the clock; the battery-backed clock is set by it; a clock before what \
     was kept of the past is wrong; systemd-timesyncd is as good",
    kept,
)
.with(Modules::Devices)
.for_long()];

/// Gives out the true time by NTP, whatever the clock of this machine shows: its argument is the time
/// at which monotonic time began.
const SERVER: &str = r#"use Socket;
socket(S, PF_INET, SOCK_DGRAM, 17) or die $!;
bind(S, sockaddr_in(123, INADDR_LOOPBACK)) or die $!;
while (my $from = recv(S, my $asked, 512, 0)) {
    next if length $asked < 48;
    my $time = "\0" x 16;
    syscall(228, 1, $time);
    my ($second, $nano) = unpack("qq", $time);
    my $now = pack("NN", $second + $ARGV[0] + 2208988800 & 0xffffffff, $nano * 4.294967296);
    my $head = pack("CCcc N N a4", 0x24, 1, 6, -20, 0, 16, "GPS");
    send(S, $head . $now . substr($asked, 40, 8) . $now . $now, 0, $from);
}
"#;

/// Without `rtcsync`, so that the kernel is not told outright that the clock is kept.
const CHRONY: &str = "server 127.0.0.1 iburst minpoll 0 maxpoll 2\nmakestep 1 -1\ncmdport 0\n\
    bindcmdaddress /\ndriftfile /run/chrony.drift\npidfile /run/chronyd.pid\n";

/// The same twice: with what it needs, and without. Data is a file for each second; what is older than
/// 30 days is deleted.
const CONFIG: &str = r#"[watchdog]
owner = "nobody"
[vitals]
every = "1s"
[clock]
every = "1s"
set_rtc = true
[service.careful]
command = ["/bin/sh", "-c", "while :; do touch /srv/careful/$(date +%s); sleep 1; done"]
needs = ["clock"]
[service.careful-tidy]
kind = "job"
every = "10s"
needs = ["clock"]
command = ["/bin/sh", "-c", "touch /run/careful-tidy; find /srv/careful -type f -mtime +30 -delete"]
[service.careless]
command = ["/bin/sh", "-c", "while :; do touch /srv/careless/$(date +%s); sleep 1; done"]
[service.careless-tidy]
kind = "job"
every = "10s"
command = ["/bin/sh", "-c", "touch /run/careless-tidy; find /srv/careless -type f -mtime +30 -delete"]
"#;

/// Tells the kernel that nobody keeps its clock (`adjtimex`).
const ABANDON: &str = "perl -e 'my $t = pack(\"L x4 q q q q l x4 x200\", 0x14, 0, 0, 16000000, 16000000, 0x40); \
    syscall(159, $t) >= 0 or die $!'";

/// As many files as there are that the clock dated with this year or later, and earlier.
fn dated(machine: &Machine, whose: &str) -> Result<(u32, u32)> {
    let count = |test: &str| -> Result<u32> {
        let script = format!("find /srv/{whose} -type f {test} -newermt 2020-01-01 | wc -l");
        Ok(machine.ok(&script)?.trim().parse()?)
    };
    Ok((count("")?, count("!")?))
}

/// Waits until this job has begun to run after now.
fn wait_run(machine: &Machine, job: &str) -> Result<()> {
    machine.ok(&format!("rm -f /run/{job}"))?;
    let ran = format!("test -e /run/{job}");
    machine.wait_until(&format!("a run of {job}"), &ran, SOON)
}

fn kept(machine: &mut Machine) -> Result<()> {
    machine.set_clock()?;
    machine.put_bytes(SERVER.as_bytes(), "/run/ntp.pl", 0o644)?;
    machine.put_bytes(CHRONY.as_bytes(), "/run/chrony.conf", 0o644)?;
    machine.ok("echo $(($(date +%s) - $(cut -d. -f1 /proc/uptime))) > /run/began")?;
    machine.ok(
        "mkdir -p /srv/careful /srv/careless; touch /srv/careful/good /srv/careless/good
         ip link set lo up",
    )?;
    configure(machine, CONFIG)?;
    in_the_past(machine)?;
    in_the_future(machine)?;
    set_by_chrony(machine)?;
    never_back(machine)?;
    set_by_timesyncd(machine)
}

/// An empty battery: both clocks show 2001.
fn in_the_past(machine: &Machine) -> Result<()> {
    machine.ok("date -s '2001-02-03 04:05:06' && busybox hwclock -w -u")?;
    machine.ok("systemctl start fieldwarden")?;
    wait_event(machine, "clock-wrong", "\"why\":\"early\"")?;
    let stamped = "test $(ls /srv/careless | wc -l) -gt 1";
    machine.wait_until("data of the careless", stamped, SOON)?;
    let careful = service(machine, "careful")?;
    ensure!(careful["state"] == "down", "{careful}");
    Ok(())
}

/// Years ahead, everything good looks old.
fn in_the_future(machine: &Machine) -> Result<()> {
    machine.ok("rm -f /run/careless-tidy && date -s '2040-01-01'")?;
    wait_event(machine, "clock-trust", "\"trust\":\"floor\"")?;
    wait_run(machine, "careless-tidy")?;
    let lost = "! test -e /srv/careless/good";
    machine.wait_until("the careless to lose what was good", lost, SOON)?;
    machine.ok("test -e /srv/careful/good && ! test -e /run/careful-tidy")?;
    machine.ok("date -s '2001-02-03 04:06:00'")?;
    let again = "find /srv/careless -type f ! -newermt 2020-01-01 | grep -q .";
    machine.wait_until("data dated 2001", again, SOON)
}

fn set_by_chrony(machine: &Machine) -> Result<()> {
    machine.ok("perl /run/ntp.pl $(cat /run/began) >/dev/null 2>&1 & echo $! > /run/ntp.pid")?;
    machine.ok("chronyd -u root -F 0 -f /run/chrony.conf")?;
    wait_event(machine, "clock-synced", "")?;
    let up = "fieldwarden status --json | grep -q '\"name\":\"careful\",\"state\":\"up\"'";
    machine.wait_until("the careful", up, SOON)?;
    wait_run(machine, "careful-tidy")?;
    wait_run(machine, "careless-tidy")?;
    let some = "test $(ls /srv/careful | wc -l) -gt 2";
    machine.wait_until("data of the careful", some, SOON)?;
    let (right, wrong) = dated(machine, "careful")?;
    ensure!(
        right > 2 && wrong == 0,
        "{right} dated right, {wrong} wrong"
    );
    machine.ok("test -e /srv/careful/good")?;
    // What the careless had measured in 2001 is gone: that is the failure.
    let gone = "! find /srv/careless -type f ! -newermt 2020-01-01 | grep -q .";
    machine.wait_until("the careless to lose what was dated wrong", gone, SOON)?;
    wait_event(machine, "rtc-set", "")?;
    wait_event(machine, "rtc-right", "")?;
    let off = "t=$(cat /sys/class/rtc/rtc0/since_epoch); test $((t - $(date +%s))) -ge -2 -a $((t - $(date +%s))) -le 2";
    machine.ok(off)?;
    ensure!(status(machine)?["machine"]["clock_trust"] == "synced");
    Ok(())
}

/// The program was made long before: only what was kept tells that this is the past.
fn never_back(machine: &Machine) -> Result<()> {
    machine
        .ok("systemctl stop fieldwarden && grep -q fieldwarden-floor /var/lib/fieldwarden/floor")?;
    machine.ok("kill $(cat /run/chronyd.pid)")?;
    machine.ok(ABANDON)?;
    // No record of a synced clock is left: the file alone has to do.
    machine.ok("rm -r /var/lib/fieldwarden/journal")?;
    machine.ok("date -s \"@$(($(date +%s) - 7200))\"")?;
    machine.ok("systemctl start fieldwarden")?;
    wait_event(machine, "clock-wrong", "\"why\":\"early\"")?;
    let careful = service(machine, "careful")?;
    ensure!(careful["state"] == "down", "{careful}");
    Ok(())
}

fn set_by_timesyncd(machine: &Machine) -> Result<()> {
    machine.ok(
        "echo 'u systemd-timesync - -' | systemd-sysusers -
         mkdir -p /etc/systemd/timesyncd.conf.d /run/systemd/timesync
         chown systemd-timesync /run/systemd/timesync
         printf '[Time]\nNTP=127.0.0.1\n' > /etc/systemd/timesyncd.conf.d/lab.conf
         /usr/lib/systemd/systemd-timesyncd >/run/timesyncd.log 2>&1 & echo $! > /run/timesyncd.pid",
    )?;
    wait_event(machine, "clock-synced", "")?;
    machine.ok("test -e /run/systemd/timesync/synchronized")?;
    let up = "fieldwarden status --json | grep -q '\"name\":\"careful\",\"state\":\"up\"'";
    machine.wait_until("the careful", up, SOON)?;
    let (_, wrong) = dated(machine, "careful")?;
    ensure!(wrong == 0, "{wrong} dated wrong");
    machine.ok("kill $(cat /run/timesyncd.pid) $(cat /run/ntp.pid)")?;
    Ok(())
}

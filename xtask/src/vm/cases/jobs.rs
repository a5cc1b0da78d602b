//! Jobs: the shipped example of a backup with a real database, and a job that outlives its daemon.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::daemon::{SOON, configure, pid, service, start, status, wait_successor};

/// The cases of this module.
pub const CASES: &[Case] = &[Case {
    // By schedule it waits for five dumps, and there is a boot.
    limit: Duration::from_secs(600),
    ..Case::daemon(
    "jobs-back-up",
    "the shipped backup with SQLite: dumps by schedule, pruning that keeps what was proven, a restore \
     test that fails on a damaged dump and says so, a copy elsewhere; a kill of the daemon doubles no \
     run; what is known lasts over a boot",
    back_up,
)
.with(Modules::Devices)
}];

/// The example as it is shipped.
const EXAMPLE: &str = include_str!("../../../../config/examples/backup.toml");

/// Its scripts, with their names.
const SCRIPTS: [(&str, &str); 3] = [
    (
        "dump.sh",
        include_str!("../../../../examples/backup/dump.sh"),
    ),
    (
        "restore-test.sh",
        include_str!("../../../../examples/backup/restore-test.sh"),
    ),
    (
        "copy.sh",
        include_str!("../../../../examples/backup/copy.sh"),
    ),
];

/// A database with two thousand readings.
const DATABASE: &str =
    "sqlite3 /srv/readings.sqlite \"CREATE TABLE readings(at INTEGER, value REAL);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO readings SELECT i, i * 0.5 FROM n;\"";

/// A job that goes on until it is stopped, and leaves a line for each run.
const LONG: &str = "[service.long]\nkind = \"job\"\nevery = \"1h\"\nautostart = false\n\
    command = [\"/bin/sh\", \"-c\", \"echo began >> /run/long; exec sleep 4711\"]\n";

/// The example with intervals that do not keep us waiting; of what runs by itself only the dump, if
/// that is to.
fn example(dumps: bool) -> String {
    let scheduled = |text: String, name: &str, yes: bool| match yes {
        true => text,
        false => text.replace(
            &format!("[service.{name}]\n"),
            &format!("[service.{name}]\nautostart = false\n"),
        ),
    };
    let text = EXAMPLE
        .replace("every = \"1h\"\njitter = \"5m\"", "every = \"10s\"")
        .replace("KEEP = \"48\"", "KEEP = \"3\"");
    let text = scheduled(text, "dump", dumps);
    let text = scheduled(text, "restore-test", false);
    let text = scheduled(text, "copy", false);
    format!("[watchdog]\ntimeout = \"8s\"\n{text}{LONG}")
}

/// What makes a service a job.
fn job(machine: &Machine, name: &str) -> Result<Value> {
    Ok(service(machine, name)?["job"].clone())
}

/// Has a job run by hand, and waits until that run is over. Says how it ended.
fn run(machine: &Machine, name: &str) -> Result<String> {
    let before = service(machine, name)?["run"].as_u64().context("no run")?;
    machine.ok(&format!("fieldwarden start --no-wait {name}"))?;
    let over = format!(
        "fieldwarden status --json | grep -o '\"name\":\"{name}\",.*' | \
         grep -q '\"state\":\"down\",[^}}]*\"run\":{},'",
        before + 1
    );
    machine.wait_until(&format!("a run of {name}"), &over, 3 * SOON)?;
    let latest = job(machine, name)?["latest"].clone();
    let latest = latest.as_str().context("a run without an end")?;
    Ok(latest.to_owned())
}

fn well(machine: &Machine, name: &str) -> Result<()> {
    let how = run(machine, name)?;
    ensure!(
        how == "good",
        "{name}: {how}\n{}",
        machine.ok(&format!("fieldwarden logs {name}"))?
    );
    Ok(())
}

fn fails(machine: &Machine, name: &str) -> Result<()> {
    let how = run(machine, name)?;
    ensure!(how == "failed", "{name}: {how}");
    Ok(())
}

fn dumps(machine: &Machine) -> Result<Vec<String>> {
    let list = machine.ok("ls /srv/dumps | grep '^dump-' || true")?;
    Ok(list.lines().map(str::to_owned).collect())
}

fn back_up(machine: &mut Machine) -> Result<()> {
    machine.ok("mkdir -p /opt/backup /mnt/backup")?;
    for (name, text) in SCRIPTS {
        machine.put_bytes(text.as_bytes(), &format!("/opt/backup/{name}"), 0o755)?;
    }
    // The guest may have slept since its clock was right.
    machine.ok("busybox hwclock -s -u")?;
    machine.ok(DATABASE)?;
    configure(machine, &example(true))?;
    start(machine)?;
    let trusted = "fieldwarden status --json | grep -q '\"clock_trust\":\"rtc\"'";
    machine.wait_until("a clock that is right", trusted, SOON)?;
    by_schedule(machine)?;
    // From here on nothing runs by itself.
    configure(machine, &example(false))?;
    machine.ok("systemctl restart fieldwarden")?;
    by_hand(machine)?;
    damaged(machine)?;
    elsewhere(machine)?;
    outlives_its_daemon(machine)?;
    over_a_boot(machine)
}

/// Dumps come by themselves, the oldest go, and the report is about them.
fn by_schedule(machine: &Machine) -> Result<()> {
    let fifth = "test -e /srv/dumps/dump-00000005.sql.gz";
    machine.wait_until("five dumps", fifth, 4 * SOON)?;
    let left = dumps(machine)?;
    ensure!(left.len() <= 4, "{left:?}");
    let dump = job(machine, "dump")?;
    ensure!(
        dump["verdict"] == "ok" && dump["good_at_least"] == false,
        "{dump}"
    );
    let report = status(machine)?;
    // Nobody has restored anything yet, and that is not called good.
    ensure!(report["verdicts"]["jobs"] == "unknown", "{report}");
    let test = job(machine, "restore-test")?;
    ensure!(
        test["next"] == "by-hand" && test["verdict"] == "unknown",
        "{test}"
    );
    Ok(())
}

/// A dump is restored and asked.
fn by_hand(machine: &Machine) -> Result<()> {
    well(machine, "dump")?;
    well(machine, "restore-test")?;
    let said = machine.ok("fieldwarden logs restore-test")?;
    ensure!(
        said.contains("SELECT count(*) FROM readings gives 2000"),
        "{said}"
    );
    ensure!(job(machine, "restore-test")?["verdict"] == "ok");
    // What it restored into is gone again.
    machine.ok("test -z \"$(ls /var/tmp | grep restore)\"")?;
    Ok(())
}

/// A dump with damaged bytes cannot be restored. That is said, and the dump that could be stays.
fn damaged(machine: &Machine) -> Result<()> {
    let proven = machine.ok("cat /srv/dumps/proven")?.trim().to_owned();
    well(machine, "dump")?;
    let newest = dumps(machine)?.pop().context("no dump")?;
    ensure!(newest != proven, "{newest} is proven already");
    machine.ok(&format!(
        "printf '\\377\\377' | dd of=/srv/dumps/{newest} bs=1 seek=400 conv=notrunc"
    ))?;
    fails(machine, "restore-test")?;
    let report = status(machine)?;
    ensure!(report["verdicts"]["jobs"] == "warn", "{report}");
    let headline = report["headline"].as_str().unwrap_or_default();
    ensure!(
        headline.contains("the latest run of restore-test failed"),
        "{headline}"
    );
    let why = machine.ok("fieldwarden why restore-test")?;
    ensure!(
        why.contains("its latest run failed") && why.contains("last good run"),
        "{why}"
    );
    let events = machine.ok("fieldwarden events")?;
    ensure!(events.contains("restore-test needs a look"), "{events}");
    for _ in 0..4 {
        well(machine, "dump")?;
    }
    let left = dumps(machine)?;
    ensure!(
        left.contains(&proven) && left.len() == 4,
        "{left:?}, and {proven} is proven"
    );
    // The next one can be restored again, and all is well.
    well(machine, "restore-test")?;
    ensure!(job(machine, "restore-test")?["verdict"] == "ok");
    Ok(())
}

/// A copy that is not made says so by itself; one that is made is the same.
fn elsewhere(machine: &Machine) -> Result<()> {
    fails(machine, "copy")?;
    ensure!(job(machine, "copy")?["verdict"] == "warn");
    ensure!(job(machine, "dump")?["verdict"] == "ok");
    machine.ok("touch /mnt/backup/backups-go-here")?;
    well(machine, "copy")?;
    let newest = dumps(machine)?.pop().context("no dump")?;
    machine.ok(&format!("cmp /srv/dumps/{newest} /mnt/backup/{newest}"))?;
    ensure!(
        status(machine)?["verdicts"]["jobs"] == "ok",
        "{}",
        status(machine)?
    );
    Ok(())
}

/// The daemon is killed in the middle of a run: the next one goes on with it.
fn outlives_its_daemon(machine: &Machine) -> Result<()> {
    machine.ok("fieldwarden start long")?;
    let runs = "fieldwarden status --json | grep -q '\"name\":\"long\",\"state\":\"up\"'";
    machine.wait_until("a long run", runs, SOON)?;
    let before = pid(machine, "long")?;
    let old = machine.ok("systemctl show -P MainPID fieldwarden")?;
    machine.ok("systemctl kill -s KILL fieldwarden")?;
    wait_successor(machine, old.trim())?;
    machine.ok("fieldwarden start long")?;
    let after = service(machine, "long")?;
    ensure!(
        after["pid"] == before && after["adopted"] == true,
        "{after}"
    );
    ensure!(
        machine.ok("cat /run/long")?.lines().count() == 1,
        "it was run twice"
    );
    ensure!(machine.ok("pgrep -cxf 'sleep 4711'")?.trim() == "1");
    machine.ok("fieldwarden stop long")?;
    let over = "fieldwarden status --json | grep -q '\"name\":\"long\",\"state\":\"down\"'";
    machine.wait_until("its stop", over, SOON)?;
    ensure!(job(machine, "long")?["latest"] == "stopped");
    Ok(())
}

/// In the next boot it is known how old the last good run is.
fn over_a_boot(machine: &mut Machine) -> Result<()> {
    machine.ok("systemctl --no-block reboot")?;
    machine.wait_boot()?;
    let answers = "fieldwarden status --json | grep -q '\"good_at_least\":false'";
    machine.wait_until("the age of a run", answers, 3 * SOON)?;
    for name in ["dump", "restore-test", "copy"] {
        let job = job(machine, name)?;
        let known = job["good_at_least"] == false && job["good_seconds"].as_f64().is_some();
        ensure!(known && job["verdict"] == "ok", "{name}: {job}");
    }
    Ok(())
}

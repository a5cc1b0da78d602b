//! Programs that speak `sd_notify` as Debian ships them, under the shipped daemon and its pool.

use anyhow::{Context, Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::daemon::{SOON, configure, service, start, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "notify-by-daemons",
    "redis and mosquitto of Debian, unchanged, and helpers in shell: ready, their own words, main \
     processes, what strangers say",
    by_daemons,
)
.with(Modules::Devices)];

/// What mosquitto reads. Without `user` it wants a user whom the guest does not have.
const BROKER: &str = "user root\nlistener 1883 127.0.0.1\nallow_anonymous true\n";

/// A service whose first process names another one as the main one and ends.
const FORKER: &str = "sleep 987 & fieldwarden notify --pid=$! --ready; exit 0";

/// A heartbeat from a loop, by systemd's own helper.
const LOOP: &str = "systemd-notify --ready --status=looping; \
                    while :; do systemd-notify WATCHDOG=1; sleep 1; done";

fn services() -> String {
    let shell = |script: &str| format!("[\"/bin/sh\", \"-c\", \"{script}\"]");
    [
        "[watchdog]\ntimeout = \"8s\"\n".to_owned(),
        "[service.redis]\nready = \"notify\"\ncommand = [\"/usr/bin/redis-server\", \
         \"--supervised\", \"systemd\", \"--save\", \"\", \"--dir\", \"/run\"]\n"
            .to_owned(),
        "[service.mosquitto]\nready = \"notify\"\nafter = [\"redis\"]\n\
         command = [\"/usr/sbin/mosquitto\", \"-c\", \"/srv/mosquitto.conf\"]\n"
            .to_owned(),
        format!(
            "[service.forker]\nready = \"notify\"\ncommand = {}\n",
            shell(FORKER)
        ),
        format!(
            "[service.looping]\nready = \"notify\"\nheartbeat = \"5s\"\ncommand = {}\n",
            shell(LOOP)
        ),
    ]
    .concat()
}

fn by_daemons(machine: &mut Machine) -> Result<()> {
    machine.put_bytes(BROKER.as_bytes(), "/srv/mosquitto.conf", 0o644)?;
    configure(machine, &services())?;
    start(machine)?;
    // It says so itself, in its own words, and it is true.
    let redis = service(machine, "redis")?;
    ensure!(
        redis["status_text"] == "Ready to accept connections",
        "{redis}"
    );
    ensure!(machine.ok("redis-cli ping")?.trim() == "PONG");
    machine.ok("grep -q ':075B ' /proc/net/tcp")?;
    // It ends because a client asks it to, and is started again.
    machine.ok("redis-cli shutdown nosave || true")?;
    wait_event(machine, "service-exited", "\"service\":\"redis\"")?;
    machine.wait_until("redis is back", "redis-cli ping | grep -q PONG", SOON)?;
    // A broker that is told to end says that it does.
    let pid = service(machine, "mosquitto")?["pid"].clone();
    machine.ok(&format!("kill {pid}"))?;
    wait_event(machine, "service-ending", "\"service\":\"mosquitto\"")?;
    wait_event(machine, "service-up", "\"service\":\"mosquitto\"")?;
    main_process_moves(machine)?;
    strangers(machine)?;
    let looping = service(machine, "looping")?;
    ensure!(looping["run"] == 1 && looping["state"] == "up", "{looping}");
    Ok(())
}

/// The process that was named is the main one: for the status, for the next daemon, at its end.
fn main_process_moves(machine: &Machine) -> Result<()> {
    let comm = |pid: &serde_json::Value| machine.ok(&format!("cat /proc/{pid}/comm"));
    let forker = service(machine, "forker")?;
    ensure!(comm(&forker["pid"])?.trim() == "sleep", "{forker}");
    machine.ok("kill -9 $(systemctl show -P MainPID fieldwarden)")?;
    let adopted = "fieldwarden status --json | grep -q '\"name\":\"forker\"[^}]*\"adopted\":true'";
    machine.wait_until("it is taken over", adopted, SOON)?;
    let after = service(machine, "forker")?;
    ensure!(after["pid"] == forker["pid"], "{forker} became {after}");
    let pid = after["pid"].as_u64().context("no pid")?;
    machine.ok(&format!("kill -9 {pid}"))?;
    wait_event(machine, "service-exited", "\"service\":\"forker\"")?;
    let again = "fieldwarden status --json | grep -q '\"name\":\"forker\",\"state\":\"up\"'";
    machine.wait_until("it is up again", again, SOON)?;
    let left = machine.ok("pgrep -cxf 'sleep 987'")?;
    ensure!(left.trim() == "1", "{left} of it are left");
    Ok(())
}

/// Somebody who is root and no part of the service is not believed.
fn strangers(machine: &Machine) -> Result<()> {
    let socket = "/run/fieldwarden/service/redis/notify";
    let run = service(machine, "redis")?["run"].clone();
    // It waits for an answer, so that it can be asked who it is.
    machine.ok(&format!(
        "NOTIFY_SOCKET={socket} fieldwarden notify --trigger"
    ))?;
    wait_event(machine, "service-refused", "\"why\":\"stranger\"")?;
    let redis = service(machine, "redis")?;
    ensure!(redis["run"] == run && redis["state"] == "up", "{redis}");
    Ok(())
}

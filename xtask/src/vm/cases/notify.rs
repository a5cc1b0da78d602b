//! Programs that speak `sd_notify` as Debian ships them, under the shipped daemon and its pool.

use anyhow::{Context, Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::daemon::{SOON, configure, service, start, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "notify-by-daemons",
    "redis, mosquitto and dbus-daemon of Debian, unchanged, and helpers in shell: ready, reloads, their \
     own words, main processes, what strangers say",
    by_daemons,
)
.with(Modules::Devices)];

/// What mosquitto reads. Without `user` it wants a user whom the guest does not have.
const BROKER: &str = "user root\nlistener 1883 127.0.0.1\nallow_anonymous true\n";

/// What a bus of its own reads, beside that of the guest.
const BUS: &str = "<busconfig><type>session</type><listen>unix:path=/run/bus</listen>\
    <policy context='default'><allow send_destination='*'/><allow own='*'/></policy></busconfig>\n";

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
        "[service.bus]\nready = \"notify\"\ncommand = [\"/usr/bin/dbus-daemon\", \"--nofork\", \
         \"--nopidfile\", \"--config-file=/srv/bus.conf\"]\n"
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
    machine.put_bytes(BUS.as_bytes(), "/srv/bus.conf", 0o644)?;
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
    // It ends because a client asks it to, says so, and is started again; so is a broker that ends.
    machine.ok("redis-cli shutdown nosave || true")?;
    wait_event(machine, "service-ending", "\"service\":\"redis\"")?;
    wait_event(machine, "service-exited", "\"service\":\"redis\"")?;
    machine.wait_until("redis is back", "redis-cli ping | grep -q PONG", SOON)?;
    ends_and_is_back(machine, "mosquitto")?;
    reloads(machine)?;
    main_process_moves(machine)?;
    strangers(machine)?;
    let looping = service(machine, "looping")?;
    ensure!(looping["run"] == 1 && looping["state"] == "up", "{looping}");
    Ok(())
}

/// It is told to end by somebody else than us, and is started again.
fn ends_and_is_back(machine: &Machine, name: &str) -> Result<()> {
    let pid = service(machine, name)?["pid"].clone();
    machine.ok(&format!("kill {pid}"))?;
    wait_event(
        machine,
        "service-exited",
        &format!("\"service\":\"{name}\""),
    )?;
    let again =
        format!("fieldwarden status --json | grep -q '\"name\":\"{name}\",\"state\":\"up\"'");
    machine.wait_until(&format!("{name} is back"), &again, SOON)
}

/// The bus says that it reads its configuration again, that it has, and that it ends.
fn reloads(machine: &Machine) -> Result<()> {
    let pid = service(machine, "bus")?["pid"].clone();
    machine.ok(&format!("kill -HUP {pid}"))?;
    wait_event(machine, "service-reloading", "\"service\":\"bus\"")?;
    wait_event(machine, "service-reloaded", "\"service\":\"bus\"")?;
    let bus = service(machine, "bus")?;
    ensure!(bus["pid"] == pid && bus["state"] == "up", "{bus}");
    ends_and_is_back(machine, "bus")?;
    wait_event(machine, "service-ending", "\"service\":\"bus\"")
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

//! What services need of the machine, with the kernel's own tables and links.

use anyhow::{Result, ensure};

use super::super::case::Case;
use super::super::machine::Machine;
use super::daemon::{SOON, service, status, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "needs-network",
    "a service waits for a default route, is stopped when its link loses its carrier, and the machine \
     is none the worse for it",
    network,
)];

/// A link of the kernel's that goes nowhere, and a way out over it.
const LINK: &str = "modprobe dummy && busybox ip link add dummy0 type dummy && busybox ip link set dummy0 up && \
    busybox ip addr add 192.0.2.1/24 dev dummy0";
const ROUTE: &str = "busybox ip route add default via 192.0.2.254 dev dummy0";

const CONFIG: &str = "[watchdog]\ntimeout = \"8s\"\n[vitals]\nevery = \"5s\"\n\
    [service.mirror]\ncommand = [\"/bin/sleep\", \"inf\"]\nneeds = [\"network\"]\n\
    stop_without = [\"network\"]\n\
    [service.report]\ncommand = [\"/bin/sleep\", \"inf\"]\nneeds = [\"network\"]\n\
    [service.steady]\ncommand = [\"/bin/sleep\", \"inf\"]\n";

/// A service is in this state.
fn wait_for(machine: &Machine, name: &str, state: &str) -> Result<()> {
    let stands =
        format!("fieldwarden status --json | grep -q '\"name\":\"{name}\",\"state\":\"{state}\"'");
    machine.wait_until(&format!("{name} to be {state}"), &stands, SOON)
}

fn network(machine: &mut Machine) -> Result<()> {
    let at = "/etc/fieldwarden/fieldwarden.toml";
    machine.put_bytes(CONFIG.as_bytes(), at, 0o644)?;
    let started = machine.sh_within("systemctl start fieldwarden", 3 * SOON)?;
    ensure!(started.code == 0, "start: {}", started.stdout);
    wait_event(machine, "network-down", "")?;
    wait_for(machine, "steady", "up")?;
    ensure!(service(machine, "mirror")?["lacks_because"] == "down");
    ensure!(status(machine)?["machine"]["network"] == "down");
    // A dead network is not ill health.
    ensure!(status(machine)?["verdicts"]["services"] != "critical");
    let why = machine.ok("fieldwarden why mirror")?;
    ensure!(
        why.contains("no default route over a link that is up"),
        "{why}"
    );

    // Neighbours are no way out.
    machine.ok(LINK)?;
    machine.ok("sleep 7")?;
    ensure!(service(machine, "mirror")?["state"] == "down");
    machine.ok(ROUTE)?;
    wait_for(machine, "mirror", "up")?;
    wait_for(machine, "report", "up")?;
    let report = service(machine, "report")?["pid"].clone();
    let steady = service(machine, "steady")?["pid"].clone();

    // The kernel keeps the route of a link that has lost its carrier.
    machine.ok("echo 0 > /sys/class/net/dummy0/carrier")?;
    machine.ok("busybox ip route | grep -q ^default")?;
    wait_for(machine, "mirror", "down")?;
    let told = machine.ok("fieldwarden events")?;
    ensure!(
        told.contains("mirror is stopped until the network is up"),
        "{told}"
    );
    machine.ok("echo 1 > /sys/class/net/dummy0/carrier")?;
    wait_for(machine, "mirror", "up")?;
    for (name, pid) in [("report", report), ("steady", steady)] {
        ensure!(
            service(machine, name)?["pid"] == pid,
            "{name} was restarted"
        );
    }
    Ok(())
}

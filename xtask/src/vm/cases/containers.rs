//! Containers of Docker's engine and of Podman under the shipped daemon: kept up, left alone, taken
//! over and stopped in order.

// The cases wait for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::case::{Case, Modules};
use super::super::disk::Disk;
use super::super::machine::Machine;
use super::daemon::{all_up, configure, main_pid, service, wait_event, wait_successor};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "containers-are-kept",
    "containers of Docker and of Podman, of an image made here: taken over, restarted when they crash, \
     left alone when somebody stops them, started again when Docker's engine was restarted, \
     untouched by the death of the daemon, and stopped in order by a halt",
    are_kept,
)
// Its profiles would have to be loaded by a program that is not installed.
.on_command_line("apparmor=0")
.on_disk(Disk::Plain)
.with(Modules::Engines)
.for_long()];

/// An engine, and what it keeps.
struct Kept {
    service: &'static str,
    socket: &'static str,
    name: &'static str,
}

const DOCKER: Kept = Kept {
    service: "doc",
    socket: "/run/docker.sock",
    name: "lab-doc",
};

const PODMAN: Kept = Kept {
    service: "pod",
    socket: "/run/podman/podman.sock",
    name: "pod",
};

const SERVICES: &str = r#"
[watchdog]
timeout = "8s"
[service.doc]
kind = "container"
container = "lab-doc"
[service.pod]
kind = "container"
engine = "podman"
after = ["doc"]
"#;

/// Without networks, and without file systems that the kernel has no modules for here.
const ENGINES: &str = "
mkdir -p /srv/image/bin /srv/order /run/podman
cp /usr/local/bin/busybox /srv/image/bin/
ln -s busybox /srv/image/bin/sh; ln -s busybox /srv/image/bin/sleep; ln -s busybox /srv/image/bin/cat
tar -C /srv/image -cf /srv/image.tar .
cat > /run/systemd/system/lab-docker.service <<EOF
[Service]
Type=notify
Delegate=yes
KillMode=process
ExecStart=/usr/sbin/dockerd --storage-driver=vfs --bridge=none --iptables=false --ip6tables=false
EOF
systemctl daemon-reload; systemctl start --no-block lab-docker
systemd-run --quiet --unit=lab-podman -p Delegate=yes -E STORAGE_DRIVER=vfs \
    /usr/bin/podman system service --time=0 unix:///run/podman/podman.sock
";

/// Time for an engine to begin, on a busy host.
const BEGIN: Duration = Duration::from_secs(90);

impl Kept {
    /// Asks its engine something; `rest`: what of the container, and the file with the body.
    fn ask(&self, machine: &Machine, method: &str, rest: &str) -> Result<String> {
        let (socket, name) = (self.socket, self.name);
        machine.ok(&format!(
            "perl /root/ask-engine.pl {socket} {method} \"/containers/{name}{rest}\""
        ))
    }

    fn make(&self, machine: &Machine) -> Result<()> {
        let (socket, name) = (self.socket, self.name);
        machine.wait_until(
            &format!("the engine of {name}"),
            &format!("perl /root/ask-engine.pl {socket} GET /_ping"),
            BEGIN,
        )?;
        machine.ok(&format!(
            "perl /root/ask-engine.pl {socket} POST '/images/create?fromSrc=-&repo=lab' /srv/image.tar"
        ))?;
        let run =
            format!("trap 'echo {name} >> /order/log; exit 0' TERM; while :; do sleep 0.2; done");
        let body = serde_json::json!({
            "Image": "lab", "Cmd": ["/bin/sh", "-c", run],
            "HostConfig": {"NetworkMode": "none", "Binds": ["/srv/order:/order"]},
        });
        let file = format!("/root/{name}.json");
        machine.put_bytes(body.to_string().as_bytes(), &file, 0o644)?;
        machine.ok(&format!(
            "perl /root/ask-engine.pl {socket} POST '/containers/create?name={name}' {file}"
        ))?;
        Ok(())
    }

    /// Its main process, as its engine knows it; 0 while it does not run.
    fn pid(&self, machine: &Machine) -> Result<u64> {
        let said = self.ask(machine, "GET", "/json")?;
        let pid = said
            .split_once("\"Pid\":")
            .map(|(_, rest)| rest.trim_start());
        let digits = pid.unwrap_or_default().split(|c: char| !c.is_ascii_digit());
        Ok(digits.into_iter().next().unwrap_or_default().parse()?)
    }

    fn wait(&self, machine: &Machine, what: &str, rest: &str) -> Result<()> {
        let service = self.service;
        let script = format!(
            "fieldwarden status --json | grep -q '\"name\":\"{service}\",\"state\":{rest}'"
        );
        machine.wait_until(&format!("{service} {what}"), &script, BEGIN)
    }

    fn wait_run(&self, machine: &Machine, run: u32) -> Result<()> {
        let rest = format!("\"up\",[^}}]*\"run\":{run},");
        self.wait(machine, &format!("is in its run {run}"), &rest)
    }
}

fn are_kept(machine: &mut Machine) -> Result<()> {
    let ask = include_bytes!("../../../../tests/vm/guest/ask-engine.pl");
    machine.put_bytes(ask, "/root/ask-engine.pl", 0o755)?;
    machine.ok(ENGINES)?;
    DOCKER.make(machine)?;
    DOCKER.ask(machine, "POST", "/start")?;
    let doc = DOCKER.pid(machine)?;
    // That there is no such container yet is no error of the configuration.
    configure(machine, SERVICES)?;
    machine.ok("systemctl enable --quiet fieldwarden && systemctl start fieldwarden")?;
    PODMAN.make(machine)?;
    PODMAN.wait_run(machine, 1)?;
    let adopted = service(machine, "doc")?;
    ensure!(
        adopted["adopted"] == true && adopted["run"] == 1,
        "{adopted}"
    );
    ensure!(
        adopted["pid"] == doc && DOCKER.pid(machine)? == doc,
        "{adopted}"
    );
    crash(machine)?;
    are_stopped_by_hand(machine)?;
    engine_restarts(machine)?;
    daemon_dies(machine)?;
    go_down_in_order(machine)
}

/// One that dies is started again.
fn crash(machine: &Machine) -> Result<()> {
    for kept in [DOCKER, PODMAN] {
        let pid = kept.pid(machine)?;
        machine.ok(&format!("kill -9 {pid}"))?;
        kept.wait_run(machine, 2)?;
        ensure!(kept.pid(machine)? != pid);
    }
    wait_event(machine, "service-exited", "\"service\":\"doc\".*SIGKILL")
}

/// What somebody stops stays stopped, until somebody starts it: here or there.
fn are_stopped_by_hand(machine: &Machine) -> Result<()> {
    let elsewhere = "\"down\",[^}]*\"why\":\"stopped-elsewhere\"";
    for kept in [DOCKER, PODMAN] {
        kept.ask(machine, "POST", "/stop?t=5")?;
        kept.wait(machine, "is left alone", elsewhere)?;
    }
    sleep(Duration::from_secs(3));
    ensure!(DOCKER.pid(machine)? == 0 && PODMAN.pid(machine)? == 0);
    machine.ok("fieldwarden start doc")?;
    PODMAN.ask(machine, "POST", "/start")?;
    for kept in [DOCKER, PODMAN] {
        kept.wait_run(machine, 3)?;
    }
    wait_event(machine, "started-elsewhere", "pod")
}

/// An engine that goes takes its containers along, and nobody wanted that.
fn engine_restarts(machine: &Machine) -> Result<()> {
    let pod = PODMAN.pid(machine)?;
    machine.sh_within("systemctl restart lab-docker", BEGIN)?;
    DOCKER.wait_run(machine, 4)?;
    wait_event(machine, "keeper-silent", "doc")?;
    ensure!(PODMAN.pid(machine)? == pod);
    Ok(())
}

/// No daemon that dies touches a container.
fn daemon_dies(machine: &Machine) -> Result<()> {
    let before = (DOCKER.pid(machine)?, PODMAN.pid(machine)?);
    let old = main_pid(machine)?;
    machine.ok(&format!("kill -9 {old}"))?;
    wait_successor(machine, &old)?;
    all_up(machine)?;
    ensure!((DOCKER.pid(machine)?, PODMAN.pid(machine)?) == before);
    for kept in [DOCKER, PODMAN] {
        let service = service(machine, kept.service)?;
        ensure!(service["adopted"] == true, "{service}");
    }
    Ok(())
}

/// A halt stops them in their order, before systemd is asked.
fn go_down_in_order(machine: &mut Machine) -> Result<()> {
    machine.ok(
        ": > /srv/order/log; systemd-run --quiet --unit=lab-order -p StandardOutput=file:/dev/ttyS0 \
         tail -f /srv/order/log",
    )?;
    let mark = machine.mark();
    machine.ok("fieldwarden halt poweroff")?;
    machine.wait_event("SHUTDOWN", mark, Duration::from_secs(120))?;
    let serial = machine.serial()?;
    let lines = serial.lines().map(str::trim);
    let order: Vec<&str> = lines
        .filter(|line| [DOCKER.name, PODMAN.name].contains(line))
        .collect();
    ensure!(
        order == [PODMAN.name, DOCKER.name],
        "the order was {order:?}"
    );
    Ok(())
}

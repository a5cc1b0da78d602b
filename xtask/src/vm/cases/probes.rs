//! Probes of services as Debian ships them, under the shipped daemon and its pool.

// The case waits for a real machine in real time.
#![allow(clippy::disallowed_methods)]

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::case::{Case, Modules};
use super::super::machine::Machine;
use super::daemon::{SOON, configure, service, start, wait_event};

/// The cases of this module.
pub const CASES: &[Case] = &[Case::daemon(
    "probes-of-daemons",
    "nginx and redis of Debian, probed by http, tcp and exec: one that hangs is restarted, readiness \
     goes and comes, a probe that hangs is killed and does not pile up, the next daemon goes on",
    of_daemons,
)
.with(Modules::Devices)];

/// All that it writes goes to /run; whether it can be used is whether a file is there.
const NGINX: &str = "user root; pid /run/nginx.pid; error_log stderr;\n\
    events { worker_connections 64; }\n\
    http { access_log off;\n\
    client_body_temp_path /run/ngx1; proxy_temp_path /run/ngx2; fastcgi_temp_path /run/ngx3;\n\
    uwsgi_temp_path /run/ngx4; scgi_temp_path /run/ngx5;\n\
    server { listen 127.0.0.1:8080; root /run/www; location /alive { return 200; } } }\n";

/// A host that is busy may let seconds pass before anything is answered.
const SERVICES: &str = r#"
[watchdog]
timeout = "8s"
[service.nginx]
command = ["/usr/sbin/nginx", "-c", "/srv/nginx.conf", "-g", "daemon off;"]
stop_timeout = "5s"
[service.nginx.probe.startup]
tcp = "127.0.0.1:8080"
interval = "1s"
failure_threshold = 60
[service.nginx.probe.readiness]
http = "http://127.0.0.1:8080/ready"
interval = "1s"
timeout = "3s"
failure_threshold = 2
[service.nginx.probe.liveness]
http = "http://127.0.0.1:8080/alive"
interval = "2s"
timeout = "3s"
[service.redis]
command = ["/usr/bin/redis-server", "--save", "", "--dir", "/run"]
stop_timeout = "5s"
[service.redis.probe.startup]
tcp = "127.0.0.1:6379"
interval = "1s"
failure_threshold = 60
[service.redis.probe.readiness]
tcp = "127.0.0.1:6379"
interval = "1s"
[service.redis.probe.liveness]
exec = ["/usr/bin/redis-cli", "ping"]
interval = "1s"
timeout = "5s"
[service.page]
command = ["/bin/sleep", "infinity"]
requires = ["nginx"]
[service.page.probe.liveness]
file = "/run/www/touched"
max_age = "10m"
[service.stuck]
command = ["/bin/sleep", "infinity"]
autostart = false
[service.stuck.probe.readiness]
exec = ["/bin/sh", "-c", "setsid sleep 4321 & sleep 4321"]
interval = "1s"
failure_threshold = 2
"#;

fn of_daemons(machine: &mut Machine) -> Result<()> {
    machine.put_bytes(NGINX.as_bytes(), "/srv/nginx.conf", 0o644)?;
    machine.ok("mkdir -p /run/www && touch /run/www/ready /run/www/touched")?;
    configure(machine, SERVICES)?;
    start(machine)?;
    let answers = "busybox wget -q -O /dev/null http://127.0.0.1:8080/alive";
    machine.ok(answers)?;
    comes_and_goes(machine)?;
    hangs(machine, answers)?;
    does_not_pile_up(machine)?;
    next_daemon_goes_on(machine)?;
    // A program that probes hangs because what it asks does.
    let pid = service(machine, "redis")?["pid"].clone();
    machine.ok(&format!("kill -STOP {pid}"))?;
    failed(machine, "liveness", "redis")?;
    machine.wait_until(
        "redis is back",
        "timeout 5 redis-cli ping | grep -q PONG",
        SOON,
    )?;
    let page = service(machine, "page")?;
    // What required one that was restarted went with it, once; and for readiness nothing did.
    ensure!(page["run"] == 2 && page["state"] == "up", "{page}");
    Ok(())
}

fn readiness(machine: &Machine, word: &str) -> Result<()> {
    let script = format!(
        "fieldwarden status --json | grep -q '\"name\":\"nginx\",\"state\":\"up\"[^}}]*\"readiness\":\"{word}\"'"
    );
    machine.wait_until(&format!("nginx is {word}"), &script, SOON)
}

fn failed(machine: &Machine, probe: &str, name: &str) -> Result<()> {
    let about = format!(
        "\"probe\":\"{probe}\".*\"service\":\"{name}\"\\|\"service\":\"{name}\".*\"probe\":\"{probe}\""
    );
    wait_event(machine, "probe-failed", &about)
}

/// It cannot be used, and can again: it is told, and nobody is stopped for it.
fn comes_and_goes(machine: &Machine) -> Result<()> {
    machine.ok("rm /run/www/ready")?;
    readiness(machine, "lost")?;
    failed(machine, "readiness", "nginx")?;
    let said = machine.ok("fieldwarden status")?;
    ensure!(said.contains("not ready: HTTP status 404"), "{said}");
    machine.ok("touch /run/www/ready")?;
    readiness(machine, "ready")?;
    for name in ["nginx", "page"] {
        let service = service(machine, name)?;
        ensure!(service["run"] == 1 && service["state"] == "up", "{service}");
    }
    Ok(())
}

/// It is there, takes connections, and answers nothing.
fn hangs(machine: &Machine, answers: &str) -> Result<()> {
    machine.ok("pkill -STOP nginx")?;
    failed(machine, "liveness", "nginx")?;
    let again = format!(
        "fieldwarden status --json | grep -q '\"name\":\"nginx\",\"state\":\"up\",[^}}]*\"run\":2' && {answers}"
    );
    machine.wait_until("nginx answers again", &again, SOON)?;
    readiness(machine, "ready")?;
    let up =
        "fieldwarden status --json | grep -q '\"name\":\"page\",\"state\":\"up\",[^}]*\"run\":2'";
    machine.wait_until("what requires it is up again", up, SOON)
}

/// Processes of the probe that hangs. One is being made and one may be on its way out, two each.
const SLEEPERS: &str = "n=$(pgrep -cxf 'sleep 4321'); [ $n -le 4 ]";

const ZOMBIES: &str = "! grep -qs ') Z ' /proc/[0-9]*/stat";

fn does_not_pile_up(machine: &Machine) -> Result<()> {
    machine.ok("fieldwarden start stuck")?;
    failed(machine, "readiness", "stuck")?;
    for _ in 0..8 {
        machine.ok(SLEEPERS)?;
        sleep(Duration::from_secs(1));
    }
    machine.wait_until("no zombie", ZOMBIES, SOON)?;
    let stuck = service(machine, "stuck")?;
    ensure!(stuck["run"] == 1 && stuck["readiness"] == "lost", "{stuck}");
    Ok(())
}

/// The daemon dies while probes are under way: its successor finds the services as they were, makes
/// probes of its own, and takes away what was left.
fn next_daemon_goes_on(machine: &Machine) -> Result<()> {
    let names = ["nginx", "redis", "page", "stuck"];
    let seen = |machine: &Machine| -> Result<Vec<String>> {
        let each = names.iter().map(|name| {
            let service = service(machine, name)?;
            Ok(format!(
                "{} {} {}",
                service["pid"], service["run"], service["readiness"]
            ))
        });
        each.collect()
    };
    let before = seen(machine)?;
    let redis = service(machine, "redis")?;
    ensure!(redis["run"] == 1 && redis["state"] == "up", "{redis}");
    machine.ok("kill -9 $(systemctl show -P MainPID fieldwarden)")?;
    let adopted = "fieldwarden status --json | grep -q '\"name\":\"stuck\",.*\"readiness\":\"lost\".*\"adopted\":true'";
    machine.wait_until("the next daemon", adopted, SOON)?;
    let after = seen(machine)?;
    ensure!(before == after, "{before:?} became {after:?}");
    machine.wait_until("what was left is gone", SLEEPERS, SOON)?;
    machine.ok("rm /run/www/ready")?;
    readiness(machine, "lost")?;
    machine.ok("touch /run/www/ready")?;
    readiness(machine, "ready")?;
    machine.ok("fieldwarden stop stuck")?;
    let gone = "! pgrep -xf 'sleep 4321'";
    machine.wait_until("its probe goes with it", gone, SOON)?;
    machine.wait_until("no zombie", ZOMBIES, SOON)?;
    let now = seen(machine)?;
    ensure!(now[..3] == before[..3], "{before:?} became {now:?}");
    Ok(())
}

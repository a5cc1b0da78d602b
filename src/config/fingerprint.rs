//! The fingerprint of how a service is run: by it a daemon finds out whether a run that it takes over
//! was begun as the configuration says now.
//!
//! It is of what only a new process can take up: program, environment, rights, sandbox, and what it was
//! told of its notify socket. What the daemon alone goes by is no part of it, nor are the limits of the
//! control group: both are in force at once.
//!
//! Invariant: it stays the same from build to build. So what is left out in the configuration is no
//! part of it either, and a key that a later version adds changes no fingerprint until it is used.

use super::{Bounds, Command, Output, Resource, Rights, Sandbox};
use crate::core::settings::{Ready, Service};
use std::fmt;
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt;

/// The fingerprint of how a service is run. Two services with the same one are run alike, but for one
/// chance in 2^64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(NonZeroU64);

impl Fingerprint {
    /// That of a service as it is configured.
    pub fn of(service: &Service, command: &Command) -> Fingerprint {
        // Every field by its name, so that nobody adds one without a thought for this.
        let Command {
            argv,
            environment,
            directory,
            output,
            stop_signal: _,
            rights,
            bounds,
            sandbox,
            fd_store: _,
            log_file: _,
            share: _,
            probes: _,
        } = command;
        let mut ink = Ink::new();
        ink.list("command", argv);
        for (name, value) in environment {
            ink.field("environment", name);
            ink.field("=", value);
        }
        ink.field("directory", directory.as_os_str().as_bytes());
        ink.field("output", output_word(*output));
        rights_of(rights, &mut ink);
        bounds_of(bounds, &mut ink);
        if let Some(sandbox) = sandbox {
            sandbox_of(sandbox, &mut ink);
        }
        match service.ready {
            Ready::Newline { descriptor } => ink.number("newline", u64::from(descriptor)),
            Ready::Exec | Ready::Notify => {}
        }
        ink.flag("notify", command.listens(service));
        if let Some(heartbeat) = service.heartbeat {
            // It is told to the process.
            ink.field("heartbeat", heartbeat.as_millis().to_string());
        }
        Fingerprint::of_number(ink.0)
    }

    /// That of a service and of what ends it: how long it takes to stop hangs on both.
    pub fn of_stop(service: &Service, command: &Command) -> Fingerprint {
        let mut ink = Ink::new();
        ink.number("run", Fingerprint::of(service, command).0.get());
        ink.field("stop_signal", format!("{:?}", command.stop_signal));
        // Who keeps it, and under which name there. If a later version has other words for it, what was
        // learned is learned anew.
        ink.field("keeper", format!("{:?}", service.keeper));
        Fingerprint::of_number(ink.0)
    }

    /// There is one that stands for two numbers, so that none takes room in a record.
    fn of_number(number: u64) -> Fingerprint {
        Fingerprint(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }

    /// Any one. For tests.
    #[cfg(test)]
    pub fn any(number: u64) -> Fingerprint {
        Fingerprint::of_number(number)
    }

    /// The one that is written so, if it is one.
    pub fn read(text: &str) -> Option<Fingerprint> {
        let plain = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok()?;
        plain.then(|| Fingerprint::of_number(number))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn rights_of(rights: &Rights, ink: &mut Ink) {
    let Rights {
        user,
        group,
        groups,
        capabilities,
        no_new_privileges,
        umask,
    } = rights;
    ink.list("user", user);
    ink.list("group", group);
    if let Some(groups) = groups {
        // None at all is something else than those of the user.
        ink.list("groups", groups);
        ink.flag("groups", true);
    }
    if let Some(capabilities) = capabilities {
        ink.number("capabilities", capabilities.0);
    }
    ink.flag("no_new_privileges", *no_new_privileges);
    ink.number("umask", u64::from(*umask));
}

fn bounds_of(bounds: &Bounds, ink: &mut Ink) {
    let Bounds {
        nice,
        oom_score,
        limits,
    } = bounds;
    if let Some(nice) = nice {
        ink.field("nice", nice.to_string());
    }
    if *oom_score != 0 {
        ink.field("oom_score", oom_score.to_string());
    }
    for (resource, limit) in limits {
        let limit = limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
        ink.field(resource_word(*resource), limit);
    }
}

fn sandbox_of(sandbox: &Sandbox, ink: &mut Ink) {
    let Sandbox {
        private_tmp,
        read_only,
        writable,
        private_network,
        secrets,
    } = sandbox;
    if let Some(room) = private_tmp {
        ink.number("private_tmp", *room);
    }
    ink.list(
        "read_only",
        read_only.iter().map(|p| p.as_os_str().as_bytes()),
    );
    ink.list(
        "writable",
        writable.iter().map(|p| p.as_os_str().as_bytes()),
    );
    ink.flag("private_network", *private_network);
    for (name, source) in secrets {
        ink.field("secret", name);
        ink.field("=", source.as_os_str().as_bytes());
    }
}

fn output_word(output: Output) -> &'static str {
    match output {
        Output::Log => "log",
        Output::Null => "null",
        Output::Inherit => "inherit",
    }
}

fn resource_word(resource: Resource) -> &'static str {
    match resource {
        Resource::OpenFiles => "nofile",
        Resource::Processes => "nproc",
        Resource::CoreSize => "core",
        Resource::LockedMemory => "memlock",
        Resource::Stack => "stack",
        Resource::FileSize => "fsize",
        Resource::AddressSpace => "as",
    }
}

/// What is taken in so far (FNV-1a). Not against those who look for two alike: whoever may write the
/// configuration may restart services anyway.
struct Ink(u64);

impl Ink {
    fn new() -> Ink {
        Ink(0xCBF2_9CE4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// A name and a value. Neither can hold a zero byte, so no two lists of fields read alike.
    fn field(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.bytes(name.as_bytes());
        self.bytes(&[0]);
        self.bytes(value.as_ref());
        self.bytes(&[0]);
    }

    fn list(&mut self, name: &str, values: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        for value in values {
            self.field(name, value);
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        self.field(name, number.to_string());
    }

    fn flag(&mut self, name: &str, set: bool) {
        if set {
            self.field(name, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use std::collections::BTreeSet;

    fn fingerprint(keys: &str) -> Fingerprint {
        by(keys, Fingerprint::of)
    }

    fn by(keys: &str, of: impl Fn(&Service, &Command) -> Fingerprint) -> Fingerprint {
        let command = match keys.contains("command") {
            true => "",
            false => "command = [\"/bin/web\"]\n",
        };
        let text = format!("[service.web]\n{command}{keys}\n");
        let config = parse("test", &text).unwrap().config;
        let service = config.settings.services.first().unwrap();
        of(service, config.wiring.commands.first().unwrap())
    }

    /// Another signal that ends a service may take it longer, and another unit is another program; how
    /// it is run is the same.
    #[test]
    fn what_ends_it_counts_for_its_stop() {
        let quick = "stop_signal = \"QUIT\"";
        let slow = "stop_signal = \"INT\"";
        assert_eq!(fingerprint(quick), fingerprint(slow));
        let stop = |keys| by(keys, Fingerprint::of_stop);
        assert_ne!(stop(quick), stop(slow));
        assert_eq!(stop(quick), stop(quick));
        assert_ne!(stop(quick), fingerprint(quick));
    }

    /// A later version that gives another number here restarts every service once for nothing.
    #[test]
    fn stays_the_same_from_build_to_build() {
        assert_eq!(fingerprint("").to_string(), "7a8b5a62fe06140a");
        let all = "command = [\"/bin/web\", \"--port\", \"80\"]\nuser = \"www\"\nnice = 5\n\
                   environment = { A = \"1\" }\nready = \"notify\"\nheartbeat = \"30s\"\n\
                   limits = { nofile = 1000 }\nprivate_network = true\nread_only = [\"/\"]";
        assert_eq!(fingerprint(all).to_string(), "302c511c599b00f4");
    }

    /// What only a new process can take up makes another one, each key of its own.
    #[test]
    fn tells_what_needs_a_new_process() {
        let keys = [
            "",
            "command = [\"/bin/web\", \"x\"]",
            "command = [\"/bin/web\", \"x\", \"y\"]",
            "command = [\"/bin/web\", \"xy\"]",
            "environment = { A = \"1\" }",
            "environment = { A = \"2\" }",
            "directory = \"/srv\"",
            "output = \"null\"",
            "user = \"www\"",
            "group = \"www\"",
            "groups = []",
            "groups = [\"www\"]",
            "capabilities = []",
            "capabilities = [\"net_bind_service\"]",
            "no_new_privileges = true",
            "umask = \"077\"",
            "nice = 5",
            "oom_score = 5",
            "limits = { nofile = 10 }",
            "limits = { nproc = 10 }",
            "private_tmp = \"1MiB\"",
            "private_network = true",
            "read_only = [\"/\"]",
            "secrets = { a = \"/etc/a\" }",
            "ready = \"notify\"",
            "ready = \"fd:3\"",
            "heartbeat = \"30s\"",
            "heartbeat = \"31s\"",
        ];
        let all: BTreeSet<String> = keys.iter().map(|k| fingerprint(k).to_string()).collect();
        assert_eq!(all.len(), keys.len());
    }

    /// What the daemon alone goes by makes none, and neither does what is in force at once.
    #[test]
    fn tells_nothing_else() {
        for keys in [
            "restart = \"never\"",
            "stop_signal = \"INT\"",
            "stop_timeout = \"1s\"",
            "start_timeout = \"1s\"",
            "class = \"essential\"",
            "autostart = false",
            "memory_max = \"64MiB\"",
            "cpu_quota = \"50%\"",
            "needs = [\"clock\"]",
            "backoff = { first = \"5s\" }",
            "[service.web.probe.liveness]\ntcp = \"127.0.0.1:80\"",
        ] {
            assert_eq!(fingerprint(keys), fingerprint(""), "{keys}");
        }
    }

    /// It is read as it is written, and nothing else is one.
    #[test]
    fn survives_a_round_trip() {
        let one = fingerprint("");
        assert_eq!(Fingerprint::read(&one.to_string()), Some(one));
        for bad in [
            "",
            "1",
            "+123456789abcdef",
            "0123456789abcdefa",
            "0123456789abcdeg",
        ] {
            assert_eq!(Fingerprint::read(bad), None, "{bad}");
        }
    }
}

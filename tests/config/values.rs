//! What the file says is what the core and the edges get.

use super::{bad, good};
use fieldwarden::config::board::Line;
use fieldwarden::config::capability::{self, Capabilities};
use fieldwarden::config::{
    Amount, Bounds, CgroupChoice, Config, LedPlan, Listen, Output, Pids, Resource, Rights,
    SOCKET_EXTRA, Sandbox, Share, StopSignal,
};
use fieldwarden::core::fact::{Controller, ServiceId};
use fieldwarden::core::settings::{
    Backoff, Escalate, Heat, Hindrance, Job, Limits, Need, Ready, Restart, Schedule, Strategy,
    WatchdogOwner, When,
};
use fieldwarden::edge::places::Places;
use fieldwarden::units::{MilliCelsius, Permille};
use std::path::Path;
use std::time::Duration;

#[test]
fn an_empty_file_has_the_documented_defaults() {
    let Config {
        settings,
        wiring,
        source,
    } = good("").config;
    assert_eq!((&*source.text(), source.name()), ("", "test.toml"));
    assert!(settings.services.is_empty() && settings.mounts.is_empty());
    assert_eq!(settings.watchdog.owner, WatchdogOwner::Fieldwarden);
    assert_eq!(settings.watchdog.timeout, Duration::from_secs(15));
    assert!(!settings.watchdog.disarm_on_stop);
    assert_eq!(
        settings.temperature,
        Heat {
            warn: MilliCelsius(75_000),
            hot: MilliCelsius(80_000),
            critical: MilliCelsius(85_000),
            settle: Duration::from_secs(60),
        }
    );
    assert_eq!(
        settings.memory,
        Limits {
            warn: Permille(100),
            critical: Permille(50)
        }
    );
    assert_eq!(
        settings.load,
        Limits {
            warn: 400,
            critical: 1000
        }
    );
    assert_eq!(
        settings.space,
        Limits {
            warn: Permille(150),
            critical: Permille(50)
        }
    );
    assert_eq!(
        settings.inodes,
        Limits {
            warn: Permille(150),
            critical: Permille(50)
        }
    );
    assert_eq!(settings.stop_budget, Duration::from_secs(80));
    assert_eq!(settings.clock_tolerance, Duration::from_secs(30));
    assert_eq!(wiring.board.name, "none");
    assert!(!wiring.board.simulated);
    assert_eq!(wiring.runtime_dir, Path::new("/run/fieldwarden"));
    assert_eq!(wiring.state_dir, Path::new("/var/lib/fieldwarden"));
    assert_eq!(wiring.cgroup, CgroupChoice::Auto);
    assert_eq!(wiring.watchdog_device, Path::new("/dev/watchdog0"));
    assert_eq!(wiring.vitals_every, Duration::from_secs(15));
    assert_eq!(wiring.rtc_every, Some(Duration::from_secs(60)));
    assert!(!wiring.rtc_chip);
    assert_eq!(wiring.disk_every, Duration::from_secs(60));
    assert_eq!(wiring.mounts, None);
    assert!(wiring.commands.is_empty());
}

#[test]
fn a_job_has_the_documented_defaults() {
    let job = |keys: &str| {
        let text = format!("[service.dump]\nkind = \"job\"\ncommand = [\"/bin/true\"]\n{keys}");
        good(&text).config.settings.services[0].clone()
    };
    let plain = job("every = \"1h\"");
    // A run that failed waits for its next time.
    assert_eq!((plain.ready, plain.restart), (Ready::Exec, Restart::Never));
    let made = plain.job.map(|job| *job);
    let expected = Job {
        schedule: Schedule::Every(Duration::from_secs(3600)),
        jitter: Duration::ZERO,
        timeout: Duration::from_secs(3600),
        exclusive: None,
        not_while: Vec::new(),
        fresh_within: None,
    };
    assert_eq!(made, Some(expected));
    let every = |text: &str| {
        job(&format!("every = \"{text}\""))
            .job
            .map(|job| job.schedule)
    };
    let week = Some(Schedule::Every(Duration::from_secs(7 * 86_400)));
    assert_eq!((every("7d"), every("1w")), (week.clone(), week.clone()));
    assert_eq!(every("6d 23h 60m"), week);

    let all = job(
        "calendar = \"mon,thu 03:30\"\nzone = \"CET-1CEST,M3.5.0,M10.5.0/3\"\nany_clock = true\n\
                   exclusive = \"heavy\"\nnot_while = [\"memory-low\", \"battery\"]\nrestart = \"on-failure\"",
    );
    assert_eq!(all.restart, Restart::OnFailure);
    let all = all.job.unwrap();
    let Schedule::Calendar {
        calendar,
        any_clock,
    } = &all.schedule
    else {
        panic!("{:?}", all.schedule);
    };
    assert_eq!((&*calendar.text, any_clock), ("mon,thu 03:30", &true));
    assert_eq!(Some(calendar.when), When::parse("mon,thu 03:30"));
    assert_eq!(all.exclusive.as_deref(), Some("heavy"));
    let hindrances = [Hindrance::MemoryLow, Hindrance::Battery];
    assert_eq!(all.not_while, hindrances);
}

#[test]
fn a_service_has_the_documented_defaults() {
    let config = good("[service.web]\ncommand = [\"/bin/true\"]\n").config;
    let service = &config.settings.services[0];
    assert_eq!(&*service.name, "web");
    assert!(service.autostart && service.after.is_empty());
    assert_eq!(
        (service.ready, service.restart),
        (Ready::Exec, Restart::Always)
    );
    assert!(service.success_on.is_empty() && service.no_restart_on.is_empty());
    assert_eq!(*service, fieldwarden::core::settings::Service::named("web"));
    assert_eq!(service.start_timeout, Duration::from_secs(90));
    assert_eq!(service.heartbeat, None);
    assert_eq!(service.stop_timeout, Duration::from_secs(10));
    assert_eq!(
        service.backoff,
        Backoff {
            immediate: 3,
            first: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            stable: Duration::from_secs(600),
            restarts: 8,
            window: Duration::from_secs(600),
            cooldown: Duration::from_secs(600),
        }
    );
    let command = &config.wiring.commands[0];
    assert_eq!(command.argv, ["/bin/true"]);
    assert!(command.environment.is_empty());
    assert_eq!(command.directory, Path::new("/"));
    assert_eq!(
        (command.output, command.stop_signal),
        (Output::Log, StopSignal::Term)
    );
    let rights = Rights {
        user: None,
        group: None,
        groups: None,
        capabilities: None,
        no_new_privileges: false,
        umask: 0o022,
    };
    let bounds = Bounds {
        nice: None,
        oom_score: 0,
        limits: vec![],
    };
    assert_eq!((&command.rights, &command.bounds), (&rights, &bounds));
    let share = Share {
        cpu_quota: None,
        cpu_weight: 100,
        memory_high: Amount::Unlimited,
        memory_max: Amount::Share(Permille(750)),
        swap_max: Amount::Unlimited,
        oom_group: true,
        io_weight: 100,
        pids_max: Pids::ByMemory,
        asked: vec![],
    };
    assert_eq!(command.share, share);
    assert!(!command.share.is_own());
}

/// What a service may take; which controllers it asks for, and by which key first.
#[test]
fn every_limit_of_a_service_arrives() {
    let share = |keys: &str| {
        let text = format!("[service.web]\ncommand = [\"/bin/true\"]\n{keys}");
        good(&text).config.wiring.commands.remove(0).share
    };
    let all = share(
        "cpu_quota = \"150%\"\ncpu_weight = 7\nmemory_high = \"1.5MiB\"\nmemory_max = \"12.5%\"\n\
         swap_max = \"0B\"\noom_group = false\nio_weight = 1000\npids_max = \"unlimited\"\n",
    );
    let wanted = Share {
        cpu_quota: Some(150),
        cpu_weight: 7,
        memory_high: Amount::Bytes(3 << 19),
        memory_max: Amount::Share(Permille(125)),
        swap_max: Amount::Bytes(0),
        oom_group: false,
        io_weight: 1000,
        pids_max: Pids::Unlimited,
        asked: vec![
            (Controller::Cpu, "cpu_quota"),
            (Controller::Memory, "memory_max"),
            (Controller::Pids, "pids_max"),
            (Controller::Io, "io_weight"),
        ],
    };
    assert_eq!(all, wanted);
    assert!(all.is_own());
    for (keys, own) in [
        ("cpu_weight = 7\nio_weight = 7\noom_group = true\n", false),
        ("pids_max = 512\n", true),
        ("memory_high = \"50%\"\n", true),
        ("cpu_quota = \"50%\"\n", true),
    ] {
        assert_eq!(share(keys).is_own(), own, "{keys}");
    }
}

/// Who a service is and what it may do; the one key whose default depends on another one's value.
#[test]
fn every_right_of_a_service_arrives() {
    let command = |keys: &str| {
        let text = format!("[service.web]\ncommand = [\"/bin/true\"]\n{keys}");
        good(&text).config.wiring.commands.remove(0)
    };
    let all = command(
        "user = \"web\"\ngroup = \"33\"\ngroups = [\"i2c\", \"5\"]\n\
         capabilities = [\"net_bind_service\", \"CAP_CHOWN\", \"Cap_Checkpoint_Restore\"]\n\
         no_new_privileges = false\numask = \"0027\"\nnice = -20\noom_score = -1000\n\
         limits = { nofile = 3, nproc = \"unlimited\", core = \"0B\", memlock = \"64KiB\", \
         stack = \"1.5MiB\", fsize = \"1TiB\", as = \"2G\" }\n",
    );
    let rights = Rights {
        user: Some("web".into()),
        group: Some("33".into()),
        groups: Some(vec!["i2c".into(), "5".into()]),
        capabilities: Some(Capabilities(1 | 1 << 10 | 1 << 40)),
        no_new_privileges: false,
        umask: 0o027,
    };
    assert_eq!(all.rights, rights);
    let bounds = Bounds {
        nice: Some(-20),
        oom_score: -1000,
        limits: vec![
            (Resource::OpenFiles, Some(3)),
            (Resource::Processes, None),
            (Resource::CoreSize, Some(0)),
            (Resource::LockedMemory, Some(64 << 10)),
            (Resource::Stack, Some(3 << 19)),
            (Resource::FileSize, Some(1 << 40)),
            (Resource::AddressSpace, Some(2 << 30)),
        ],
    };
    assert_eq!(all.bounds, bounds);
    for (keys, forbidden) in [
        ("user = \"web\"\n", true),
        ("user = \"web\"\nno_new_privileges = false\n", false),
        ("user = \"root\"\n", false),
        ("user = \"0\"\n", false),
        ("group = \"web\"\n", false),
        ("no_new_privileges = true\n", true),
    ] {
        assert_eq!(command(keys).rights.no_new_privileges, forbidden, "{keys}");
    }
    let none = command("capabilities = []\ngroups = []\n").rights;
    assert_eq!(
        (none.capabilities, none.groups),
        (Some(Capabilities(0)), Some(vec![]))
    );
}

/// What a service sees of the machine; without any of the keys, all of it.
#[test]
fn every_part_of_a_sandbox_arrives() {
    let sandbox = |keys: &str| {
        let text = format!("[service.web]\ncommand = [\"/bin/true\"]\n{keys}");
        good(&text).config.wiring.commands.remove(0).sandbox
    };
    let all = sandbox(
        "private_tmp = \"1.5MiB\"\nread_only = [\"/\", \"/var/lib/web/static\"]\n\
         writable = [\"/var/lib/web\"]\nprivate_network = true\n\
         secrets = { token = \"/etc/web/token\", \"web.key-1_\" = \"/tmp/key\" }\n",
    );
    let secrets = [("token", "/etc/web/token"), ("web.key-1_", "/tmp/key")];
    let secrets = secrets.map(|(name, source)| (name.to_owned(), source.into()));
    let wanted = Sandbox {
        private_tmp: Some(3 << 19),
        read_only: vec!["/".into(), "/var/lib/web/static".into()],
        writable: vec!["/var/lib/web".into()],
        private_network: true,
        secrets: secrets.into(),
    };
    assert_eq!(all.as_deref(), Some(&wanted));
    for nothing in [
        "",
        "private_tmp = \"none\"\nprivate_network = false\n",
        "read_only = []\nwritable = []\nsecrets = {}\n",
    ] {
        assert_eq!(sandbox(nothing), None, "{nothing}");
    }
    // What is in a /tmp of its own is hidden only from who has one.
    assert!(sandbox("directory = \"/tmp\"\nread_only = [\"/tmp/x\"]\n").is_some());
    let hidden = bad(
        "runtime_dir = \"/tmp/r\"\n[service.web]\ncommand = [\"/bin/true\"]\nprivate_tmp = \"1MiB\"\n",
    );
    let what: Vec<&str> = hidden.iter().map(|problem| problem.what()).collect();
    let wanted = "the runtime_dir /tmp/r of web is hidden by its `private_tmp`";
    assert_eq!(what, [wanted]);
}

/// The names have the numbers of the kernel.
#[test]
fn capabilities_have_the_numbers_of_the_kernel() {
    use rustix::thread::CapabilitySet;
    for (number, name) in capability::NAMES.into_iter().enumerate() {
        let known = CapabilitySet::from_name(&name.to_ascii_uppercase());
        assert_eq!(known.map(|set| set.bits()), Some(1 << number), "{name}");
    }
}

#[test]
fn every_value_arrives() {
    let text = r#"
        version = 1
        board = "sim"
        runtime_dir = "/r"
        state_dir = "/s"
        cgroup = "/sys/fs/cgroup/x"
        watchdog = { owner = "systemd", device = "/d", timeout = "1m 30s", disarm_on_stop = true }
        stop.budget = "9m 59s"
        [vitals]
        every = "1500ms"
        temperature = { warn = "-12.5C", critical = "0.1 °C" }
        memory = { warn = "2.5%", critical = "0%" }
        load = { warn = "1%", critical = "100000%" }
        [clock]
        rtc = "none"
        tolerance = "2s"
        [storage]
        every = "1h"
        mounts = ["/a", "/b c"]
        space = { critical = "14.9%" }
        inodes = { warn = "100%" }
    "#;
    let Config {
        settings, wiring, ..
    } = good(text).config;
    assert_eq!(settings.watchdog.owner, WatchdogOwner::Systemd);
    assert_eq!(settings.watchdog.timeout, Duration::from_secs(90));
    assert!(settings.watchdog.disarm_on_stop);
    assert_eq!(settings.stop_budget, Duration::from_secs(599));
    assert_eq!(settings.clock_tolerance, Duration::from_secs(2));
    assert_eq!(wiring.rtc_every, None);
    assert_eq!(
        settings.temperature,
        Heat {
            warn: MilliCelsius(-12_500),
            hot: MilliCelsius(-6_200),
            critical: MilliCelsius(100),
            settle: Duration::from_secs(60),
        }
    );
    assert_eq!(
        settings.memory,
        Limits {
            warn: Permille(25),
            critical: Permille(0)
        }
    );
    assert_eq!(
        settings.load,
        Limits {
            warn: 1,
            critical: 100_000
        }
    );
    assert_eq!(
        settings.space,
        Limits {
            warn: Permille(150),
            critical: Permille(149)
        }
    );
    assert_eq!(
        settings.inodes,
        Limits {
            warn: Permille(1000),
            critical: Permille(50)
        }
    );
    assert_eq!(settings.mounts, ["/a".into(), "/b c".into()]);
    assert!(wiring.board.simulated);
    assert_eq!(
        (wiring.runtime_dir, wiring.state_dir),
        ("/r".into(), "/s".into())
    );
    assert_eq!(wiring.cgroup, CgroupChoice::At("/sys/fs/cgroup/x".into()));
    assert_eq!(wiring.watchdog_device, Path::new("/d"));
    assert_eq!(wiring.vitals_every, Duration::from_millis(1500));
    assert_eq!(wiring.disk_every, Duration::from_secs(3600));
    assert_eq!(wiring.mounts, Some(vec!["/a".into(), "/b c".into()]));
}

#[test]
fn every_value_of_a_service_arrives() {
    let text = r#"
        [service.z]
        command = ["/bin/z", "", "a b", "ü"]
        autostart = false
        after = ["b.2", "a"]
        ready = "notify"
        start_timeout = "1s"
        heartbeat = "100ms"
        stop_signal = "SIGUSR2"
        stop_timeout = "0s"
        restart = "on-failure"
        backoff.immediate = 0
        backoff.first = "100ms"
        backoff.cap = "100ms"
        backoff.stable = "1s"
        backoff.restarts = 1_0
        backoff.window = "2s"
        backoff.cooldown = "24h"
        environment = { _A1 = "x y", B = "" }
        directory = "/srv"
        output = "inherit"
        [service.a]
        command = ["/bin/a"]
        stop_signal = "HUP"
        restart = "never"
        output = "null"
        [group.x]
        members = ["a", "b.2"]
        strategy = "rest-for-one"
        restarts = 7
        window = "1h"
        escalate = "group"
        [service."b.2"]
        command = ["/bin/b"]
        restart = "on-abnormal"
        success_on = [143, 0x03]
        requires = ["a"]
        wants = ["z"]
        needs = ["mains", "clock"]
        stop_without = ["clock"]
        no_restart_on = [0, 255]
    "#;
    let Config {
        settings, wiring, ..
    } = good(text).config;
    let names: Vec<&str> = settings.services.iter().map(|s| &*s.name).collect();
    assert_eq!(names, ["a", "b.2", "z"]);
    let z = &settings.services[2];
    assert!(!z.autostart);
    assert_eq!(z.after, [ServiceId(1), ServiceId(0)]);
    assert_eq!((z.ready, z.restart), (Ready::Notify, Restart::OnFailure));
    assert_eq!(z.start_timeout, Duration::from_secs(1));
    assert_eq!(z.heartbeat, Some(Duration::from_millis(100)));
    assert_eq!(z.stop_timeout, Duration::ZERO);
    assert_eq!((z.backoff.immediate, z.backoff.restarts), (0, 10));
    assert_eq!(z.backoff.first, z.backoff.cap);
    assert_eq!(z.backoff.stable, Duration::from_secs(1));
    assert_eq!(z.backoff.window, Duration::from_secs(2));
    assert_eq!(z.backoff.cooldown, Duration::from_secs(86_400));
    assert_eq!(settings.services[0].restart, Restart::Never);
    let [x] = &settings.groups[..] else {
        panic!("{:?}", settings.groups);
    };
    assert_eq!((&*x.name, x.strategy), ("x", Strategy::RestForOne));
    assert_eq!(x.members, [ServiceId(0), ServiceId(1)]);
    assert_eq!((x.restarts, x.window), (7, Duration::from_secs(3600)));
    assert_eq!(x.escalate, Escalate::Group);
    let b = &settings.services[1];
    assert_eq!(b.restart, Restart::OnAbnormal);
    assert_eq!(
        (&b.after, &b.requires),
        (&vec![ServiceId(0)], &vec![ServiceId(0)])
    );
    assert_eq!(b.wants, [ServiceId(2)]);
    assert_eq!(b.needs, [Need::Mains, Need::Clock]);
    assert_eq!(b.stop_without, [Need::Clock]);
    assert_eq!(
        (&*b.success_on, &*b.no_restart_on),
        (&[143, 3][..], &[0, 255][..])
    );
    let command = &wiring.commands[2];
    assert_eq!(command.argv, ["/bin/z", "", "a b", "ü"]);
    assert_eq!(command.environment["_A1"], "x y");
    assert_eq!(command.environment["B"], "");
    assert_eq!(command.directory, Path::new("/srv"));
    assert_eq!(
        (command.output, command.stop_signal.number()),
        (Output::Inherit, 12)
    );
    let a = &wiring.commands[0];
    assert_eq!((a.output, a.stop_signal), (Output::Null, StopSignal::Hup));
}

#[test]
fn stop_signals_have_the_numbers_of_the_kernel() {
    for (signal, number) in [
        (StopSignal::Term, libc::SIGTERM),
        (StopSignal::Int, libc::SIGINT),
        (StopSignal::Quit, libc::SIGQUIT),
        (StopSignal::Hup, libc::SIGHUP),
        (StopSignal::Usr1, libc::SIGUSR1),
        (StopSignal::Usr2, libc::SIGUSR2),
    ] {
        assert_eq!(signal.number(), number, "{signal:?}");
    }
}

#[test]
fn the_longest_socket_that_passes_can_be_bound() {
    // What the kernel takes, without the NUL.
    const SUN_PATH: usize = 107;
    let name = "n".repeat(64);
    let text = |dir: &str| {
        format!("runtime_dir = \"{dir}\"\n[service.{name}]\ncommand = [\"/bin/true\"]\n")
    };
    let longest = format!("/{}", "d".repeat(SUN_PATH - SOCKET_EXTRA - 64 - 1));
    let config = good(&text(&longest)).config;
    let places = Places::new(&config.wiring.runtime_dir);
    assert_eq!(places.notify(&name).as_os_str().len(), SUN_PATH);
    assert!(places.control().as_os_str().len() <= SUN_PATH);
    bad(&text(&format!("{longest}d")));
}

#[test]
fn line_ends_and_byte_order_marks_of_other_systems_are_accepted() {
    let config = good("\u{feff}board = \"sim\"\r\n[stop]\r\nbudget = \"1s\"\r\n").config;
    assert!(config.wiring.board.simulated);
    let found = bad("[stop]\r\nbudget = 1\r\n").to_string();
    assert!(
        found.contains("  2 | budget = 1\n    |          ^\n"),
        "{found}"
    );
}

/// The status LED: none unless one is named, that of the configuration before that of the board, and
/// none if it is switched off.
#[test]
fn the_led_is_the_one_that_is_named() {
    let led = |text: &str| good(text).config;
    assert_eq!(led("").wiring.led, None);
    assert_eq!(led("").settings.led, None);
    assert_eq!(led("[led]\nname = \"none\"\n").wiring.led, None);
    let act = led("[led]\nname = \"ACT\"\n");
    let name = "ACT".to_owned();
    assert_eq!(act.wiring.led, Some(LedPlan::Class { name }));
    assert_eq!(act.settings.led.as_deref(), Some("ACT"));
    let off = led("[led]\nname = \"ACT\"\nenabled = false\n");
    assert_eq!((off.wiring.led, off.settings.led), (None, None));
    let pin = led("[led]\nline = 17\nactive_low = true\n");
    let line = Line {
        gpio: None,
        line: 17,
    };
    let active_low = true;
    assert_eq!(pin.wiring.led, Some(LedPlan::Line { line, active_low }));
    assert_eq!(pin.settings.led.as_deref(), Some("line 17"));
    let other = led("[led]\nline = 3\ngpio = \"expander\"\n");
    assert_eq!(other.settings.led.as_deref(), Some("line 3 of expander"));
}

/// Without a word of it there is no health endpoint; with one word it is there, for this machine alone.
#[test]
fn the_health_endpoint_is_off_and_local() {
    let health = |text: &str| good(text).config.wiring.health;
    assert_eq!(health(""), None);
    assert_eq!(
        health("[health]\nenabled = false\nlisten = [\"systemd\"]"),
        None
    );
    let local = health("[health]\nenabled = true").unwrap();
    let address = "127.0.0.1:17171".parse().unwrap();
    assert_eq!(local.listen, [Listen::Inet(address)]);
    assert_eq!(local.token_file, None);
    let far = health(
        "[health]\nenabled = true\nlisten = [\"0.0.0.0:80\", \"unix:/run/x\", \"systemd\"]\n\
         token_file = \"/etc/token\"",
    );
    let far = far.unwrap();
    assert_eq!(far.listen.len(), 3);
    assert_eq!(far.token_file.as_deref(), Some(Path::new("/etc/token")));
}

//! Starts that go wrong.

use super::rig::{Rig, kill, sleeper};
use nix::sys::signal::Signal;
use std::fs;

/// Daemon after daemon breaks off: the fourth within a minute starts without what they left about
/// services, except the processes that live, and says so. One that ends in good order ends the count.
#[test]
fn a_daemon_that_keeps_breaking_off_starts_safely() {
    let mut rig = Rig::new(&(sleeper("runs", "") + &sleeper("stopped", "")));
    rig.start();
    let runs = rig.up("runs");
    rig.up("stopped");
    rig.ask_about("stop", Some("stopped")).unwrap();
    rig.until("it is stopped", |rig| {
        rig.service("stopped").state == "down"
    });
    for round in 0..3 {
        assert_eq!(rig.status().daemon.safe_after, None, "round {round}");
        assert_eq!(rig.service("stopped").state, "down", "round {round}");
        rig.signal(Signal::SIGKILL);
        rig.wait();
        rig.start();
    }
    rig.up("stopped");
    assert_eq!(rig.up("runs"), runs);
    let status = rig.status();
    assert_eq!(status.daemon.safe_after, Some(3));
    assert_eq!(status.verdicts.daemon, "warn");
    rig.until("it is recorded", |rig| {
        !rig.journaled("safe-start").is_empty()
    });
    rig.signal(Signal::SIGQUIT);
    assert!(rig.wait().success());
    rig.start();
    assert_eq!(rig.status().daemon.safe_after, None);
    assert_eq!(rig.up("runs"), runs);
}

/// A safe start leaves drop-ins out: what they configure and runs goes on and is known by its name, and
/// what has ended is started once they are read again.
#[test]
fn a_safe_start_leaves_drop_ins_out() {
    let mut rig = Rig::new(&sleeper("main", ""));
    std::fs::create_dir(rig.path("conf.d")).unwrap();
    let drop_in = |name: &str, text: &str| {
        std::fs::write(rig.path("conf.d").join(name), text).unwrap();
    };
    drop_in("10-more.toml", &sleeper("more", ""));
    drop_in("20-other.toml", &sleeper("other", ""));
    rig.start();
    let (main, more, other) = (rig.up("main"), rig.up("more"), rig.up("other"));
    for _ in 0..3 {
        rig.signal(Signal::SIGKILL);
        rig.wait();
        rig.start();
    }
    assert_eq!(rig.status().daemon.safe_after, Some(3));
    assert!(rig.log().contains("drop-ins in conf.d are left out"));
    assert_eq!((rig.up("main"), rig.up("more")), (main, more));
    kill(other);
    rig.until("its end is seen", |rig| {
        rig.service("other").state == "down"
    });
    rig.signal(Signal::SIGQUIT);
    assert!(rig.wait().success());
    rig.start();
    assert_eq!((rig.up("main"), rig.up("more")), (main, more));
    assert_ne!(rig.up("other"), other);
    assert_eq!(rig.status().daemon.safe_after, None);
}

/// What drop-ins say something of is not run without that: it goes on, and when it ends it is not
/// started by what the file alone says of it. The others are.
#[test]
fn a_safe_start_starts_nothing_that_drop_ins_change() {
    let services = sleeper("web", "") + &sleeper("cloud", "") + &sleeper("other", "");
    let mut rig = Rig::new(&services);
    fs::create_dir(rig.path("conf.d")).unwrap();
    let text = "[service.web]\nenvironment = { A = \"1\" }\n[service]\ncloud.autostart = false\n";
    fs::write(rig.path("conf.d/more.toml"), text).unwrap();
    rig.start();
    let (web, other) = (rig.up("web"), rig.up("other"));
    break_off(&mut rig);
    assert_eq!(rig.status().daemon.safe_after, Some(3));
    assert_eq!((rig.up("web"), rig.up("other")), (web, other));
    assert_eq!(rig.service("cloud").state, "down");
    kill(web);
    kill(other);
    rig.until("the other one is started anew", |rig| {
        let pid = rig.service("other").pid;
        pid.is_some_and(|pid| pid != other)
    });
    rig.until("its end is seen", |rig| rig.service("web").state == "down");
    assert!(
        rig.log()
            .contains("not started, as drop-ins mention them: cloud, web")
    );
    let other = rig.up("other");
    rig.signal(Signal::SIGQUIT);
    assert!(rig.wait().success());
    rig.start();
    assert_ne!(rig.up("web"), web);
    assert_eq!(rig.up("other"), other);
    assert_eq!(rig.service("cloud").state, "down");
}

/// What drop-ins say of the machine holds in a safe start; a service that the file names and only
/// a drop-in has costs none of the others; and one that cannot be read any more, but was in force,
/// neither.
#[test]
fn a_safe_start_loses_no_more_than_it_must() {
    let services = sleeper("web", "after = [\"more\"]") + &sleeper("other", "");
    let mut rig = Rig::new(&services);
    fs::create_dir(rig.path("conf.d")).unwrap();
    let state = rig.path("elsewhere");
    let text = format!(
        "state_dir = \"{}\"\n[watchdog]\nowner = \"nobody\"\n",
        state.display()
    );
    fs::write(rig.path("conf.d/1.toml"), text + &sleeper("more", "")).unwrap();
    fs::write(
        rig.path("conf.d/2.toml"),
        "[service.\"oth\\u0065r\"]\nnice = 1\n",
    )
    .unwrap();
    rig.start();
    let (web, more, other) = (rig.up("web"), rig.up("more"), rig.up("other"));
    rig.until("there is a copy", |rig| {
        rig.path("run/configuration").exists()
    });
    // Nothing that could be read, and it was in force when it could be.
    fs::write(rig.path("conf.d/2.toml"), [0xFF]).unwrap();
    break_off(&mut rig);
    let status = rig.status();
    assert_eq!(status.daemon.safe_after, Some(3));
    assert!(
        status.daemon.stand_in.is_none(),
        "{:?}",
        status.daemon.stand_in
    );
    assert_eq!(status.watchdog.owner, "nobody");
    assert!(state.join("journal").exists() && !rig.path("state").exists());
    assert_eq!(
        (rig.up("web"), rig.up("more"), rig.up("other")),
        (web, more, other)
    );
    let names = "not started, as drop-ins mention them: more, other\n";
    assert!(rig.log().contains(names), "{}", rig.log());
    kill(web);
    rig.until("it is started anew", |rig| rig.service("web").run == 2);
    rig.up("web");
    // The last one before the machine is left to its watchdog reads drop-ins in the copy alone.
    for _ in 0..2 {
        rig.signal(Signal::SIGKILL);
        rig.wait();
        rig.start();
    }
    let status = rig.status();
    assert_eq!(status.daemon.safe_after, Some(5));
    assert_eq!(status.watchdog.owner, "nobody");
    assert!(!rig.path("state").exists());
}

/// Three daemons break off, one after another.
fn break_off(rig: &mut Rig) {
    for _ in 0..3 {
        rig.signal(Signal::SIGKILL);
        rig.wait();
        rig.start();
    }
}

/// Where starts are counted is found whatever way the runtime directory is written, and in a drop-in:
/// the safe start stays in it, and takes over what runs there.
#[test]
fn a_safe_start_stays_where_it_is() {
    for (main, drop_in) in [
        ("runtime_dir = 'RUN'", "[service]\n"),
        ("\"runtime_dir\" = \"RUN\"", "[service]\n"),
        ("runtime_dir = \"ELSEWHERE\"", "runtime_dir = 'RUN'\n"),
    ] {
        let mut rig = Rig::new("");
        let elsewhere = name_directories(&rig, main, drop_in);
        fs::write(rig.path("conf.d/2.toml"), sleeper("more", "")).unwrap();
        rig.start();
        let (web, more) = (rig.up("web"), rig.up("more"));
        break_off(&mut rig);
        assert_eq!(rig.status().daemon.safe_after, Some(3), "{main}");
        assert!(
            rig.log().contains("drop-ins in conf.d are left out"),
            "{main}"
        );
        assert_eq!((rig.up("web"), rig.up("more")), (web, more), "{main}");
        assert!(!elsewhere.join("starts").exists(), "{main}");
        rig.signal(Signal::SIGTERM);
        assert!(rig.wait().success());
    }
}

/// Starts that are counted in another directory than the daemon's are taken back there: daemons that
/// all ended in good order are no reason for a safe start.
#[test]
fn starts_in_good_order_count_nowhere() {
    let mut rig = Rig::new("");
    let drop_in = "\"runtime\\u005fdir\" = \"RUN\"\n";
    let elsewhere = name_directories(&rig, "runtime_dir = \"ELSEWHERE\"", drop_in);
    fs::write(rig.path("conf.d/2.toml"), sleeper("more", "")).unwrap();
    rig.start();
    let (web, more) = (rig.up("web"), rig.up("more"));
    for round in 0..4 {
        assert!(!elsewhere.join("starts").exists(), "round {round}");
        rig.signal(Signal::SIGQUIT);
        assert!(rig.wait().success());
        rig.start();
        assert_eq!(
            (rig.up("web"), rig.up("more")),
            (web, more),
            "round {round}"
        );
        assert_eq!(rig.status().daemon.safe_after, None);
    }
}

/// A configuration with a service `web`, whose file and drop-in name its directory so; returns another
/// directory than the rig's.
fn name_directories(rig: &Rig, main: &str, drop_in: &str) -> std::path::PathBuf {
    let elsewhere = rig.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(rig.path("conf.d")).unwrap();
    let filled = |text: &str| {
        let text = text.replace("RUN", rig.path("run").to_str().unwrap());
        text.replace("ELSEWHERE", elsewhere.to_str().unwrap())
    };
    let state = rig.path("state").display().to_string();
    let head = format!("board = \"sim\"\nstate_dir = \"{state}\"\ncgroup = \"none\"\n");
    let main = format!("{head}{}\n{}", filled(main), sleeper("web", ""));
    fs::write(rig.path("fieldwarden.toml"), main).unwrap();
    fs::write(rig.path("conf.d/1.toml"), filled(drop_in)).unwrap();
    elsewhere
}

/// A drop-in changes one value of a service, and a reload takes it up; the trace can be replayed as if
/// all of it had been one file.
#[test]
fn drop_ins_are_taken_up_and_replayed() {
    let mut rig = Rig::new(&(sleeper("web", "") + &sleeper("other", "")));
    rig.start();
    let (web, other) = (rig.up("web"), rig.up("other"));
    std::fs::create_dir(rig.path("conf.d")).unwrap();
    let text = "[service.web]\nenvironment = { A = \"1\" }\n[vitals]\nevery = \"20s\"\n";
    std::fs::write(rig.path("conf.d/web.toml"), text).unwrap();
    let told = rig.reloads();
    assert!(told.contains("web: started anew, up"), "{told}");
    assert_eq!(rig.up("other"), other);
    assert_ne!(rig.up("web"), web);
    std::fs::write(rig.path("conf.d/web.toml"), "[service.web]\ncolour = 1\n").unwrap();
    rig.signal(Signal::SIGHUP);
    rig.until("it is refused", |rig| {
        rig.log().contains("conf.d/web.toml:2:1: unknown key")
    });
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    let replayed = std::process::Command::new(env!("CARGO_BIN_EXE_fieldwarden"))
        .args(["replay".into(), rig.path("run/trace")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&replayed.stderr).into_owned();
    assert!(replayed.status.success(), "{said}");
    assert!(said.contains(" 0 differences"), "{said}");
}

/// A control group that is none does not leave the machine without a guard: services run without a
/// pool, and that is told.
#[test]
fn a_wrong_control_group_is_done_without() {
    let mut rig = Rig::new(&sleeper("runs", ""));
    let file = rig.path("fieldwarden.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"none\"", "\"/nonexistent/group\"")).unwrap();
    rig.start();
    rig.up("runs");
    assert_eq!(rig.status().verdicts.daemon, "warn");
    assert!(rig.log().contains("services run without a pool"));
}

/// A daemon that was told nothing of a network listens with Unix sockets only, whether a service has a
/// probe over the network of this machine or not.
#[test]
fn nothing_listens_on_the_network() {
    let probe = "probe.liveness = { tcp = \"127.0.0.1:9\", failure_threshold = 1000 }\n";
    let mut rig = Rig::new(&sleeper("runs", probe));
    rig.start();
    rig.up("runs");
    let pid = rig.status().pid;
    let text = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = descriptors.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    let sockets: Vec<String> = links
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    assert!(!sockets.is_empty(), "its control socket at least");
    // The state of a socket that listens is 0A; one of a datagram that has no peer is 07.
    for table in [
        "net/tcp", "net/tcp6", "net/udp", "net/udp6", "net/raw", "net/raw6",
    ] {
        for line in text(table).lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let open = matches!(fields.get(3), Some(&"0A" | &"07"));
            let ours = fields
                .get(9)
                .is_some_and(|inode| sockets.iter().any(|s| s == inode));
            assert!(!(open && ours), "{table}: {line}");
        }
    }
}

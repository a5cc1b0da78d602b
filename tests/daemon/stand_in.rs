//! A daemon whose configuration cannot be used: a copy stands in for it, or safe mode.

use super::rig::{Rig, alive, kill, shell, sleeper};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

/// A mistake that spares what says where everything is.
const BROKEN: &str = "[service.web]\ncomand = [\"/bin/sleep\", \"1000\"]\n";

impl Rig {
    /// The copy of this boot is taken for the one that outlived a boot, as after a minute and a reboot.
    fn reboot_with_copy(&self) {
        self.has_copy();
        fs::rename(
            self.path("run/configuration"),
            self.path("state/configuration"),
        )
        .unwrap();
        fs::remove_dir_all(self.path("run")).unwrap();
    }

    fn has_copy(&self) {
        self.until("there is a copy", |rig| {
            rig.path("run/configuration").exists() && rig.path("state").is_dir()
        });
    }

    /// What the daemon goes by, and the verdict for it.
    fn goes_by(&self) -> (Option<String>, String) {
        let status = self.status();
        let stand_in = status.daemon.stand_in.map(|by| by.goes_by);
        (stand_in, status.verdicts.daemon)
    }

    /// `fieldwarden check`: its exit code, and what it says.
    fn check(&self) -> (i32, String) {
        let file = self.path("fieldwarden.toml");
        let output = Command::new(env!("CARGO_BIN_EXE_fieldwarden"))
            .arg("check")
            .arg(file)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(said).unwrap(),
        )
    }

    /// Ends the daemon, and leaves its services running.
    fn leave(&mut self) {
        self.signal(Signal::SIGQUIT);
        assert!(self.wait().success());
    }
}

/// The daemon is killed while its configuration is broken: the next one goes by the copy of this boot,
/// takes over what runs, keeps it running, and says so wherever somebody may look. Once it is mended, a
/// reload takes it up.
#[test]
fn a_copy_of_this_boot_stands_in() {
    let mut rig = Rig::new(&(sleeper("web", "") + &sleeper("other", "")));
    rig.start();
    let (web, other) = (rig.up("web"), rig.up("other"));
    assert_eq!(rig.goes_by(), (None, "ok".to_owned()));
    rig.has_copy();
    rig.signal(Signal::SIGKILL);
    rig.wait();
    rig.configure(BROKEN);
    let socket = rig.path("init");
    let init = UnixDatagram::bind(&socket).unwrap();
    init.set_nonblocking(true).unwrap();
    let log = fs::File::create(rig.path("log")).unwrap();
    rig.start_by_init(&socket, log.into());
    assert_eq!((rig.up("web"), rig.up("other")), (web, other));
    assert_eq!((rig.service("web").run, rig.service("other").run), (1, 1));
    assert_eq!(rig.goes_by(), (Some("copy".to_owned()), "warn".to_owned()));
    let status = rig.status();
    let problem = "fieldwarden.toml:6: unknown key `comand` in [service.web]";
    let stand_in = status.daemon.stand_in.unwrap();
    assert!(stand_in.problem.ends_with(problem), "{stand_in:?}");
    let wanted = format!("a copy of {} stands in", stand_in.taken.unwrap());
    assert!(status.headline.contains(&wanted), "{}", status.headline);
    rig.until("it is recorded", |rig| {
        rig.journaled("configuration-unusable").len() == 1
    });
    assert!(
        rig.log().contains("did you mean `command`?"),
        "{}",
        rig.log()
    );
    rig.until("init is told", |_| {
        let mut message = [0; 4096];
        let length = init.recv(&mut message).unwrap_or(0);
        let message = String::from_utf8_lossy(&message[..length]).into_owned();
        message.contains("services up; its configuration is a copy of 20")
    });
    let (code, said) = rig.check();
    assert!(
        code == 78 && said.contains("goes by") && said.contains("a copy of 20"),
        "{said}"
    );
    rig.configure(&sleeper("web", ""));
    let (code, said) = rig.check();
    let wanted = "the daemon that runs goes by a copy of 20";
    assert!(
        code == 0 && said.contains(wanted) && said.contains("comand"),
        "{said}"
    );
    rig.reloads();
    assert_eq!(rig.goes_by(), (None, "ok".to_owned()));
    assert_eq!((rig.up("web"), rig.service("web").run), (web, 1));
    assert!(!rig.check().1.contains("a copy of"));
    rig.until("what is configured no more is ended", |_| !alive(other));
}

/// After a boot, with a file that a power cut has emptied, that is gone, or whose board file is broken,
/// services are started by the copy that outlived the boot.
#[test]
fn a_copy_that_outlived_a_boot_stands_in() {
    let mut rig = Rig::new(&sleeper("web", ""));
    rig.start();
    rig.up("web");
    rig.has_copy();
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    rig.reboot_with_copy();
    let mangle: [&dyn Fn(&Path); 2] = [
        &|file| {
            let text = fs::read_to_string(file).unwrap();
            fs::write(file, text.replace("[\"/bin/sleep", "[\"/bin/sl\0")).unwrap();
        },
        &|file| {
            let text = fs::read_to_string(file).unwrap();
            // Torn in the middle of a line behind what says where everything is.
            let end = text.find("command").unwrap() + 3;
            fs::write(file, &text[..end]).unwrap();
        },
    ];
    for mangle in mangle {
        mangle(&rig.path("fieldwarden.toml"));
        rig.start();
        rig.up("web");
        assert_eq!(rig.goes_by(), (Some("copy".to_owned()), "warn".to_owned()));
        rig.signal(Signal::SIGTERM);
        assert!(rig.wait().success());
        assert!(!rig.path("run/configuration").exists(), "a copy of a copy");
    }
    // A copy that is damaged, or of another file, is none.
    let copy = fs::read_to_string(rig.path("state/configuration")).unwrap();
    for damaged in [
        copy.replace("1000", "1001"),
        copy[..copy.len() - 9].to_owned(),
    ] {
        fs::write(rig.path("state/configuration"), damaged).unwrap();
        rig.start();
        assert_eq!(rig.goes_by().0.as_deref(), Some("safe-mode"));
        rig.signal(Signal::SIGTERM);
        assert!(rig.wait().success());
    }
}

/// Without any copy: what runs goes on and is listened to, nothing is started, and a halt still finds
/// it. The machine does not do what it is there for, and that is what it says.
#[test]
fn safe_mode_leaves_alone_what_runs() {
    let chatty = shell(
        "chatty",
        "",
        "i=0; while :; do i=$((i+1)); echo line $i of a service that has much to say; sleep 0.002; done",
    );
    let services = chatty + &sleeper("web", "");
    let mut rig = Rig::new(&services);
    rig.start();
    let (chatty, web) = (rig.up("chatty"), rig.up("web"));
    rig.has_copy();
    rig.leave();
    fs::remove_file(rig.path("run/configuration")).unwrap();
    rig.configure(BROKEN);
    rig.start();
    let safe_mode = (Some("safe-mode".to_owned()), "critical".to_owned());
    assert_eq!(rig.goes_by(), safe_mode);
    assert!(
        rig.status().headline.contains("in safe mode"),
        "{}",
        rig.status().headline
    );
    assert_eq!((rig.up("chatty"), rig.up("web")), (chatty, web));
    let written = || fs::read_to_string(rig.path("run/service/chatty/log")).unwrap_or_default();
    let newest = || {
        let text = written();
        let line = text.lines().last().unwrap_or_default().to_owned();
        line.split(' ')
            .nth(2)
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let before = newest();
    rig.until("its output is read", |_| newest() > before + 20);
    kill(web);
    rig.until("its end is seen", |rig| rig.service("web").state == "down");
    assert!(alive(chatty));
    // Mended, and taken up: what ran is the same process, what had ended is started.
    rig.configure(&services);
    rig.reloads();
    assert_eq!(rig.goes_by(), (None, "ok".to_owned()));
    assert_ne!(rig.up("web"), web);
    assert_eq!((rig.up("chatty"), rig.service("chatty").run), (chatty, 1));
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    rig.until("all is ended", |_| !alive(chatty));
}

/// A configuration of a later version cannot be judged, and leaves the machine guarded all the same.
#[test]
fn a_newer_configuration_leaves_the_machine_guarded() {
    let mut rig = Rig::new("");
    let text = fs::read_to_string(rig.path("fieldwarden.toml")).unwrap();
    fs::write(rig.path("fieldwarden.toml"), format!("version = 2\n{text}")).unwrap();
    rig.start();
    assert_eq!(rig.goes_by().0.as_deref(), Some("safe-mode"));
    let headline = rig.status().headline;
    assert!(headline.contains("this file is of version 2"), "{headline}");
}

/// What a later version has left is as good as nothing, and is there afterwards for whoever goes back
/// to it; what is started is started anew.
#[test]
fn what_a_later_version_left_is_set_aside() {
    let job = "[service.dump]\nkind = \"job\"\nevery = \"1h\"\ncommand = [\"/bin/true\"]\n";
    let mut rig = Rig::new(&(sleeper("web", "") + job));
    fs::create_dir_all(rig.path("state/jobs")).unwrap();
    fs::create_dir(rig.path("run")).unwrap();
    let left = [
        "state/jobs/dump.job",
        "state/configuration",
        "run/configuration",
        "run/hold",
        "run/marker",
        "run/board",
    ];
    let text = |name: &str| {
        let kind = name.rsplit('/').next().unwrap();
        format!(
            "fieldwarden-{} 2 all else\n",
            kind.trim_start_matches("dump.")
        )
    };
    for name in left {
        fs::write(rig.path(name), text(name)).unwrap();
    }
    rig.start();
    rig.up("web");
    rig.until("the job has run", |rig| {
        rig.path("state/jobs/dump.job").exists()
    });
    for name in left {
        let aside = fs::read_to_string(rig.path(&format!("{name}.v2"))).unwrap_or_default();
        assert_eq!(aside, text(name), "{name}");
        let told = format!("{name}: it is of version 2");
        assert!(rig.log().contains(&told), "{}", rig.log());
    }
    assert_eq!(rig.goes_by(), (None, "ok".to_owned()));
    let form = fs::read_to_string(rig.path("run/form")).unwrap();
    assert_eq!(form, "fieldwarden-runtime 1\n");
}

/// Daemons in safe mode break off one after another: the next one reads of drop-ins what they say
/// of the machine itself, and the last that tries does not even look at that.
#[test]
fn safe_mode_after_daemons_that_broke_off_leaves_drop_ins_out() {
    let mut rig = Rig::new(BROKEN);
    fs::create_dir(rig.path("conf.d")).unwrap();
    let elsewhere = rig.path("elsewhere");
    let text = format!("state_dir = \"{}\"\n", elsewhere.display());
    let text = text + "[watchdog]\nowner = \"nobody\"\n" + &sleeper("more", "");
    fs::write(rig.path("conf.d/state.toml"), text).unwrap();
    rig.start();
    for round in 0..5 {
        rig.until("it has a state", |_| elsewhere.join("journal").exists());
        assert!(!rig.path("state").exists(), "round {round}");
        assert_eq!(rig.status().watchdog.owner, "nobody", "round {round}");
        rig.signal(Signal::SIGKILL);
        rig.wait();
        rig.start();
        assert_eq!(rig.goes_by().0.as_deref(), Some("safe-mode"));
        assert_eq!(
            rig.status().daemon.safe_after,
            (round >= 2).then_some(round + 1)
        );
    }
    rig.until("it is recorded in the state of the file", |rig| {
        !rig.journaled("safe-start").is_empty()
    });
    assert_eq!(rig.status().watchdog.owner, "fieldwarden");
}

/// In safe mode a stop in order ends what runs.
#[test]
fn safe_mode_ends_in_order() {
    let mut rig = Rig::new(&sleeper("web", ""));
    rig.start();
    let web = rig.up("web");
    rig.has_copy();
    rig.leave();
    fs::remove_file(rig.path("run/configuration")).unwrap();
    rig.configure(BROKEN);
    rig.start();
    assert_eq!(rig.up("web"), web);
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    assert!(!alive(web));
}

/// Somebody at a terminal is told at once, and nothing is started.
#[test]
fn somebody_at_a_terminal_is_told() {
    let rig = Rig::new(BROKEN);
    let terminal = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR).unwrap();
    rustix::pty::grantpt(&terminal).unwrap();
    rustix::pty::unlockpt(&terminal).unwrap();
    let name = rustix::pty::ptsname(&terminal, Vec::new()).unwrap();
    let side = || {
        fs::File::options()
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap()
    };
    let mut daemon = rig.command().stderr(Stdio::from(side())).spawn().unwrap();
    assert_eq!(daemon.wait().unwrap().code(), Some(78));
    assert!(!rig.path("run").exists());
}

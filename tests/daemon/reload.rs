//! The configuration is read anew by a successor in the same process.

use super::rig::{Rig, alive, kill, python, shell, sleeper};
use nix::sys::signal::Signal;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

impl Rig {
    /// `fieldwarden reload` for this rig.
    pub fn reload(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_fieldwarden"))
            .arg("--runtime-dir")
            .arg(self.path("run"))
            .arg("reload")
            .output()
            .unwrap()
    }

    /// What `fieldwarden reload --dry-run` says.
    pub fn plans(&self) -> String {
        let output = self.reload_dry();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn reload_dry(&self) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_fieldwarden"))
            .arg("--runtime-dir")
            .arg(self.path("run"))
            .args(["reload", "--dry-run"])
            .output();
        output.unwrap()
    }

    /// What `fieldwarden config show --running` says.
    fn shows(&self) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_fieldwarden"))
            .arg("--runtime-dir")
            .arg(self.path("run"))
            .args(["config", "show", "--running"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn reloads(&self) -> String {
        let output = self.reload();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}\n{}", self.log());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// What is configured as it was runs on, what has changed is started anew, what is new is started and
/// what is gone is ended: all in the same process, and told in plain words.
#[test]
fn only_what_has_changed_restarts() {
    let mut rig = Rig::new(&(sleeper("same", "") + &sleeper("other", "") + &sleeper("gone", "")));
    rig.start();
    let (same, other, gone) = (rig.up("same"), rig.up("other"), rig.up("gone"));
    let daemon = rig.status().pid;
    rig.configure(
        &(sleeper("same", "stop_timeout = \"3s\"")
            + &sleeper("other", "environment = { A = \"1\" }")
            + &sleeper("new", "")),
    );
    let planned = rig.plans();
    for line in [
        "gone: not configured any more, would be ended\n",
        "new: new, would be started\n",
        "other: would be started anew, for environment\n",
        "same: runs on, with another stop_timeout\n",
        "0 services would stay as they are\n",
    ] {
        assert!(planned.contains(line), "{line}: {planned}");
    }
    assert_eq!((rig.up("other"), rig.up("gone")), (other, gone));
    let told = rig.reloads();
    for line in [
        "new: new, up\n",
        "other: started anew, up\n",
        "gone: not configured any more, ended\n",
        "reloaded; 1 service is as it was\n",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(rig.status().pid, daemon);
    assert_eq!((rig.up("same"), rig.service("same").run), (same, 1));
    assert!(rig.up("other") != other && rig.service("other").run == 2);
    rig.until("it was ended", |_| !alive(gone));
    // The processes are still its children: it sees how they end.
    kill(same);
    rig.until("it is started again", |rig| rig.service("same").run == 2);
    rig.until("that is seen", |rig| {
        let exits = rig.journaled("service-exited");
        exits.iter().any(|e| e.contains("SIGKILL"))
    });
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    assert!(!rig.path("run/control.sock").exists());
}

/// A configuration with mistakes changes nothing, and they are told; so is a program that is not there.
#[test]
fn a_bad_configuration_changes_nothing() {
    let mut rig = Rig::new(&sleeper("web", ""));
    rig.start();
    let web = rig.up("web");
    rig.configure("[service.web]\ncomand = [\"/bin/sleep\", \"1\"]\n");
    let output = rig.reload();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{errors}");
    assert!(
        errors.contains("comand") && errors.contains("fieldwarden.toml:6"),
        "{errors}"
    );
    assert!(errors.contains("nothing was changed"), "{errors}");
    // By signal it is told in the log and in the journal.
    rig.signal(Signal::SIGHUP);
    rig.until("both are told", |rig| {
        rig.journaled("reload-refused").len() == 2
    });
    rig.until("it is logged", |rig| {
        rig.log().contains("not reloaded, and nothing was changed")
    });
    assert_eq!((rig.up("web"), rig.service("web").run), (web, 1));
    assert!(rig.journaled("handing-over").is_empty());
}

/// HUP does the same, as often as it comes, and a TERM right behind it is not lost.
#[test]
fn signals_reload_and_are_not_lost() {
    let mut rig = Rig::new(&sleeper("web", ""));
    rig.start();
    let web = rig.up("web");
    for number in 1..=3 {
        rig.signal(Signal::SIGHUP);
        let begun = |rig: &Rig| rig.journaled("began").len() == number + 1;
        rig.until("a successor has begun", begun);
        rig.until("it answers", |rig| rig.ask("status").is_some());
        assert_eq!((rig.up("web"), rig.service("web").run), (web, 1));
    }
    rig.signal(Signal::SIGHUP);
    rig.until("it is handed over", |rig| {
        rig.journaled("handing-over").len() == 4
    });
    rig.signal(Signal::SIGTERM);
    assert!(rig.wait().success());
    assert!(!alive(web));
}

/// What a service says and leaves while the daemon is replaced is there for its successor: its
/// readiness, and lines of its output.
#[test]
fn nothing_that_a_service_says_is_lost() {
    let speaks = python(
        "speaks",
        "ready = \"notify\"\nheartbeat = \"20s\"",
        "time.sleep(0.2)\nsay('READY=1')\nn = 0\nwhile True:\n    n += 1\n    \
         print('line', n, flush=True)\n    say('WATCHDOG=1')\n    say('STATUS=%d' % n)\n    \
         time.sleep(0.01)\n",
    );
    let mut rig = Rig::new(&(speaks.clone() + &shell("quick", "", "exec sleep 1000")));
    rig.start();
    // While it is not ready yet: it says so under whichever daemon there is.
    for _ in 0..4 {
        rig.reloads();
    }
    let pid = rig.up("speaks");
    for _ in 0..4 {
        rig.reloads();
    }
    assert_eq!((rig.up("speaks"), rig.service("speaks").run), (pid, 1));
    let log = fs::read_to_string(rig.path("run/trace")).unwrap_or_default();
    assert!(!log.contains("refused"), "{log}");
}

/// The program is replaced by another file: the same process goes on with that one.
#[test]
fn an_upgrade_takes_the_place_of_the_old_program() {
    let mut rig = Rig::new(&sleeper("web", ""));
    let program = rig.path("fieldwarden");
    fs::copy(env!("CARGO_BIN_EXE_fieldwarden"), &program).unwrap();
    rig.start_program(&program);
    let (web, daemon) = (rig.up("web"), rig.status().pid);
    let exe = || fs::metadata(format!("/proc/{daemon}/exe")).unwrap();
    use std::os::unix::fs::MetadataExt;
    let before = exe().ino();
    let new = rig.path("fieldwarden.new");
    fs::copy(env!("CARGO_BIN_EXE_fieldwarden"), &new).unwrap();
    fs::rename(&new, &program).unwrap();
    rig.reloads();
    assert_ne!(exe().ino(), before);
    assert_eq!(exe().ino(), fs::metadata(&program).unwrap().ino());
    assert_eq!((rig.up("web"), rig.status().pid), (web, daemon));

    // One that does not even start changes nothing.
    let new = rig.path("fieldwarden.bad");
    fs::write(&new, "no program").unwrap();
    let mode = fs::metadata(&program).unwrap().permissions();
    fs::set_permissions(&new, mode).unwrap();
    fs::rename(&new, &program).unwrap();
    let output = rig.reload();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((rig.up("web"), rig.status().pid), (web, daemon));
    assert_eq!(
        rig.ask_with("reload", ",\"x\":1").unwrap()["ok"],
        json!(false)
    );
}

/// A program that checks well and then cannot be executed: the old one starts anew in its own place,
/// and takes the services over. Here it takes itself away.
#[test]
fn the_old_program_goes_on_where_the_new_one_cannot_be_executed() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let mut rig = Rig::new(&sleeper("web", ""));
    let program = rig.path("fieldwarden");
    fs::copy(env!("CARGO_BIN_EXE_fieldwarden"), &program).unwrap();
    rig.start_program(&program);
    let (web, daemon) = (rig.up("web"), rig.status().pid);
    let exe = || fs::metadata(format!("/proc/{daemon}/exe")).unwrap().ino();
    let before = exe();
    let new = rig.path("fieldwarden.new");
    fs::write(&new, "#!/bin/sh\nrm \"$0\"\n").unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, &program).unwrap();
    rig.reloads();
    assert_eq!(
        (rig.up("web"), rig.status().pid, exe()),
        (web, daemon, before)
    );
    assert_eq!(rig.service("web").run, 1);
    rig.until("it is told", |rig| {
        rig.log().contains("the successor could not take over")
    });
    assert_eq!(rig.journaled("began").len(), 2);
}

/// A program that does something, and is the real one otherwise, in the place of the rig's own. No
/// shell: that would reap the children of its process, which are services.
fn replace(rig: &Rig, program: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let new = rig.path("fieldwarden.new");
    let real = env!("CARGO_BIN_EXE_fieldwarden");
    let text = format!(
        "#!/usr/bin/env python3\nimport os, sys, time\n\
         checks = sys.argv[1] == 'check'\n{script}\nos.execv('{real}', sys.argv)\n"
    );
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, program).unwrap();
}

/// A configuration that checks well and is broken before the successor reads it: the machine does not
/// stand without a daemon, what was in force goes on to be, and it is told.
#[test]
fn a_configuration_that_breaks_after_its_check_is_not_the_end() {
    let mut rig = Rig::new(&sleeper("web", ""));
    let program = rig.path("fieldwarden");
    fs::copy(env!("CARGO_BIN_EXE_fieldwarden"), &program).unwrap();
    rig.start_program(&program);
    let (web, daemon) = (rig.up("web"), rig.status().pid);
    let config = rig.path("fieldwarden.toml");
    let config = config.display();
    let breaks = format!("if checks: open('{config}', 'a').write('broken ['); sys.exit(0)");
    replace(&rig, &program, &breaks);
    rig.reloads();
    assert_eq!((rig.up("web"), rig.status().pid), (web, daemon));
    assert_eq!(rig.service("web").run, 1);
    let stand_in = rig.status().daemon.stand_in.unwrap();
    assert_eq!(stand_in.goes_by, "copy");
}

/// A service that ends between two programs of one process: its end is known, and was a good one.
#[test]
fn an_end_between_two_programs_is_seen() {
    let mut rig = Rig::new("");
    let go = rig.path("go");
    let waits = format!(
        "while [ ! -e {} ]; do sleep 0.02; done; exit 0",
        go.display()
    );
    let once = shell("once", "restart = \"on-failure\"", &waits);
    rig.configure(&(once + &sleeper("web", "")));
    let program = rig.path("fieldwarden");
    fs::copy(env!("CARGO_BIN_EXE_fieldwarden"), &program).unwrap();
    rig.start_program(&program);
    rig.up("once");
    let ends = format!(
        "if not checks: open('{}', 'w').close(); time.sleep(0.4)",
        go.display()
    );
    replace(&rig, &program, &ends);
    rig.reloads();
    rig.until("its end is seen", |rig| {
        rig.log().contains("once is done and is not started again")
    });
    assert_eq!(rig.service("once").state, "down");
    assert_eq!(rig.service("once").run, 1);
}

/// Services for a plan: what each is, by a number for its environment and one for what it hangs on.
/// `crashes` waits for an hour after its first failure, `done` has done its work.
fn company(numbers: [u32; 8], chained: bool, extra: bool) -> String {
    let names = ["db", "api", "web", "lone", "one", "two", "crashes", "done"];
    let each = names.iter().zip(numbers).map(|(name, number)| {
        let number = format!("environment = {{ N = \"{number}\" }}\n");
        match *name {
            "api" => sleeper(name, &(number + "requires = [\"db\"]")),
            "web" if chained => sleeper(name, &(number + "requires = [\"api\"]")),
            "two" => sleeper(name, &(number + "requires = [\"one\"]\nautostart = false")),
            "crashes" => shell(
                name,
                &(number + "backoff = { first = \"1h\", cap = \"1h\" }"),
                "exit 1",
            ),
            "done" => shell(name, &(number + "restart = \"on-failure\""), "exit 0"),
            _ => sleeper(name, &number),
        }
    });
    let mut text: String = each.collect();
    text.push_str("[group.pair]\nmembers = [\"one\", \"db\"]\nstrategy = \"one-for-all\"\n");
    if extra {
        text += &sleeper("extra", "requires = [\"one\"]");
        text += &sleeper("idle", "autostart = false");
    }
    text
}

/// What a plan says of a service, in one word.
fn planned<'a>(plan: &'a str, name: &str) -> &'a str {
    let of = format!("{name}: ");
    let line = plan.lines().find_map(|line| line.strip_prefix(&of));
    match line {
        Some(fate) if fate.contains("would be ended") => "ended",
        Some(fate) if fate.contains("not be started") => "rests",
        Some(fate) if fate.contains("started") => "started",
        _ => "rests",
    }
}

/// Whatever changes, and however services stand: what the plan says of each is what the reload does.
#[test]
fn the_plan_is_the_deed() {
    let mut rig = Rig::new(&company([0; 8], true, false));
    rig.start();
    for name in ["db", "api", "web", "lone", "one"] {
        rig.up(name);
    }
    rig.until("it waits", |rig| rig.service("crashes").state == "backoff");
    rig.until("it is done", |rig| rig.service("done").state == "down");
    rig.ask_about("stop", Some("lone")).unwrap();
    rig.until("it is stopped", |rig| rig.service("lone").state == "down");
    let mut seen = std::collections::BTreeSet::new();
    // Each bit: what changes of which service, whether the chain is as long, whether there are more.
    for (round, bits) in [
        0b1,
        0b1000_0010,
        0b10_0101_0000,
        0b1_0000_1000,
        0b11_1111_1111,
        0,
    ]
    .into_iter()
    .enumerate()
    {
        let before = rig.status();
        let number = u32::try_from(round).unwrap() + 1;
        let numbers = std::array::from_fn(|at| if bits >> at & 1 == 1 { number } else { 0 });
        rig.configure(&company(numbers, bits >> 8 & 1 == 0, bits >> 9 & 1 == 1));
        let plan = rig.plans();
        assert_eq!(rig.plans(), plan, "to plan changes nothing");
        // What fails once more makes that an error.
        let output = rig.reload();
        assert!(output.status.code() < Some(2), "{output:?}");
        let after = rig.status();
        for old in before.services.iter().filter(|s| s.pid.is_some()) {
            let gone = after.services.iter().all(|s| s.name != old.name);
            assert_eq!(
                planned(&plan, &old.name) == "ended",
                gone,
                "{}: {plan}",
                old.name
            );
        }
        for new in &after.services {
            let old = before.services.iter().find(|s| s.name == new.name);
            let begun = old.map_or(new.run > 0, |old| old.run != new.run);
            let deed = if begun { "started" } else { "rests" };
            let context = format!("round {round}, {}: {plan}\n{}", new.name, rig.log());
            assert_eq!(planned(&plan, &new.name), deed, "{context}");
            seen.insert((new.name.clone(), deed));
        }
    }
    // Each of them was seen to be started and to rest, where it could be.
    for name in ["db", "api", "web", "one", "crashes"] {
        for deed in ["started", "rests"] {
            assert!(seen.contains(&(name.to_owned(), deed)), "{name} {deed}");
        }
    }
    assert!(!seen.contains(&("done".to_owned(), "started")));
    assert!(!seen.contains(&("two".to_owned(), "started")));
}

/// What changes of the machine itself is told with what held before; files that would be refused are,
/// by their mistakes, and so is another directory, in which nobody would find what runs.
#[test]
fn a_plan_tells_of_the_machine() {
    let mut rig = Rig::new(&sleeper("web", ""));
    rig.start();
    let web = rig.up("web");
    let text = "[vitals]\nevery = \"20s\"\n[watchdog]\nowner = \"nobody\"\n";
    rig.configure(&(text.to_owned() + &sleeper("web", "")));
    let plan = rig.plans();
    for line in [
        "vitals.every: \"20s\" instead of \"15s\"\n",
        "watchdog.owner: \"nobody\" instead of \"fieldwarden\"\n",
        "1 service would stay as it is\n",
    ] {
        assert!(plan.contains(line), "{line}: {plan}");
    }
    rig.configure("[service.web]\ncomand = []\n");
    let output = rig.reload_dry();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{errors}");
    assert!(
        errors.contains("comand") && errors.contains("would be refused"),
        "{errors}"
    );

    let file = rig.path("fieldwarden.toml");
    let text = fs::read_to_string(&file).unwrap();
    let moved = text
        .replace("/run\"", "/elsewhere\"")
        .replace("comand = []", "command = [\"/bin/true\"]");
    fs::write(&file, moved).unwrap();
    for output in [rig.reload_dry(), rig.reload()] {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{errors}");
        let both = errors.contains("`runtime_dir` is ") && errors.contains("/run");
        assert!(both && errors.contains("nothing"), "{errors}");
    }
    assert_eq!((rig.up("web"), rig.service("web").run), (web, 1));
}

/// While a copy or safe mode is in force, that is what a plan compares with: what runs on is told
/// to. And that is what is shown of the daemon that runs.
#[test]
fn a_plan_compares_with_what_is_in_force() {
    let mut rig = Rig::new(&sleeper("web", ""));
    rig.start();
    let web = rig.up("web");
    rig.until("there is a copy", |rig| {
        rig.path("run/configuration").exists()
    });
    for (copied, wanted) in [
        (true, "compared with a copy of 20"),
        (
            false,
            "compared with what is left in safe mode, which is in force because of ",
        ),
    ] {
        rig.signal(Signal::SIGKILL);
        rig.wait();
        if !copied {
            fs::remove_file(rig.path("run/configuration")).unwrap();
        }
        rig.configure("[service.web]\ncomand = [\"/bin/sleep\", \"1000\"]\n");
        rig.start();
        assert!(rig.status().daemon.stand_in.is_some());
        rig.configure(&(sleeper("web", "stop_timeout = \"4s\"") + &sleeper("more", "")));
        let plan = rig.plans();
        let fate = match copied {
            true => "web: runs on, with another stop_timeout\n",
            false => "web: known again, runs on\n",
        };
        for part in [
            wanted,
            fate,
            "more: new, would be started\n",
            "0 services would stay",
        ] {
            assert!(plan.contains(part), "{part}: {plan}");
        }
    }
    // What is in force is shown without what may be secret, whatever the files say by now.
    rig.reloads();
    assert_eq!((rig.up("web"), rig.service("web").run), (web, 1));
    rig.up("more");
    rig.configure(&sleeper("web", "environment = { KEY = \"s3cret\" }"));
    let shown = rig.shows();
    assert!(
        shown.contains("service.more") && !shown.contains("environment"),
        "{shown}"
    );
    rig.reloads();
    let shown = rig.shows();
    let file = format!("# {}:", rig.path("fieldwarden.toml").display());
    for part in [
        "environment.KEY = \"(hidden)\"",
        file.as_str(),
        "board = \"sim\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
}

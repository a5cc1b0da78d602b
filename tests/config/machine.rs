//! What a machine lacks is found, and is no error.

use super::good;
use fieldwarden::config::{self, Severity};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn what_this_machine_lacks_is_a_warning_at_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(at(name), text).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    write("plain", "", 0o644);
    write("script", "#!/no/such/interpreter -x\n", 0o755);
    write("fine", "#!/bin/sh\n", 0o755);
    let d = directory.path().display();
    let text = format!(
        "cgroup = \"{d}\"\n\
         watchdog.device = \"{d}/watchdog\"\n\
         storage.mounts = [\"/\", \"{d}/mount\"]\n\
         [service.gone]\ncommand = [\"{d}/gone\"]\n\
         [service.folder]\ncommand = [\"{d}\"]\n\
         [service.plain]\ncommand = [\"{d}/plain\"]\n\
         [service.script]\ncommand = [\"{d}/script\"]\n\
         [service.fine]\ncommand = [\"{d}/fine\"]\ndirectory = \"{d}/plain\"\n\
         [service.fine.probe.liveness]\nexec = [\"{d}/check\"]\n"
    );
    let found = config::check_machine(&good(&text).config, None);
    let found: Vec<(usize, String)> = found
        .iter()
        .map(|problem| {
            assert_eq!(problem.severity(), Severity::Warning);
            let line = problem.place().unwrap().line;
            (line, problem.what().replace(&d.to_string(), "D"))
        })
        .collect();
    let expected = [
        (1, "`D` is no control group"),
        (2, "there is no D/watchdog"),
        (3, "there is no D/mount"),
        (
            5,
            "the program D/gone cannot be used: No such file or directory (os error 2)",
        ),
        (7, "the program D is no regular file"),
        (9, "the program D/plain is not executable"),
        (
            11,
            "the program D/script asks for /no/such/interpreter, which is not there",
        ),
        (14, "`D/plain` is no directory"),
        (
            16,
            "the program D/check cannot be used: No such file or directory (os error 2)",
        ),
    ];
    let expected: Vec<(usize, String)> = expected
        .into_iter()
        .map(|(line, what)| (line, what.to_owned()))
        .collect();
    assert_eq!(found, expected);
}

/// Programs that cannot run here, and users that are not there: said before the first start.
#[test]
fn a_program_or_a_user_that_is_none_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let d = directory.path().display();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    // A RISC-V program, and a file of words.
    let mut foreign = [0_u8; 64];
    foreign[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    foreign[18] = 243;
    write("foreign", &foreign);
    write("words", b"no program\n");
    // Our own, with another loader.
    let own = fs::read("/bin/true").unwrap();
    let at = own.windows(4).position(|w| w == b"/lib").unwrap();
    let mut lost = own.clone();
    lost[at..at + 4].copy_from_slice(b"/lab");
    write("lost", &lost);
    let text = format!(
        "watchdog.owner = \"nobody\"\n\
         [service.foreign]\ncommand = [\"{d}/foreign\"]\n\
         [service.lost]\ncommand = [\"{d}/lost\"]\n\
         [service.words]\ncommand = [\"{d}/words\"]\n\
         [service.a]\ncommand = [\"/bin/true\"]\nuser = \"no-such-user\"\n\
         [service.b]\ncommand = [\"/bin/true\"]\ngroup = \"no-such-group\"\n\
         [service.c]\ncommand = [\"/bin/true\"]\ngroups = [\"root\", \"no-such-group\"]\n\
         [service.d]\ncommand = [\"/bin/true\"]\nuser = \"54321\"\n\
         [service.e]\ncommand = [\"/bin/true\"]\nuser = \"root\"\ngroup = \"54321\"\n"
    );
    let found = config::check_machine(&good(&text).config, None);
    let found: Vec<(usize, String)> = found
        .iter()
        .map(|p| {
            (
                p.place().unwrap().line,
                p.what().replace(&d.to_string(), "D"),
            )
        })
        .collect();
    let arch = fieldwarden::config::elf::this_machine();
    let loader = fieldwarden::config::elf::program(&lost)
        .unwrap()
        .loader
        .unwrap();
    let expected = [
        (
            3,
            format!("the program D/foreign was built for riscv, and this machine is {arch}"),
        ),
        (
            5,
            format!("the program D/lost asks for {loader}, which is not there"),
        ),
        (
            7,
            "the program D/words is neither a program nor a script that begins with #!".to_owned(),
        ),
        (
            10,
            "there is no user \"no-such-user\" in /etc/passwd".to_owned(),
        ),
        (
            13,
            "there is no group \"no-such-group\" in /etc/group".to_owned(),
        ),
        (
            16,
            "there is no group \"no-such-group\" in /etc/group".to_owned(),
        ),
        (
            19,
            "user 54321 is not in /etc/passwd, so that its group is not known".to_owned(),
        ),
    ];
    assert_eq!(found, expected);
}

/// Paths and secrets without which every start would fail, and a secret that everybody can read. What
/// it says is nowhere in the report.
#[test]
fn what_a_sandbox_lacks_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let d = directory.path().display();
    for (name, length, mode) in [
        ("good", 9, 0o640),
        ("open", 9, 0o644),
        ("long", 262_145, 0o600),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, "hunter2! ".repeat(30_000).get(..length).unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let text = format!(
        "watchdog.owner = \"nobody\"\n[service.a]\ncommand = [\"/bin/true\"]\n\
         read_only = [\"{d}\", \"{d}/lost\"]\nwritable = [\"{d}/gone\"]\n\
         [service.a.secrets]\ngood = \"{d}/good\"\nopen = \"{d}/open\"\nlong = \"{d}/long\"\n\
         lost = \"{d}/lost\"\nfolder = \"{d}\"\n"
    );
    let found = config::check_machine(&good(&text).config, None);
    let all = format!("{found:?}");
    assert!(!all.contains("hunter2"), "{all}");
    let found: Vec<(usize, String)> = found
        .iter()
        .map(|p| {
            let what = p.what().replace(&d.to_string(), "D");
            (p.place().unwrap().line, what)
        })
        .collect();
    let lost = "No such file or directory (os error 2)";
    let expected = [
        (4, format!("`read_only` names D/lost: {lost}")),
        (5, format!("`writable` names D/gone: {lost}")),
        (
            8,
            "the secret open: D/open is open to everybody (mode 0644)".to_owned(),
        ),
        (
            9,
            "the secret long: D/long has 262145 bytes, and at most 256 KiB are handed over"
                .to_owned(),
        ),
        (10, format!("the secret lost: D/lost: {lost}")),
        (11, "the secret folder: D is no regular file".to_owned()),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_machine_that_has_everything_is_not_complained_about() {
    let text = "board = \"sim\"\n[service.a]\ncommand = [\"/bin/sh\"]\n";
    assert_eq!(config::check_machine(&good(text).config, None), []);
}

#[test]
fn a_watchdog_of_systemd_that_does_not_run_is_a_warning() {
    let text = "[watchdog]\nowner = \"systemd\"\n";
    let config = good(text).config;
    let found = config::check_machine(&config, Some(false));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].place().unwrap().line, 2);
    let what = "systemd is to pet the hardware watchdog, and none runs";
    assert_eq!(found[0].what(), what);
    for runs in [Some(true), None] {
        assert_eq!(config::check_machine(&config, runs), [], "{runs:?}");
    }
    let ours = good("[watchdog]\nowner = \"nobody\"\n").config;
    assert_eq!(config::check_machine(&ours, Some(false)), []);
}

#[test]
fn a_bus_that_is_not_there_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("../../boards/x120x.toml");
    let own = text.replace("address = 0x36", "address = 0x36\nbus = 253");
    fs::write(folder.path().join("x120x.toml"), own).unwrap();
    let shelf = config::Shelf::of([folder.path().to_owned()]);
    let text = "board = \"x120x\"\nwatchdog.owner = \"nobody\"\n";
    let loaded = config::parse_with("test.toml", text, &shelf).unwrap();
    let found = config::check_machine(&loaded.config, Some(true));
    let what: Vec<&str> = found.iter().map(config::Problem::what).collect();
    assert_eq!(what, ["there is no /dev/i2c-253, which board x120x needs"]);
    assert_eq!(found[0].place().unwrap().line, 1);
}

#[test]
fn an_led_that_is_not_there_is_a_warning() {
    let text = "[watchdog]\nowner = \"nobody\"\n[led]\nname = \"no-such-led\"\n";
    let found = config::check_machine(&good(text).config, None);
    let what: Vec<&str> = found.iter().map(config::Problem::what).collect();
    let wanted = "there is no LED no-such-led (/sys/class/leds/no-such-led)";
    assert_eq!(what, [wanted]);
    assert_eq!(found[0].place().unwrap().line, 4);
    // Those of a simulated board are simulated, and one that is switched off is not looked for.
    for quiet in ["board = \"sim\"\n", ""] {
        let off = if quiet.is_empty() {
            "enabled = false\n"
        } else {
            ""
        };
        let config = good(&format!("{quiet}{text}{off}")).config;
        assert_eq!(config::check_machine(&config, None), []);
    }
}

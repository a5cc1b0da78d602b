//! There is a network while a default route leads over a link that is up.

use fieldwarden::core::fact::{Fact, Fault, Reading, Source};
use fieldwarden::edge::network::Network;
use fieldwarden::edge::proc_text::{default_links, default_links_6};
use fieldwarden::edge::vitals::Vitals;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// As Linux 6.12 writes them.
const TITLES: &str =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const VIA_ETH0: &str = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
const LOCAL: &str = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
const VIA_PPP0: &str = "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n";
const REFUSED: &str = "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n";

const ALL_6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00";
const NONE_6: &str =
    "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
const OUT_6: &str =
    "fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n";
const LOCAL_6: &str = "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
    00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0\n";

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Machine {
        let machine = Machine(tempfile::tempdir().unwrap());
        machine.write("proc/net/route", TITLES);
        machine
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, name: &str, state: &str) {
        self.write(
            &format!("sys/class/net/{name}/operstate"),
            &format!("{state}\n"),
        );
    }

    fn sample(&self) -> Fact {
        Network::new(self.0.path()).sample()
    }
}

fn up(up: bool) -> Fact {
    Fact::Seen(Reading::Network { up })
}

/// The route alone does not do: its link must be up, or be of a kind that cannot tell.
#[test]
fn a_way_out_is_a_route_over_a_link_that_is_up() {
    let machine = Machine::new();
    assert_eq!(machine.sample(), up(false));
    let routes = |lines: &[&str]| machine.write("proc/net/route", &lines.concat());
    routes(&[TITLES, LOCAL, VIA_ETH0]);
    assert_eq!(machine.sample(), up(false), "a link that is not there");
    for (state, wanted) in [
        ("down", false),
        ("lowerlayerdown", false),
        ("dormant", false),
    ] {
        machine.link("eth0", state);
        assert_eq!(machine.sample(), up(wanted), "{state}");
    }
    machine.link("eth0", "up");
    assert_eq!(machine.sample(), up(true));
    routes(&[TITLES, LOCAL]);
    assert_eq!(
        machine.sample(),
        up(false),
        "a route to the neighbours only"
    );
    routes(&[TITLES, REFUSED]);
    assert_eq!(machine.sample(), up(false), "a route that refuses");
    machine.link("ppp0", "unknown");
    machine.link("eth0", "down");
    routes(&[TITLES, VIA_ETH0, VIA_PPP0]);
    assert_eq!(machine.sample(), up(true), "the second of two");
}

/// IPv6 alone is a network, and a kernel without it lacks nothing.
#[test]
fn either_table_does() {
    let machine = Machine::new();
    machine.link("eth0", "up");
    machine.link("lo", "unknown");
    machine.write(
        "proc/net/ipv6_route",
        &[LOCAL_6, ALL_6, " ", NONE_6].concat(),
    );
    assert_eq!(machine.sample(), up(false));
    machine.write(
        "proc/net/ipv6_route",
        &[LOCAL_6, ALL_6, " ", OUT_6].concat(),
    );
    assert_eq!(machine.sample(), up(true));
    fs::remove_file(machine.0.path().join("proc/net/route")).unwrap();
    assert_eq!(machine.sample(), up(true));
    fs::remove_file(machine.0.path().join("proc/net/ipv6_route")).unwrap();
    let why = Fault::Absent;
    let source = Source::Network;
    assert_eq!(
        machine.sample(),
        Fact::Lost { source, why },
        "neither table"
    );
}

/// What cannot be read is not down: nobody knows.
#[test]
fn a_table_that_cannot_be_read_is_lost() {
    let machine = Machine::new();
    fs::write(machine.0.path().join("proc/net/route"), [0xff, 0xfe]).unwrap();
    let why = Fault::Implausible;
    let source = Source::Network;
    assert_eq!(machine.sample(), Fact::Lost { source, why });
    // The other one may still know better.
    machine.link("eth0", "up");
    machine.write("proc/net/ipv6_route", &[ALL_6, " ", OUT_6].concat());
    assert_eq!(machine.sample(), up(true));
}

/// It is a vital sign only where it is asked for.
#[test]
fn nobody_looks_unasked() {
    let machine = Machine::new();
    let synced = Reading::Clock {
        synced: true,
        shown: None,
    };
    let vitals = |root: &Path| {
        let reading = synced.clone();
        Vitals::with_clock(root.into(), Box::new(move || Ok(reading.clone())))
    };
    let tells = |facts: &[Fact]| facts.contains(&up(false));
    assert!(!tells(&vitals(machine.0.path()).sample()));
    assert_eq!(vitals(machine.0.path()).network(), None);
    let mut asked = vitals(machine.0.path()).with_network();
    assert!(tells(&asked.sample()));
    assert_eq!(asked.network(), Some(up(false)));
}

proptest! {
    #[test]
    fn no_text_makes_them_panic(text in "\\PC{0,80}[\t\n ]{0,3}[0-9a-f]{0,32}[ \t]?\\PC{0,40}") {
        let _ = default_links(&text).count();
        let _ = default_links_6(&text).count();
    }
}

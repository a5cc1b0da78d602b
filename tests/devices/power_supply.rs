//! Power supplies of the kernel: which count, what they say together, and machines without any.

use fieldwarden::core::fact::{Errno, Fact, Fault, Reading, Source};
use fieldwarden::edge::power_supply::{PowerSupplies, Supplies};
use std::fs;
use std::path::PathBuf;

const NO_BATTERY: Supplies = Supplies::Any { battery: false };

/// A machine to which supplies are plugged.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Machine {
        Machine(tempfile::tempdir().unwrap())
    }

    fn supply(&self, name: &str) -> PathBuf {
        self.0.path().join("sys/class/power_supply").join(name)
    }

    fn plug(&self, name: &str, kind: &str, online: &str) {
        let supply = self.supply(name);
        fs::create_dir_all(&supply).unwrap();
        fs::write(supply.join("type"), format!("{kind}\n")).unwrap();
        fs::write(supply.join("online"), format!("{online}\n")).unwrap();
    }

    fn look(&self) -> PowerSupplies {
        PowerSupplies::new(self.0.path(), NO_BATTERY).unwrap()
    }

    fn sample(&self) -> Option<Fact> {
        self.look().sample()
    }
}

fn seen(present: bool) -> Option<Fact> {
    Some(Fact::Seen(Reading::Mains { present }))
}

fn lost(why: Fault) -> Option<Fact> {
    let source = Source::Mains;
    Some(Fact::Lost { source, why })
}

#[test]
fn a_machine_that_cannot_tell_gives_no_fact() {
    let machine = Machine::new();
    assert_eq!(machine.sample(), None);
    machine.plug("BAT0", "Battery", "0");
    machine.plug("wireless", "Wireless", "1");
    assert_eq!(machine.sample(), None);
}

#[test]
fn any_supply_that_is_online_is_enough() {
    let machine = Machine::new();
    machine.plug("BAT0", "Battery", "0");
    machine.plug("AC", "Mains", "0");
    assert_eq!(machine.sample(), seen(false));
    machine.plug("AC1", "Mains", "1");
    assert_eq!(machine.sample(), seen(true));
    machine.plug("AC1", "Mains", "2");
    assert_eq!(machine.sample(), seen(true));
}

/// A machine that runs, and that nothing carries but power from outside, has not lost it: neither by
/// the empty ports of a desktop nor by an Ethernet that gives no power to a Pi with another plug.
#[test]
fn mains_are_lost_only_beside_a_battery() {
    for kind in ["USB", "Mains"] {
        let machine = Machine::new();
        machine.plug("rpi-poe", kind, "0");
        assert_eq!(machine.sample(), None, "{kind}");
        machine.plug("port1", "USB", "1");
        assert_eq!(machine.sample(), seen(true), "{kind}");
        machine.plug("port1", "USB", "0");
        machine.plug("ups", "UPS", "1");
        assert_eq!(machine.sample(), seen(false), "{kind}");
        machine.plug("port1", "USB", "1");
        assert_eq!(machine.sample(), seen(true), "{kind}");
    }
}

/// What fed the machine is gone, and it runs on, without a battery that anybody knows: nobody knows on
/// what. The battery of the board counts, whether the kernel has a driver for it or not.
#[test]
fn what_fed_the_machine_is_gone() {
    let machine = Machine::new();
    machine.plug("rpi-poe", "Mains", "1");
    let mut supplies = machine.look();
    let board = Supplies::Any { battery: true };
    let mut of_a_board = PowerSupplies::new(machine.0.path(), board).unwrap();
    assert_eq!(supplies.sample(), seen(true));
    machine.plug("rpi-poe", "Mains", "0");
    assert_eq!(supplies.sample(), lost(Fault::Absent));
    assert_eq!(of_a_board.sample(), seen(false));
}

#[test]
fn what_belongs_to_a_peripheral_does_not_count() {
    let machine = Machine::new();
    machine.plug("mouse", "Battery", "0");
    machine.plug("pen", "Mains", "0");
    for name in ["mouse", "pen"] {
        fs::write(machine.supply(name).join("scope"), "Device\n").unwrap();
    }
    machine.plug("port0", "USB", "0");
    assert_eq!(machine.sample(), None);
}

/// One that does not answer hides nothing that another one says, and nothing is guessed.
#[test]
fn a_supply_that_fails_is_a_loss_unless_another_is_online() {
    let machine = Machine::new();
    machine.plug("AC", "Mains", "0");
    machine.plug("bad", "Mains", "yes");
    assert_eq!(machine.sample(), lost(Fault::Implausible));
    let online = machine.supply("bad").join("online");
    fs::remove_file(&online).unwrap();
    assert_eq!(machine.sample(), lost(Fault::Absent));
    fs::create_dir(&online).unwrap();
    assert_eq!(machine.sample(), lost(Fault::Errno(Errno(libc::EISDIR))));
    machine.plug("AC", "Mains", "1");
    assert_eq!(machine.sample(), seen(true));
}

/// A driver that is loaded late is found; one that is unloaded is a loss from then on.
#[test]
fn supplies_come_and_go() {
    let machine = Machine::new();
    let mut supplies = machine.look();
    assert_eq!(supplies.sample(), None);
    machine.plug("AC", "Mains", "1");
    assert_eq!(supplies.sample(), seen(true));
    fs::remove_dir_all(machine.supply("AC")).unwrap();
    assert_eq!(supplies.sample(), lost(Fault::Absent));
    machine.plug("AC", "Mains", "0");
    assert_eq!(supplies.sample(), lost(Fault::Absent));
    machine.plug("BAT0", "Battery", "0");
    assert_eq!(supplies.sample(), seen(false));
}

/// A board that names its own way leaves the kernel's supplies alone; one that names a supply has
/// lost its reading while that one is not there, even if another one is online.
#[test]
fn a_board_decides_which_supply_tells() {
    let machine = Machine::new();
    machine.plug("other-ac", "Mains", "1");
    let root = machine.0.path();
    assert!(PowerSupplies::new(root, Supplies::Others).is_none());
    let mut named = PowerSupplies::new(root, Supplies::Named("x120x-ac".into())).unwrap();
    let lost = Fact::Lost {
        source: Source::Mains,
        why: Fault::Absent,
    };
    assert_eq!(named.sample(), Some(lost));
    machine.plug("x120x-ac", "Mains", "0");
    let gone = Fact::Seen(Reading::Mains { present: false });
    assert_eq!(named.sample(), Some(gone));
}

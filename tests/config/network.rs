//! The way out, and what expires.

use crate::good;
use fieldwarden::config::Ends;
use fieldwarden::units::Wall;
use std::time::Duration;

/// Whoever names nothing has nothing looked at, whatever else is set.
#[test]
fn network_is_off_unless_something_is_named() {
    for text in [
        "",
        "[network]\n",
        "[network]\nevery = \"1h\"\nfailures = 9\n",
    ] {
        let config = good(text).config;
        assert_eq!(config.settings.network, None, "{text}");
        assert_eq!(config.wiring.uplink, None, "{text}");
    }
    for key in [
        "interfaces = []",
        "name = \"example.org\"",
        "vpn = \"wg0\"",
        "ssh = \"[fd00::7]:22\"",
    ] {
        let config = good(&format!("[network]\n{key}\n")).config;
        assert_eq!(config.settings.network.unwrap().failures, 3, "{key}");
        let plan = config.wiring.uplink.unwrap();
        assert_eq!(plan.every, Duration::from_secs(300), "{key}");
    }
}

/// Each kind of it, sorted by name; a day lasts to its end.
#[test]
fn what_expires() {
    let config = good(
        "[expiry.web]\ncertificate = \"/etc/ssl/web.pem\"\nwarn = \"60d\"\n\
         [expiry.key]\nfile = \"/etc/wg.key\"\nlasts = \"52w\"\n\
         [expiry.node]\ndate = \"2027-02-28\"\ncritical = \"0s\"\n",
    )
    .config;
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let names: Vec<&str> = config.settings.expiries.iter().map(|e| &*e.name).collect();
    assert_eq!(names, ["key", "node", "web"]);
    let [key, node, web] = &config.settings.expiries[..] else {
        panic!("not three");
    };
    assert_eq!((key.warn, key.critical), (days(30), days(7)));
    assert_eq!((node.critical, web.warn), (days(0), days(60)));
    // 2027-03-01T00:00:00Z
    let end = Wall::new(1_803_859_200).unwrap();
    let ends = [
        Ends::After("/etc/wg.key".into(), days(364)),
        Ends::On(end),
        Ends::Certificates("/etc/ssl/web.pem".into()),
    ];
    assert_eq!(config.wiring.expiries, ends);
}

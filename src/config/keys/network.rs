//! The keys of `[network]` and `[expiry.NAME]`.

use super::{hours, key, min, s};
use crate::config::schema::Absent::{Default, Nothing};
use crate::config::schema::{Kind, Section};

/// The way out.
pub const NETWORK: Section = Section {
    header: "network",
    meaning: "The way out of this machine, looked at from inside outwards once one of interfaces, name, vpn, \
              peer and ssh is given. A dead network never counts as ill health of the machine.",
    keys: &[
        key(
            "every",
            Kind::Duration(s(10), hours(1)),
            Default("\"5min\""),
            "Time between two looks; while something is broken, a minute at most",
        ),
        key(
            "timeout",
            Kind::Duration(s(1), s(30)),
            Default("\"5s\""),
            "Time that each of those who are asked has for an answer; a name has 10 s more, for a second name server",
        ),
        key(
            "failures",
            Kind::Count(1, 100),
            Default("3"),
            "So many looks in a row must find something broken before it is told",
        ),
        key(
            "interfaces",
            Kind::Texts,
            Nothing("[\"eth0\", \"wlan0\"]"),
            "Links of which one has to be up, with an address and a default route; [] for any of them. Without \
             this key any will do, if something else is asked for. Nothing is sent for these three",
        ),
        key(
            "name",
            Kind::Text,
            Nothing("\"example.org\""),
            "A name that is looked up with the machine's own resolver; without this key, none is",
        ),
        key(
            "vpn",
            Kind::Text,
            Nothing("\"wg0\""),
            "The interface of a VPN, which has to be up; if it is WireGuard's, its latest handshake counts too",
        ),
        key(
            "handshake",
            Kind::Duration(min(3), hours(24)),
            Default("\"5min\""),
            "How old that handshake may be; the peers need PersistentKeepalive= for it to stay young",
        ),
        key(
            "peer",
            Kind::Text,
            Nothing("\"10.8.0.1:53\""),
            "An address and a port in the VPN: a connection has to be taken or refused there, through vpn alone",
        ),
        key(
            "ssh",
            Kind::Text,
            Nothing("\"10.8.0.7:22\""),
            "Where an SSH server has to greet: an address of this machine in the VPN, or one beyond it that leads \
             back to this machine, which proves the whole way",
        ),
        key(
            "repairs",
            Kind::Texts,
            Nothing("[\"tunnel\", \"machine\"]"),
            "What is tried while the way out is broken, one after the other, by the names of [repair.NAME]; without \
             this key, nothing is",
        ),
    ],
};

/// What is tried for the way out.
pub const REPAIR: Section = Section {
    header: "repair.NAME",
    meaning: "Something that is tried while the way out is broken, if repairs of [network] names it. One of \
              restart, start and machine must be given. There may be many such sections.",
    keys: &[
        key(
            "restart",
            Kind::Text,
            Nothing("\"tunnel\""),
            "A service that is restarted, if it is to run: a program, a container, or a unit of systemd such as \
             that of a VPN",
        ),
        key(
            "start",
            Kind::Text,
            Nothing("\"link-up\""),
            "A service that is started, does its work and ends; it has autostart = false and restart = \"never\". \
             One that is at it still is stopped first",
        ),
        key(
            "machine",
            Kind::Flag,
            Default("false"),
            "Restart the machine, within the budget of [reboots] alone, and only if the way out was whole since \
             the daemon began",
        ),
        key(
            "steps",
            Kind::Words(STEPS),
            Default("[]"),
            "The steps that it is of use for, when they are the first that is broken; none for all of them, but not \
             while somebody beyond the machine answers",
        ),
        key(
            "settle",
            Kind::Duration(s(10), hours(1)),
            Default("\"2min\""),
            "Time that it is given before anything else is tried",
        ),
        key(
            "most",
            Kind::Count(1, 20),
            Default("2"),
            "How often it is tried within window; not with machine",
        ),
        key(
            "window",
            Kind::Duration(min(10), hours(7 * 24)),
            Default("\"6h\""),
            "The window of most",
        ),
    ],
};

/// The steps of the way out.
pub const STEPS: &[&str] = &[
    "link", "address", "route", "gateway", "name", "vpn", "peer", "ssh",
];

/// What expires.
pub const EXPIRY: Section = Section {
    header: "expiry.NAME",
    meaning: "Something that is good until a day, such as a certificate or a key. One of certificate, date and \
              file must be given. Judged only while the clock can be trusted. There may be many such sections.",
    keys: &[
        key(
            "certificate",
            Kind::Path,
            Nothing("\"/etc/ssl/web.pem\""),
            "A file with certificates (PEM); the first of them to expire counts",
        ),
        key(
            "date",
            Kind::Text,
            Nothing("\"2027-03-01\""),
            "The day that it ends with, such as of a key of a VPN that is renewed elsewhere",
        ),
        key(
            "file",
            Kind::Path,
            Nothing("\"/etc/wireguard/wg0.key\""),
            "A file that is good for so long after it was written last",
        ),
        key(
            "lasts",
            Kind::Duration(hours(24), hours(10 * 365 * 24)),
            Nothing("\"365d\""),
            "For how long; must be given with file, and only then",
        ),
        key(
            "warn",
            Kind::Duration(hours(1), hours(365 * 24)),
            Default("\"30d\""),
            "From so long before its end on, somebody should look",
        ),
        key(
            "critical",
            Kind::Duration(hours(0), hours(365 * 24)),
            Default("\"7d\""),
            "From so long before it on, it is urgent; not longer than warn",
        ),
    ],
};

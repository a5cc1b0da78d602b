//! Reads `[network]` and the `[expiry.NAME]` tables.

use super::keys;
use super::problem::quote;
use super::repair::{self, Draft};
use super::table::{At, Table};
use crate::core::settings::{Expiry, Network};
use crate::units::Wall;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// Most links. Each is looked for by its name.
const LINKS: usize = 16;

/// Longest name of a link: kernel, `IFNAMSIZ` without the NUL.
const LINK_MAX: usize = 15;

/// Longest name of a host: RFC 1035, 2.3.4.
const NAME_MAX: usize = 253;

/// Most things that expire. Each costs a look at a file.
const EXPIRIES: usize = 64;

/// How the way out is looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UplinkPlan {
    /// Time between two looks while all is well. 10 s to 1 h.
    pub every: Duration,
    /// Time for each of those who are asked. 1 s to 30 s.
    pub timeout: Duration,
    /// Links of which one has to be up; none for any.
    pub interfaces: Vec<String>,
    /// A name that is looked up.
    pub name: Option<String>,
    /// The interface of the VPN.
    pub vpn: Option<String>,
    /// Who has to answer through it.
    pub peer: Option<SocketAddr>,
    /// Where an SSH server has to greet.
    pub ssh: Option<SocketAddr>,
}

/// Where it stands when something expires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ends {
    /// In the certificates of this file; absolute.
    Certificates(PathBuf),
    /// It is known.
    On(Wall),
    /// So long after this file was written; absolute.
    After(PathBuf, Duration),
}

/// What the core and what the edge are told of the way out, if somebody cares.
type Watched = Option<(Network, UplinkPlan)>;

/// The way out, and what expires.
pub(super) struct Way {
    pub network: Option<Network>,
    pub uplink: Option<UplinkPlan>,
    pub expiries: Vec<Expiry>,
    pub ends: Vec<Ends>,
    /// Repairs that are to be tried, in their order.
    pub repairs: Vec<At<Draft>>,
}

/// Reads both; `None` if anything is wrong.
pub(super) fn read(top: &mut Table<'_, '_, '_>) -> Option<Way> {
    let network = network(top.below("network", keys::NETWORK.keys));
    let expiries = expiries(top);
    let repairs = repair::drafts(top);
    let (network, uplink) = network?.unzip();
    let (expiries, ends) = expiries?.into_iter().unzip();
    Some(Way {
        network,
        uplink,
        expiries,
        ends,
        repairs: repairs?,
    })
}

/// The outer `None` if anything is wrong.
fn network(mut table: Table<'_, '_, '_>) -> Option<Watched> {
    let (every, timeout) = (table.duration("every"), table.duration("timeout"));
    let (failures, handshake) = (table.count("failures"), table.duration("handshake"));
    let wanted = ["interfaces", "name", "vpn", "peer", "ssh"].map(|key| table.gives(key));
    let interfaces = interfaces(&mut table);
    let name = checked(&mut table, "name", name);
    let vpn = checked(&mut table, "vpn", link);
    let peer = checked(&mut table, "peer", address);
    let ssh = checked(&mut table, "ssh", address);
    let (interfaces, name, vpn, peer, ssh) = (interfaces?, name?, vpn?, peer?, ssh?);
    if let (Some(peer), None) = (&peer, &vpn) {
        let span = peer.span.clone().unwrap_or(table.header());
        let what = "`network.peer` is to answer through a VPN, and none is named".to_owned();
        let help = "add its interface, such as vpn = \"wg0\"".to_owned();
        table.report().error(span, what, help);
        return None;
    }
    if let Some(vpn) = vpn.as_ref().filter(|vpn| interfaces.contains(&vpn.value)) {
        let span = vpn.span.clone().unwrap_or(table.header());
        let what = format!(
            "{} is a link of `network.interfaces`, too",
            quote(&vpn.value)
        );
        let help = "leave it out there: name the links that the VPN goes over".to_owned();
        table.report().error(span, what, help);
        return None;
    }
    let every = every?.value;
    let core = Network {
        every,
        failures: failures?.value,
        handshake: handshake?.value,
        rungs: Vec::new(),
    };
    let plan = UplinkPlan {
        every,
        timeout: timeout?.value,
        interfaces,
        name: name.map(|at| at.value),
        vpn: vpn.map(|at| at.value),
        peer: peer.map(|at| at.value),
        ssh: ssh.map(|at| at.value),
    };
    Some(wanted.contains(&true).then_some((core, plan)))
}

/// What may be wrong with a text, and what to write.
type Wrong = (String, &'static str);

/// A text that is read further; the outer `None` if it is wrong.
fn checked<T>(
    table: &mut Table<'_, '_, '_>,
    key: &str,
    read: fn(&str) -> Result<T, Wrong>,
) -> Option<Option<At<T>>> {
    if !table.gives(key) {
        return Some(None);
    }
    let At { value, span } = table.text(key)?;
    match read(&value) {
        Ok(value) => Some(Some(At { value, span })),
        Err((what, help)) => {
            let (span, what) = (span.unwrap_or(table.header()), described(table, key, &what));
            table.report().error(span, what, help.to_owned());
            None
        }
    }
}

fn described(table: &Table<'_, '_, '_>, key: &str, what: &str) -> String {
    format!("`{}`: {what}", table.full(key))
}

fn interfaces(table: &mut Table<'_, '_, '_>) -> Option<Vec<String>> {
    if !table.gives("interfaces") {
        return Some(Vec::new());
    }
    let At { value, span } = table.texts("interfaces")?;
    let wrong = match value.len() {
        0..=LINKS => value.iter().find_map(|name| link(name).err()),
        many => Some((format!("there are {many} links"), "name at most 16")),
    };
    let Some((what, help)) = wrong else {
        return Some(value);
    };
    let (span, what) = (
        span.unwrap_or(table.header()),
        described(table, "interfaces", &what),
    );
    table.report().error(span, what, help.to_owned());
    None
}

fn link(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
    let good = (1..=LINK_MAX).contains(&text.len()) && text.chars().all(plain);
    match good && !matches!(text, "." | ".." | "lo") {
        true => Ok(text.to_owned()),
        false => Err((
            format!("{} is no name of a link", quote(text)),
            "write a name as `ip link` shows it, such as \"eth0\" or \"wg0\"",
        )),
    }
}

fn name(text: &str) -> Result<String, Wrong> {
    const HELP: &str = "write a name that somebody has to look up, such as \"example.org\"";
    if text.parse::<std::net::IpAddr>().is_ok() {
        let what = format!("{} is an address: nobody looks it up", quote(text));
        return Err((what, HELP));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    match begins && text.len() <= NAME_MAX && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err((format!("{} is no name of a host", quote(text)), HELP)),
    }
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let found = text.parse::<SocketAddr>().ok();
    let found = found.filter(|at| !at.ip().is_unspecified() && !at.ip().is_multicast());
    found.filter(|at| at.port() != 0).ok_or_else(|| {
        let what = format!("{} is no address with a port", quote(text));
        (what, "write \"10.8.0.1:22\" or \"[fd00::1]:22\"")
    })
}

/// Reads all that expires, sorted by name.
fn expiries(top: &mut Table<'_, '_, '_>) -> Option<Vec<(Expiry, Ends)>> {
    let mut tables = top.group("expiry");
    let mut headers: Vec<_> = tables.entries().map(|(name, _)| name).collect();
    headers.sort_by(|a, b| a.get_ref().cmp(b.get_ref()));
    let mut all = Vec::new();
    let mut good = true;
    for header in headers {
        let name: &str = header.get_ref();
        match expiry(tables.below(name, keys::EXPIRY.keys), name) {
            Some(expiry) => all.push(expiry),
            None => good = false,
        }
    }
    if all.len() > EXPIRIES {
        let what = format!("there are {} of them", all.len());
        let (span, help) = (tables.header(), format!("write at most {EXPIRIES}"));
        tables.report().error(span, what, help);
        return None;
    }
    good.then_some(all)
}

fn expiry(mut table: Table<'_, '_, '_>, name: &str) -> Option<(Expiry, Ends)> {
    let given = ["certificate", "date", "file"].map(|key| table.gives(key));
    let lasting = table.gives("lasts");
    let (certificate, file) = (table.path("certificate"), table.path("file"));
    let date = checked(&mut table, "date", date);
    let lasts = table.duration("lasts");
    let (warn, critical) = (table.duration("warn"), table.duration("critical"));
    let (warn, critical, date) = (warn?, critical?, date?);
    let mut refuse = |span: Option<Range<usize>>, what: &str, help: &str| {
        let span = span.unwrap_or(table.header());
        table.report().error(span, what.to_owned(), help.to_owned());
        None
    };
    if given.into_iter().filter(|given| *given).count() != 1 {
        let what = "one of `certificate`, `date` and `file` must be given";
        return refuse(
            None,
            what,
            "write one of them, such as certificate = \"/etc/ssl/web.pem\"",
        );
    }
    if lasting != given[2] {
        let what = "`file` and `lasts` go together";
        let help = "write both, such as file = \"/etc/wireguard/wg0.key\" and lasts = \"365d\"";
        return refuse(None, what, help);
    }
    if critical.value > warn.value {
        let what = "`critical` is longer than `warn`";
        return refuse(
            critical.span,
            what,
            "warn first: make `critical` the shorter one",
        );
    }
    let ends = match (certificate, date, file, lasts) {
        (Some(certificate), ..) => Ends::Certificates(certificate.value),
        (None, Some(date), ..) => Ends::On(date.value),
        (None, None, Some(file), Some(lasts)) => Ends::After(file.value, lasts.value),
        // What is wrong was reported.
        (None, None, ..) => return None,
    };
    let expiry = Expiry {
        name: name.into(),
        warn: warn.value,
        critical: critical.value,
    };
    Some((expiry, ends))
}

/// The day ends with its last second, by UTC.
fn date(text: &str) -> Result<Wall, Wrong> {
    let day = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    let end = day.and_then(|day| {
        let end = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        Wall::new(end.timestamp().as_second())
    });
    let what = || format!("{} is no day", quote(text));
    end.ok_or_else(|| (what(), "write it as in \"2027-03-01\""))
}

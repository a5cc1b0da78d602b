//! What the kernel knows of links, addresses and routes. Nothing is sent.

use super::wireguard;
use crate::config::UplinkPlan;
use crate::core::fact::{Found, Step};
use crate::edge::proc_text;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

/// Bytes of a table that are read at most.
const MOST: u64 = 256 * 1024;

/// A link and its addresses.
#[derive(Default, Debug)]
struct Link {
    /// Set up, with a carrier as far as it tells of one.
    up: bool,
    /// The loop.
    own: bool,
    addresses: Vec<IpAddr>,
}

/// All links, and what leads out.
pub(super) struct Links {
    links: BTreeMap<String, Link>,
    /// Those of the default routes.
    routed: Vec<String>,
    /// Each default route: its link, and whether its next machine answers there; `None` if the kernel
    /// does not know, for a route without such a machine, and for all of IPv6.
    gateways: Vec<(String, Option<bool>)>,
    wanted: Vec<String>,
    vpn: Option<String>,
}

impl Links {
    /// Those of this machine, whose `/proc` is below `root`.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn below(root: &Path, plan: &UplinkPlan) -> io::Result<Links> {
        let mut links: BTreeMap<String, Link> = BTreeMap::new();
        for seen in getifaddrs()? {
            let link = links.entry(link_of(&seen.interface_name)).or_default();
            let up = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
            link.up = seen.flags.contains(up);
            link.own = seen.flags.contains(InterfaceFlags::IFF_LOOPBACK);
            let address = seen.address.as_ref();
            let four = address.and_then(|a| a.as_sockaddr_in().map(|a| IpAddr::V4(a.ip())));
            let six = address.and_then(|a| a.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())));
            link.addresses.extend(four.or(six));
        }
        let table = |path: &str| -> io::Result<String> {
            let mut text = String::new();
            let read = File::open(root.join(path))
                .and_then(|file| file.take(MOST).read_to_string(&mut text));
            match read {
                Ok(_) => Ok(text),
                // A kernel without that part of it.
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
                Err(e) => Err(e),
            }
        };
        let (four, six) = (table("proc/net/route")?, table("proc/net/ipv6_route")?);
        let arp = table("proc/net/arp")?;
        let routed = proc_text::default_links(&four).chain(proc_text::default_links_6(&six));
        let untold = proc_text::default_links_6(&six).map(|link| (link.to_owned(), None));
        Ok(Links {
            links,
            routed: routed.map(str::to_owned).collect(),
            gateways: gateways(&four, &arp).into_iter().chain(untold).collect(),
            wanted: plan.interfaces.clone(),
            vpn: plan.vpn.clone(),
        })
    }

    /// The steps that the kernel alone tells of, up to the first that is broken, but for the gateway.
    pub fn steps(&self) -> Vec<(Step, Found)> {
        let chosen = self.chosen();
        let link = match chosen.iter().any(|(_, link)| link.up) {
            true => Found::Well,
            false if chosen.is_empty() => Found::Missing,
            false => Found::Down,
        };
        let mut steps = vec![(Step::Link, link)];
        if link != Found::Well {
            return steps;
        }
        let up = || chosen.iter().filter(|(_, link)| link.up);
        let good = |condition: bool| match condition {
            true => Found::Well,
            false => Found::Missing,
        };
        let reaches = |link: &Link| link.addresses.iter().any(leads_beyond);
        let address = good(up().any(|(_, link)| reaches(link)));
        steps.push((Step::Address, address));
        if address != Found::Well {
            return steps;
        }
        let route = good(self.routed.iter().any(|name| self.leads(name)));
        steps.push((Step::Route, route));
        steps
    }

    /// A default route over this link counts. What leads out over the VPN leads out, where any link
    /// will do.
    fn leads(&self, name: &String) -> bool {
        let own = || self.chosen().into_iter().any(|(known, _)| known == name);
        let up = self.links.get(name).is_some_and(|link| link.up);
        up && (self.wanted.is_empty() || own())
    }

    /// The next machine on a default route answers. Nothing is said where one of these routes may lead
    /// out past those that are silent.
    pub fn gateway(&self) -> Option<Found> {
        let counted = self.gateways.iter().filter(|(name, _)| self.leads(name));
        let counted: Vec<Option<bool>> = counted.map(|(_, answers)| *answers).collect();
        if counted.contains(&Some(true)) {
            return Some(Found::Well);
        }
        (!counted.is_empty() && !counted.contains(&None)).then_some(Found::Silent)
    }

    /// The links that count: those that are named; else those of the default routes, or all of them.
    fn chosen(&self) -> Vec<(&String, &Link)> {
        let outward =
            |(name, link): &(&String, &Link)| !link.own && Some(*name) != self.vpn.as_ref();
        let all = || self.links.iter().filter(outward);
        if !self.wanted.is_empty() {
            return all()
                .filter(|(name, _)| self.wanted.contains(name))
                .collect();
        }
        let routed: Vec<_> = all().filter(|(n, _)| self.routed.contains(n)).collect();
        match routed.is_empty() {
            true => all().collect(),
            false => routed,
        }
    }

    /// The VPN's interface, and the age of its latest handshake, if the kernel tells, whose `/sys` is
    /// below `root`.
    pub fn vpn(&self, root: &Path, name: &str) -> (Found, Option<Duration>) {
        match self.links.get(name) {
            None => (Found::Missing, None),
            Some(link) if !link.up => (Found::Down, None),
            Some(_) => match wireguard::handshake(root, name) {
                wireguard::Handshake::Ago(age) => (Found::Well, Some(age)),
                wireguard::Handshake::Never => (Found::Silent, None),
                // It is of another kind, or the kernel will never tell us.
                wireguard::Handshake::Foreign | wireguard::Handshake::Kept => (Found::Well, None),
                wireguard::Handshake::Unsure => (Found::Unsure, None),
            },
        }
    }

    /// The link with this address.
    pub fn owner_of(&self, address: IpAddr) -> Option<&str> {
        let owns = |(_, link): &(&String, &Link)| link.addresses.contains(&address);
        self.links.iter().find(owns).map(|(name, _)| name.as_str())
    }
}

/// An address with a label of its own is told under that: `eth0:1`.
fn link_of(label: &str) -> String {
    let (link, _) = label.split_once(':').unwrap_or((label, ""));
    link.to_owned()
}

/// An address that is good beyond its own link.
fn leads_beyond(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => !four.is_link_local() && !four.is_unspecified() && !four.is_loopback(),
        IpAddr::V6(six) => {
            let link_local = six.segments()[0] & 0xFFC0 == 0xFE80;
            !link_local && *six != Ipv6Addr::UNSPECIFIED && !six.is_loopback()
        }
    }
}

/// The default routes in `/proc/net/route`, each with what `/proc/net/arp` knows of its next machine:
/// flags 0x2 are an answer, 0x0 that there was none (kernel: include/uapi/linux/if_arp.h).
fn gateways(routes: &str, arp: &str) -> Vec<(String, Option<bool>)> {
    let known = |link: &str, gateway: Ipv4Addr| {
        arp.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let address: Ipv4Addr = fields.first()?.parse().ok()?;
            let flags = fields.get(2)?.strip_prefix("0x")?;
            let flags = u32::from_str_radix(flags, 16).ok()?;
            let it = address == gateway && *fields.last()? == link;
            it.then_some(flags & 0x2 != 0)
        })
    };
    let of = |(link, gateway): (&str, &str)| {
        // As the processor has it in memory, which is as it goes over the network.
        let number = u32::from_str_radix(gateway, 16).unwrap_or(0);
        let gateway = (number != 0).then(|| Ipv4Addr::from(number.to_ne_bytes()));
        let answers = gateway.and_then(|gateway| known(link, gateway));
        (link.to_owned(), answers)
    };
    proc_text::default_routes(routes).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
";
    const ARP: &str = "\
IP address       HW type     Flags       HW address            Mask     Device
192.168.0.1      0x1         0x2         52:55:0a:00:02:02     *        wlan0
192.168.0.1      0x1         0x0         00:00:00:00:00:00     *        eth0
";

    fn links(wanted: &[&str], vpn: Option<&str>, known: &[(&str, bool, &[&str])]) -> Links {
        let link = |(name, up, addresses): &(&str, bool, &[&str])| {
            let link = Link {
                up: *up,
                own: *name == "lo",
                addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            };
            ((*name).to_owned(), link)
        };
        Links {
            links: known.iter().map(link).collect(),
            routed: vec!["eth0".to_owned()],
            gateways: Vec::new(),
            wanted: wanted.iter().map(|name| (*name).to_owned()).collect(),
            vpn: vpn.map(str::to_owned),
        }
    }

    /// The kernel's table has the numbers of this processor.
    #[test]
    #[cfg(target_endian = "little")]
    fn what_the_kernel_knows_of_a_gateway() {
        let silent = vec![("eth0".to_owned(), Some(false))];
        assert_eq!(gateways(ROUTES, ARP), silent);
        let unknown = vec![("eth0".to_owned(), None)];
        assert_eq!(gateways(ROUTES, ""), unknown);
        // A modem's link has no next machine: what is thought of others says nothing of it.
        let bare = "ppp0\t00000000\t00000000\t0001\t0\t0\t700\t00000000\t0\t0\t0\n";
        let both = [silent[0].clone(), ("ppp0".to_owned(), None)];
        assert_eq!(gateways(&format!("{ROUTES}{bare}"), ARP), both);
        assert_eq!(gateways("", ARP), []);
        assert_eq!(gateways("x\ny z", "q\nr"), []);
    }

    /// Each step in turn, the first that is broken the last that is told.
    #[test]
    fn from_inside_outwards() {
        use Found::{Down, Missing, Well};
        let lo: (&str, bool, &[&str]) = ("lo", true, &["127.0.0.1", "::1"]);
        let steps = |known: &[_]| links(&[], Some("wg0"), known).steps();
        assert_eq!(
            steps(&[lo, ("wg0", true, &["10.8.0.7"])]),
            [(Step::Link, Missing)]
        );
        assert_eq!(steps(&[lo, ("eth0", false, &[])]), [(Step::Link, Down)]);
        let bare = [lo, ("eth0", true, &["169.254.3.4", "fe80::1"][..])];
        let address = [(Step::Link, Well), (Step::Address, Missing)];
        assert_eq!(steps(&bare), address);
        let good = [lo, ("eth0", true, &["192.168.0.7"][..])];
        let [first, second] = [(Step::Link, Well), (Step::Address, Well)];
        assert_eq!(steps(&good), [first, second, (Step::Route, Well)]);
        // The default route leads over another one than is named.
        let both = [good[1], ("wlan0", true, &["192.168.1.7"][..])];
        let other = links(&["wlan0"], None, &both).steps();
        assert_eq!(other, [first, second, (Step::Route, Missing)]);
        assert_eq!(
            links(&["eth9"], None, &both).steps(),
            [(Step::Link, Missing)]
        );
    }

    /// A gateway is silent only if no default route can lead out past it.
    #[test]
    fn a_gateway_is_not_alone() {
        use Found::{Silent, Well};
        let known: [(&str, bool, &[&str]); 3] = [
            ("eth0", true, &["192.168.0.7"]),
            ("wwan0", true, &["10.0.0.7"]),
            ("wlan0", false, &[]),
        ];
        let of = |wanted: &[&str], gateways: &[(&str, Option<bool>)]| {
            let mut links = links(wanted, None, &known);
            links.routed = gateways.iter().map(|(l, _)| (*l).to_owned()).collect();
            let gateways = gateways.iter().map(|(link, a)| ((*link).to_owned(), *a));
            links.gateways = gateways.collect();
            links.gateway()
        };
        let dead = ("eth0", Some(false));
        assert_eq!(of(&[], &[]), None);
        assert_eq!(of(&[], &[dead]), Some(Silent));
        assert_eq!(of(&[], &[dead, ("wwan0", Some(false))]), Some(Silent));
        assert_eq!(of(&[], &[dead, ("wwan0", Some(true))]), Some(Well));
        assert_eq!(of(&[], &[dead, ("wwan0", None)]), None);
        // One over a link that is down, or not named, leads nowhere.
        assert_eq!(of(&[], &[dead, ("wlan0", None)]), Some(Silent));
        assert_eq!(of(&["eth0"], &[dead, ("wwan0", None)]), Some(Silent));
    }

    #[test]
    fn a_label_is_of_its_link() {
        let names = ["wg0:1", "eth0", "eth0.7"].map(link_of);
        assert_eq!(names, ["wg0", "eth0", "eth0.7"]);
    }

    #[test]
    fn addresses_that_lead_beyond_their_link() {
        for (address, beyond) in [
            ("192.168.0.7", true),
            ("169.254.0.7", false),
            ("0.0.0.0", false),
            ("fd00::7", true),
            ("fe80::7", false),
            ("febf::7", false),
            ("::", false),
        ] {
            assert_eq!(leads_beyond(&address.parse().unwrap()), beyond, "{address}");
        }
    }
}

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
    /// The next machine on each default route of IPv4 that has one: its link, and whether it answers
    /// there, as far as the kernel knows.
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
            let link = links.entry(seen.interface_name).or_default();
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
        Ok(Links {
            links,
            routed: routed.map(str::to_owned).collect(),
            gateways: gateways(&four, &arp),
            wanted: plan.interfaces.clone(),
            vpn: plan.vpn.clone(),
        })
    }

    /// The steps that the kernel alone tells of, up to the first that is broken.
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
        // What leads out over the VPN leads out, where any link will do.
        let own = |name: &String| up().any(|(known, _)| *known == name);
        let any = |name: &String| self.links.get(name).is_some_and(|link| link.up);
        let leads = |name: &String| own(name) || self.wanted.is_empty() && any(name);
        let route = good(self.routed.iter().any(leads));
        steps.push((Step::Route, route));
        if route == Found::Well {
            steps.extend(self.gateway(leads).map(|found| (Step::Gateway, found)));
        }
        steps
    }

    /// Nothing is said of it while nobody has asked it for anything lately.
    fn gateway(&self, leads: impl Fn(&String) -> bool) -> Option<Found> {
        let known = self.gateways.iter().filter(|(name, _)| leads(name));
        let mut answers = known.filter_map(|(_, answers)| *answers).peekable();
        answers.peek()?;
        Some(match answers.any(|answers| answers) {
            true => Found::Well,
            false => Found::Silent,
        })
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

    /// The VPN's interface, and the age of its latest handshake, if it tells.
    pub fn vpn(&self, name: &str) -> (Found, Option<Duration>) {
        match self.links.get(name) {
            None => (Found::Missing, None),
            Some(link) if !link.up => (Found::Down, None),
            Some(_) => match wireguard::handshake(name) {
                wireguard::Handshake::Ago(age) => (Found::Well, Some(age)),
                wireguard::Handshake::Never => (Found::Silent, None),
                // It is of another kind, and tells nothing.
                wireguard::Handshake::Foreign => (Found::Well, None),
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

/// The next machines on the default routes in `/proc/net/route`, each with what `/proc/net/arp` knows
/// of it: flags 0x2 are an answer, 0x0 that there was none (kernel: include/uapi/linux/if_arp.h).
fn gateways(routes: &str, arp: &str) -> Vec<(String, Option<bool>)> {
    let all = routes.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (link, to, gateway) = (*fields.first()?, *fields.get(1)?, *fields.get(2)?);
        let mask = *fields.get(7)?;
        // As the processor has it in memory, which is as it goes over the network.
        let number = u32::from_str_radix(gateway, 16).ok()?;
        let default = to == "00000000" && mask == "00000000" && number != 0;
        default.then(|| (link.to_owned(), Ipv4Addr::from(number.to_ne_bytes())))
    });
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
    all.map(|(link, gateway)| {
        let answers = known(&link, gateway);
        (link, answers)
    })
    .collect()
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
        assert_eq!(gateways("", ARP), []);
        assert_eq!(gateways("x\ny z", "q\nr"), []);
    }

    /// Each step in turn, the first that is broken the last that is told.
    #[test]
    fn from_inside_outwards() {
        use Found::{Down, Missing, Silent, Well};
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
        let mut silent = links(&[], None, &good);
        silent.gateways = vec![("eth0".to_owned(), Some(false))];
        assert_eq!(silent.steps()[3], (Step::Gateway, Silent));
        // The default route leads over another one than is named.
        let both = [good[1], ("wlan0", true, &["192.168.1.7"][..])];
        let other = links(&["wlan0"], None, &both).steps();
        assert_eq!(other, [first, second, (Step::Route, Missing)]);
        assert_eq!(
            links(&["eth9"], None, &both).steps(),
            [(Step::Link, Missing)]
        );
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

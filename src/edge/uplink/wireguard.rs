//! When a WireGuard interface had its latest handshake, by the kernel's own word (generic netlink;
//! kernel: include/uapi/linux/wireguard.h). Needs `CAP_NET_ADMIN`. Its keys come along in the
//! answer, and go with this process.

use crate::edge::clock;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_wireguard::{
    WireguardAttribute, WireguardCmd, WireguardMessage, WireguardPeerAttribute,
};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use std::fmt::Debug;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The kernel answers at once; one that does not is in trouble.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of one answer: the kernel fills pages of up to 32 KiB.
const ROOM: usize = 64 * 1024;

/// A handshake may lie so far in time to come: a clock that is set by a little. More: one that says
/// nothing of its age is taken for a young one.
const AHEAD: Duration = Duration::from_secs(5);

/// What is known of the latest handshake, with whichever peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Handshake {
    /// It was so long ago, by the clock that the kernel's is now.
    Ago(Duration),
    /// There was none since the interface was made, or there is no peer.
    Never,
    /// That is no interface of WireGuard.
    Foreign,
    /// We are not among those whom the kernel tells.
    Kept,
    /// The kernel does not tell us.
    Unsure,
}

/// Asks the kernel, whose `/sys` is below `root`. One that has no WireGuard is not asked: it would load
/// that for the question.
pub(super) fn handshake(root: &Path, interface: &str) -> Handshake {
    let path = root.join("sys/class/net").join(interface).join("uevent");
    let kind = std::fs::read_to_string(path).unwrap_or_default();
    if !kind.lines().any(|line| line == "DEVTYPE=wireguard") {
        return Handshake::Foreign;
    }
    match latest(interface) {
        Ok(0) => Handshake::Never,
        Ok(at) => {
            let since = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
            #[allow(
                clippy::disallowed_methods,
                reason = "the kernel keeps that time by this clock, and this is not the daemon"
            )]
            let now = SystemTime::now();
            age(since, now, clock::since_boot())
        }
        // No such family, and no such kind of interface.
        Err(Errno::NOENT | Errno::OPNOTSUPP | Errno::NODEV) => Handshake::Foreign,
        Err(Errno::PERM | Errno::ACCESS) => Handshake::Kept,
        Err(_) => Handshake::Unsure,
    }
}

/// One in time to come was before somebody set the clock back, nobody knows how long before. Peers
/// refuse a new one then, whose time is earlier than that of the last: it must not look young. One from
/// before the boot was not: somebody has set the clock forward since.
fn age(since: SystemTime, now: SystemTime, boot: Duration) -> Handshake {
    match now.duration_since(since) {
        Ok(age) if age > boot => Handshake::Unsure,
        Ok(age) => Handshake::Ago(age),
        Err(ahead) if ahead.duration() <= AHEAD => Handshake::Ago(Duration::ZERO),
        Err(_) => Handshake::Unsure,
    }
}

/// Seconds since 1970, or 0 for never.
fn latest(interface: &str) -> Result<u64, Errno> {
    let flags = SocketFlags::CLOEXEC;
    let generic = Some(netlink::GENERIC);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, generic)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    let family = family(&socket)?;
    let payload = WireguardMessage {
        cmd: WireguardCmd::GetDevice,
        attributes: vec![WireguardAttribute::IfName(interface.to_owned())],
    };
    let mut question = GenlMessage::from_payload(payload);
    question.set_resolved_family_id(family);
    let mut message = NetlinkMessage::from(question);
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.header.sequence_number = 2;
    put(&socket, message)?;
    let mut latest = 0;
    let mut see = |message: NetlinkMessage<GenlMessage<WireguardMessage>>| match message.payload {
        NetlinkPayload::InnerMessage(answer) => {
            latest = latest.max(newest(&answer.payload));
            Ok(false)
        }
        NetlinkPayload::Error(error) => Err(errno(error.raw_code())),
        NetlinkPayload::Done(done) if done.code != 0 => Err(errno(done.code)),
        _ => Ok(true),
    };
    while !hear(&socket, &mut see)? {}
    Ok(latest)
}

/// The newest handshake of all peers in this part of an answer.
fn newest(message: &WireguardMessage) -> u64 {
    let peers = message
        .attributes
        .iter()
        .filter_map(|attribute| match attribute {
            WireguardAttribute::Peers(peers) => Some(peers),
            _ => None,
        });
    let told = peers.flatten().flat_map(|peer| peer.iter());
    let times = told.filter_map(|attribute| match attribute {
        WireguardPeerAttribute::LastHandshake(at) => u64::try_from(at.seconds).ok(),
        _ => None,
    });
    times.max().unwrap_or(0)
}

/// The number that this kernel has given to WireGuard's messages.
fn family(socket: &OwnedFd) -> Result<u16, Errno> {
    let payload = GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName("wireguard".to_owned())],
    };
    let mut message = NetlinkMessage::from(GenlMessage::from_payload(payload));
    message.header.flags = NLM_F_REQUEST;
    message.header.sequence_number = 1;
    put(socket, message)?;
    let mut number = None;
    hear(socket, &mut |message: NetlinkMessage<
        GenlMessage<GenlCtrl>,
    >| {
        match message.payload {
            NetlinkPayload::InnerMessage(answer) => {
                number = answer.payload.nlas.iter().find_map(|nla| match nla {
                    GenlCtrlAttrs::FamilyId(number) => Some(*number),
                    _ => None,
                });
                Ok(true)
            }
            NetlinkPayload::Error(error) => Err(errno(error.raw_code())),
            _ => Ok(true),
        }
    })?;
    number.ok_or(Errno::NOENT)
}

fn errno(code: i32) -> Errno {
    Errno::from_raw_os_error(code.saturating_neg())
}

fn put<T>(socket: &OwnedFd, mut message: NetlinkMessage<T>) -> Result<(), Errno>
where
    T: netlink_packet_core::NetlinkSerializable + Debug,
{
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    send(socket, &bytes, SendFlags::empty()).map(drop)
}

/// Takes one answer apart; `see` says whether a message is the last one.
fn hear<T>(
    socket: &OwnedFd,
    see: &mut impl FnMut(NetlinkMessage<T>) -> Result<bool, Errno>,
) -> Result<bool, Errno>
where
    T: netlink_packet_core::NetlinkDeserializable + Debug,
{
    let mut room = vec![0u8; ROOM];
    let (count, _) = recv(socket, &mut room[..], RecvFlags::empty())?;
    let mut rest = &room[..count.min(ROOM)];
    while !rest.is_empty() {
        let message = NetlinkMessage::<T>::deserialize(rest).map_err(|_| Errno::BADMSG)?;
        // Each begins at a multiple of four.
        let length = (message.header.length as usize).next_multiple_of(4);
        if length == 0 {
            return Err(Errno::BADMSG);
        }
        rest = rest.get(length..).unwrap_or_default();
        if see(message)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_wireguard::{WireguardPeer, WireguardTimeSpec};

    /// The loop is no VPN, and the kernel is not asked; nor is it where somebody says that it is one,
    /// whether the kernel knows WireGuard or not.
    #[test]
    fn the_loop_is_none_of_it() {
        assert_eq!(handshake(Path::new("/"), "lo"), Handshake::Foreign);
        let root = tempfile::tempdir().unwrap();
        let lo = root.path().join("sys/class/net/lo");
        std::fs::create_dir_all(&lo).unwrap();
        std::fs::write(lo.join("uevent"), "DEVTYPE=bridge\nINTERFACE=lo\n").unwrap();
        assert_eq!(handshake(root.path(), "lo"), Handshake::Foreign);
    }

    /// A clock that was set back by more than a little makes a handshake neither young nor old.
    #[test]
    fn one_in_time_to_come_has_no_age() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let ago = |seconds| Handshake::Ago(Duration::from_secs(seconds));
        let age = |since, now| age(at(since), at(now), Duration::from_secs(3600));
        assert_eq!(age(1000, 1045), ago(45));
        assert_eq!(age(1005, 1000), ago(0));
        assert_eq!(age(1006, 1000), Handshake::Unsure);
        assert_eq!(age(9_000_000, 1000), Handshake::Unsure);
        // Nor does one that was set forward by more than the time since the boot.
        assert_eq!(age(1000, 4600), ago(3600));
        assert_eq!(age(1000, 4601), Handshake::Unsure);
        assert_eq!(age(1000, 9_000_000), Handshake::Unsure);
    }

    /// The youngest handshake counts, of whichever peer; a peer that never had one says zero.
    #[test]
    fn the_newest_counts() {
        let peer = |seconds| {
            let at = WireguardTimeSpec {
                seconds,
                nano_seconds: 5,
            };
            WireguardPeer(vec![WireguardPeerAttribute::LastHandshake(at)])
        };
        let of = |peers| WireguardMessage {
            cmd: WireguardCmd::GetDevice,
            attributes: vec![WireguardAttribute::Peers(peers)],
        };
        assert_eq!(newest(&of(vec![])), 0);
        assert_eq!(newest(&of(vec![peer(0)])), 0);
        assert_eq!(newest(&of(vec![peer(7), peer(-1), peer(9), peer(0)])), 9);
    }
}

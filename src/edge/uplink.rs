//! Looks at the way out from inside outwards, and at when things expire: the work of a child that does
//! nothing else, and ends.
//!
//! In a process of its own for the sake of the daemon: looking up a name may take as long as it likes
//! and loads what it likes, and certificates are parsed by a library; none of that is to stay in the
//! daemon's memory. It is told by its arguments what to look at ([`Errand`]) and tells by lines what it
//! has found ([`Finding`]).
//!
//! Nothing is sent but what its owner has named, and nobody beyond this machine is asked while it has
//! no link, no address or no route, but through a VPN that is up: it may have a way that is none of
//! these. Who is asked has a time of its own.

mod ask;
mod expiry;
mod lines;
mod links;
mod resolve;
mod wireguard;

use crate::config::UplinkPlan;
use crate::core::fact::{Fault, Found, Step, Uplink};
use crate::units::Wall;
pub use lines::{Errand, Finding};
use links::Links;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a name has beside the time of the others: the C library asks a second name server only once the
/// first was silent for 5 s (resolv.conf(5)), and then gives that one as long.
pub const RESOLVER: Duration = Duration::from_secs(10);

/// A file in which it stands when something expires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dated {
    /// In its certificates.
    Certificates(PathBuf),
    /// By when it was written.
    Written(PathBuf),
}

/// Does what the errand says, and tells of each thing as soon as it is known.
pub fn run(errand: &Errand, mut tell: impl FnMut(Finding)) {
    if let Some(plan) = &errand.plan {
        tell(Finding::Uplink(walk(plan)));
    }
    // A file may lie on a disk that hangs.
    for (number, dated) in &errand.files {
        tell(Finding::Dated(*number, look(dated)));
    }
}

/// # Errors
/// What the kernel said; [`Fault::Implausible`] for a file without a certificate that can be read.
fn look(dated: &Dated) -> Result<Wall, Fault> {
    match dated {
        Dated::Certificates(path) => expiry::first_end(path),
        Dated::Written(path) => expiry::written(path),
    }
}

/// Takes all steps, from inside outwards.
fn walk(plan: &UplinkPlan) -> Uplink {
    let mut uplink = Uplink::default();
    let root = Path::new("/");
    let Ok(links) = Links::below(root, plan) else {
        uplink.put(Step::Link, Found::Unsure);
        return uplink;
    };
    for (step, found) in links.steps() {
        uplink.put(step, found);
    }
    let out = uplink.found().any(|at| at == (Step::Route, Found::Well));
    ask_around(root, plan, (&links, out), &mut uplink);
    // Only who was sent something lately is known: what the kernel knew before may be as old as the
    // last outage.
    let asked = [Step::Name, Step::Peer].map(|step| uplink.found().any(|(known, _)| known == step));
    if out && (asked.contains(&true) || uplink.beyond) {
        let later = Links::below(root, plan).ok();
        if let Some(found) = later.and_then(|links| links.gateway()) {
            uplink.put(Step::Gateway, found);
        }
    }
    uplink
}

/// Asks all who have to answer. `out`: a default route leads out.
fn ask_around(root: &Path, plan: &UplinkPlan, (links, out): (&Links, bool), uplink: &mut Uplink) {
    if let Some(name) = plan.name.as_ref().filter(|_| out) {
        uplink.put(Step::Name, resolve::look_up(name, plan.timeout + RESOLVER));
    }
    if let Some(vpn) = &plan.vpn {
        let (found, handshake) = links.vpn(root, vpn);
        uplink.put(Step::Vpn, found);
        uplink.handshake = handshake;
        // Those behind one that cannot be told are asked: they may tell that it is broken.
        if !matches!(found, Found::Well | Found::Unsure) {
            return;
        }
        // Whatever leads there: it need not be a default route.
        if let Some(peer) = plan.peer {
            uplink.put(Step::Peer, ask::peer(peer, vpn, plan.timeout));
        }
    }
    if let Some(ssh) = plan.ssh {
        greeting(ssh, plan, links, out, uplink);
    }
}

/// Whether an SSH server greets. One beyond this machine is not asked where nothing leads out.
fn greeting(ssh: SocketAddr, plan: &UplinkPlan, links: &Links, out: bool, uplink: &mut Uplink) {
    let vpn = plan.vpn.as_deref();
    let owner = links.owner_of(ssh.ip());
    uplink.beyond = owner.is_none() && (out || vpn.is_some());
    let found = match (owner, vpn) {
        (Some(link), Some(vpn)) if link != vpn => Found::Missing,
        // The kernel keeps what goes to itself within itself: what is shown is that the server listens
        // at that address, and that the VPN has it.
        (Some(_), _) => ask::greeting(ssh, Some(ssh.ip()), None, plan.timeout),
        (None, _) if !uplink.beyond => return,
        (None, vpn) => ask::greeting(ssh, None, vpn, plan.timeout),
    };
    uplink.put(Step::Ssh, found);
}

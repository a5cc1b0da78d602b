//! Looks at the way out from inside outwards, and at when things expire: the work of a child that does
//! nothing else, and ends.
//!
//! In a process of its own for the sake of the daemon: looking up a name may take as long as it likes
//! and loads what it likes, and certificates are parsed by a library; none of that is to stay in the
//! daemon's memory. It is told by its arguments what to look at ([`Errand`]) and tells by lines what it
//! has found ([`Finding`]).
//!
//! Nothing is sent but what its owner has named, and nobody beyond this machine is asked while it has
//! no link, no address or no route. Who is asked has a time of its own.

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
    for (number, dated) in &errand.files {
        tell(Finding::Dated(*number, look(dated)));
    }
    if let Some(plan) = &errand.plan {
        tell(Finding::Uplink(walk(plan)));
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
    let Ok(links) = Links::below(Path::new("/"), plan) else {
        uplink.put(Step::Link, Found::Unsure);
        return uplink;
    };
    for (step, found) in links.steps() {
        uplink.put(step, found);
    }
    // A next machine that is silent is asked again by what is sent over it.
    let out = uplink.found().any(|at| at == (Step::Route, Found::Well));
    if let Some(name) = plan.name.as_ref().filter(|_| out) {
        uplink.put(Step::Name, resolve::look_up(name, plan.timeout));
    }
    if let Some(vpn) = &plan.vpn {
        let (found, handshake) = links.vpn(vpn);
        uplink.put(Step::Vpn, found);
        uplink.handshake = handshake;
        // Those behind one that cannot be told are asked: they may tell that it is broken.
        if !matches!(found, Found::Well | Found::Unsure) {
            return uplink;
        }
        if let Some(peer) = plan.peer.filter(|_| out) {
            uplink.put(Step::Peer, ask::peer(peer, vpn, plan.timeout));
        }
    }
    if let Some(found) = plan.ssh.and_then(|ssh| greeting(ssh, plan, &links, out)) {
        uplink.put(Step::Ssh, found);
    }
    uplink
}

/// Whether an SSH server greets; `None` where it is beyond this machine, and nothing leads out.
fn greeting(ssh: SocketAddr, plan: &UplinkPlan, links: &Links, out: bool) -> Option<Found> {
    let vpn = plan.vpn.as_deref();
    let owner = links.owner_of(ssh.ip());
    Some(match (owner, vpn) {
        (Some(link), Some(vpn)) if link != vpn => Found::Missing,
        // The kernel keeps what goes to itself within itself: what is shown is that the server listens
        // at that address, and that the VPN has it.
        (Some(_), _) => ask::greeting(ssh, Some(ssh.ip()), None, plan.timeout),
        (None, _) if !out => return None,
        (None, vpn) => ask::greeting(ssh, None, vpn, plan.timeout),
    })
}

//! Tries to connect to what a service must not reach: the work of its isolation probe, in a process of
//! its own that runs as the service would.
//!
//! All addresses are tried side by side, none waits for another; names are looked up beside that. What
//! is not reached in time is not reached: a firewall that drops is silent. What could not be tried
//! proves nothing.

use super::talk::{Step, Talk};
use crate::config::Target;
use crate::core::fact::{Ill, Probed};
use crate::edge::clock;
use crate::units::Mono;
use rustix::event::{PollFd, Timespec, poll};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Threads that look names up: more count against the service's own limit of processes.
const LOOKERS: usize = 2;

/// Addresses of a name that are tried. A name may have any number of them.
const ADDRESSES: usize = 16;

/// Time between two looks for names that were found.
const LOOK: Duration = Duration::from_millis(50);

/// What came of all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// This one is reached, counted from 1.
    Number(u8),
    /// None is.
    Nobody,
    /// None is, and some could not be tried.
    Untried,
}

/// Looks a name up.
type LookUp = fn(&str) -> Option<Vec<SocketAddr>>;

/// Where a name was found to be, if it was; and whose name that is.
type Found = (u8, Option<Vec<SocketAddr>>);

/// Tries all of them until then. `own_network`: the service has a network of its own, and a name that
/// cannot be looked up in that is not reached by it, either.
pub fn reach(targets: &[String], own_network: bool, end: Mono) -> Reached {
    reach_by(look_up, targets, own_network, end)
}

fn look_up(name: &str) -> Option<Vec<SocketAddr>> {
    Some(name.to_socket_addrs().ok()?.take(ADDRESSES).collect())
}

/// Connections that are not known to be taken yet, and what has become of the others.
#[derive(Default)]
struct Tries {
    open: Vec<(u8, Talk)>,
    reached: Option<u8>,
    untried: bool,
}

fn reach_by(look_up: LookUp, targets: &[String], own_network: bool, end: Mono) -> Reached {
    let mut tries = Tries::default();
    let mut names = Vec::new();
    for (number, target) in (1u8..).zip(targets) {
        match target.parse() {
            Ok(address) => tries.begin(number, address),
            Err(_) => names.push((number, target.clone())),
        }
    }
    let mut awaited = names.len();
    let found = look_for(look_up, names);
    loop {
        while let Ok((number, addresses)) = found.try_recv() {
            awaited -= 1;
            match addresses {
                Some(addresses) => addresses.into_iter().for_each(|a| tries.begin(number, a)),
                None => tries.untried |= !own_network,
            }
        }
        tries.go_on();
        let left = end.since(clock::now());
        let over = tries.open.is_empty() && awaited == 0;
        if tries.reached.is_some() || over || left.is_zero() {
            break;
        }
        tries.wait(match awaited {
            0 => left,
            _ => left.min(LOOK),
        });
    }
    // Whoever looks up a name for that long does not find it.
    tries.untried |= awaited > 0 && !own_network;
    match (tries.reached, tries.untried) {
        (Some(number), _) => Reached::Number(number),
        (None, true) => Reached::Untried,
        (None, false) => Reached::Nobody,
    }
}

/// Has these names looked up by threads that nobody waits for.
fn look_for(look_up: LookUp, names: Vec<(u8, String)>) -> Receiver<Found> {
    let (tell, found) = mpsc::channel();
    let names = Arc::new(Mutex::new(names));
    for _ in 0..LOOKERS {
        let (tell, names): (Sender<Found>, _) = (tell.clone(), Arc::clone(&names));
        let looker = move || {
            let next = || names.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some((number, name)) = next() {
                // Nobody listens once the time is over.
                let _ = tell.send((number, look_up(&name)));
            }
        };
        // Names that no thread could be had for count as not found.
        let _ = thread::Builder::new().spawn(looker);
    }
    found
}

impl Tries {
    fn begin(&mut self, number: u8, address: SocketAddr) {
        match Talk::connect(&Target::Inet(address), None) {
            Ok(talk) => self.open.push((number, talk)),
            Err(probed) => self.judge(number, probed),
        }
    }

    /// Lets every connection go on as far as it can.
    fn go_on(&mut self) {
        for (number, mut talk) in std::mem::take(&mut self.open) {
            match talk.go_on() {
                Step::Waits => self.open.push((number, talk)),
                Step::Over(probed) => self.judge(number, probed),
            }
        }
    }

    fn judge(&mut self, number: u8, probed: Probed) {
        match probed {
            Probed::Good => {
                self.reached = Some(self.reached.map_or(number, |least| least.min(number)));
            }
            Probed::Bad(_) => {}
            Probed::Unsure(why) => self.untried |= !is_barred(why),
        }
    }

    fn wait(&self, most: Duration) {
        let waits = self.open.iter().map(|(_, talk)| talk.waits_for());
        let mut fds: Vec<PollFd<'_>> = waits
            .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        let most = Timespec::try_from(most + Duration::from_millis(1)).ok();
        // Whatever ends it, all of them are looked at.
        let _ = poll(&mut fds, most.as_ref());
    }
}

/// The kernel, or somebody on the way, lets nobody through. Anything else that keeps from trying is a
/// lack of our own.
fn is_barred(why: Ill) -> bool {
    let Ill::Errno(errno) = why else {
        return false;
    };
    matches!(
        errno.0,
        libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EHOSTDOWN
            | libc::EACCES
            | libc::EPERM
            | libc::EAFNOSUPPORT
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Errno;
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;

    fn end() -> Mono {
        clock::now().after(Duration::from_secs(20))
    }

    fn at(listener: &TcpListener) -> String {
        listener.local_addr().unwrap().to_string()
    }

    fn refused() -> String {
        at(&TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Somebody who takes nobody any more: connections to it stay without an answer.
    fn silent() -> (SocketAddr, OwnedFd, Vec<Talk>) {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listen(&socket, 0).unwrap();
        let address = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        let waiting = (0..4).map(|_| Talk::connect(&Target::Inet(address), None).ok().unwrap());
        let waiting = waiting.collect();
        (address, socket, waiting)
    }

    /// What listens is reached, what refuses is not, and the first that answers counts.
    #[test]
    fn the_first_that_is_reached_counts() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let all = [refused(), at(&listener)];
        assert_eq!(reach(&all[..1], false, end()), Reached::Nobody);
        assert_eq!(reach(&all, false, end()), Reached::Number(2));
        assert_eq!(reach(&[], false, end()), Reached::Nobody);
    }

    /// One that is silent costs the others no time: neither another one, nor another address of the
    /// same name.
    #[test]
    fn silence_hides_nobody() {
        let (quiet, _listens, _waiting) = silent();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let all = [quiet.to_string(), at(&listener)];
        assert_eq!(reach(&all, false, end()), Reached::Number(2));
        static BOTH: Mutex<Vec<SocketAddr>> = Mutex::new(Vec::new());
        *BOTH.lock().unwrap() = vec![quiet, listener.local_addr().unwrap()];
        let look_up: LookUp = |_| Some(BOTH.lock().unwrap().clone());
        let name = ["db:1".to_owned()];
        assert_eq!(reach_by(look_up, &name, false, end()), Reached::Number(1));
        let soon = clock::now().after(Duration::from_millis(300));
        assert_eq!(reach(&all[..1], false, soon), Reached::Nobody);
    }

    /// A name that cannot be looked up proves nothing where the machine's network is looked at; in a
    /// network of its own the service cannot look it up, either. Nor does one that is looked up for
    /// ever.
    #[test]
    fn what_cannot_be_tried_proves_nothing() {
        let names = ["db:1".to_owned(), refused()];
        let nowhere: LookUp = |_| None;
        assert_eq!(reach_by(nowhere, &names, false, end()), Reached::Untried);
        assert_eq!(reach_by(nowhere, &names, true, end()), Reached::Nobody);
        let for_ever: LookUp = |_| {
            thread::park_timeout(Duration::from_secs(3));
            None
        };
        let soon = clock::now().after(Duration::from_millis(300));
        assert_eq!(reach_by(for_ever, &names, false, soon), Reached::Untried);
        let mut tries = Tries::default();
        for barred in [libc::ENETUNREACH, libc::EPERM] {
            tries.judge(1, Probed::Unsure(Ill::Errno(Errno(barred))));
        }
        assert!(!tries.untried);
        tries.judge(1, Probed::Unsure(Ill::Errno(Errno(libc::EMFILE))));
        assert!(tries.untried);
    }
}

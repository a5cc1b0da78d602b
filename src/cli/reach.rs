//! `reach`: tries to connect to what a service must not reach; its isolation probe.
//!
//! It runs as the service would, in the service's network. What is not reached in time is not reached:
//! a closed network drops what is sent, and never answers.

use crate::config::reach::{MOST, is_target};
use crate::edge::clock;
use crate::units::Mono;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Time for all of them together, which look their names up and connect side by side. Shorter, and an
/// answer from far away comes too late; half of what the prober gives.
const WITHIN: Duration = Duration::from_secs(10);

/// Ends with this where nothing can be told.
const CANNOT_TELL: u8 = 125;

/// A host and a port.
pub fn target(text: &str) -> Result<String, String> {
    match is_target(text) {
        true => Ok(text.to_owned()),
        false => Err("write a host and a port, as in db:5432".to_owned()),
    }
}

/// Ends with the number of the first that is reached, counted from 1, or with 0.
pub fn reach(targets: &[String]) -> ExitCode {
    if targets.len() > MOST {
        return ExitCode::from(CANNOT_TELL);
    }
    match first(targets, clock::now().after(WITHIN)) {
        Some(found) => ExitCode::from(found),
        None => ExitCode::SUCCESS,
    }
}

/// The number of the first target that is reached until then.
fn first(targets: &[String], end: Mono) -> Option<u8> {
    let (tell, told) = mpsc::channel();
    let mut untried = false;
    for (number, target) in (1u8..).zip(targets) {
        let (tell, target) = (tell.clone(), target.clone());
        let begun = thread::Builder::new().spawn(move || {
            if is_reached(&target, end) {
                // Nobody listens once the time is over.
                let _ = tell.send(number);
            }
        });
        untried |= begun.is_err();
    }
    drop(tell);
    let mut found: Option<u8> = None;
    while let Ok(number) = told.recv_timeout(end.since(clock::now())) {
        found = Some(found.map_or(number, |least| least.min(number)));
    }
    found.or(untried.then_some(CANNOT_TELL))
}

fn is_reached(target: &str, end: Mono) -> bool {
    let Ok(addresses) = target.to_socket_addrs() else {
        return false;
    };
    addresses.into_iter().any(|address| connects(&address, end))
}

fn connects(address: &SocketAddr, end: Mono) -> bool {
    let left = end.since(clock::now());
    !left.is_zero() && TcpStream::connect_timeout(address, left).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What listens is reached, what refuses is not, and the first one counts.
    #[test]
    fn the_first_that_is_reached_counts() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [a, b] = listeners
            .each_ref()
            .map(|l| l.local_addr().unwrap().to_string());
        let refused = {
            let gone = TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap().to_string()
        };
        let end = || clock::now().after(WITHIN);
        assert_eq!(first(std::slice::from_ref(&refused), end()), None);
        assert_eq!(
            first(&[refused.clone(), b.clone(), a.clone()], end()),
            Some(2)
        );
        assert_eq!(first(&[a, b], end()), Some(1));
        assert_eq!(first(&[], end()), None);
        assert!(target("--x").is_err() && target(&refused).is_ok());
    }
}

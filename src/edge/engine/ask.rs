//! Asks an engine once for one container, and waits for the answer: for `check`, never in the daemon.

use super::inspect;
use super::talk::{Step, Talk, question};
use crate::config::ContainerFound;
use crate::core::fact::{Errno, Fault};
use crate::core::settings::Keeper;
use crate::edge::clock;
use crate::text::fault_sentence;
use rustix::event::{PollFd, Timespec, poll};
use std::path::Path;
use std::time::Duration;

/// Somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the engine says of a container, if an engine keeps it.
pub fn look_once(keeper: &Keeper) -> ContainerFound {
    let Keeper::Engine {
        socket, container, ..
    } = keeper
    else {
        return ContainerFound::Well;
    };
    match ask(Path::new(&**socket), container, PATIENCE) {
        Ok((404, _)) => ContainerFound::Missing,
        Ok((200, body)) => match inspect::seen(&body).map(|seen| seen.policy) {
            Some(None) => ContainerFound::Well,
            Some(Some(policy)) => ContainerFound::Restarted(policy),
            None => ContainerFound::Silent(fault_sentence(&Fault::Implausible)),
        },
        Ok((status, _)) => ContainerFound::Silent(format!("it answers with status {status}")),
        Err(why) => ContainerFound::Silent(fault_sentence(&why)),
    }
}

fn ask(socket: &Path, container: &str, patience: Duration) -> Result<(u16, Vec<u8>), Fault> {
    let deadline = clock::now().after(patience);
    let asked = question("GET", &format!("/containers/{container}/json"));
    let mut talk = Talk::begin(socket, asked)?;
    while talk.go_on()? == Step::Waits {
        let left = deadline.since(clock::now());
        if left.is_zero() {
            return Err(Fault::Errno(Errno(libc::ETIMEDOUT)));
        }
        let (fd, flags) = talk.waits_for();
        let left = Timespec::try_from(left).ok();
        // Whatever comes of that, the deadline counts.
        let _ = poll(&mut [PollFd::from_borrowed_fd(fd, flags)], left.as_ref());
    }
    let status = talk.answer.status().unwrap_or_default();
    Ok((status, talk.answer.body().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, Manner};
    use super::*;
    use crate::core::settings::{Engine, Unhealthy};

    #[test]
    fn what_an_engine_says() {
        let fake = Fake::new();
        let keeper = Keeper::Engine {
            engine: Engine::Docker,
            socket: fake.socket().to_str().unwrap().into(),
            container: "web".into(),
            unhealthy: Unhealthy::Restart,
        };
        assert_eq!(look_once(&keeper), ContainerFound::Missing);
        fake.stands(r#"{"Status":"exited"}"#);
        assert_eq!(look_once(&keeper), ContainerFound::Well);
        let always = r#"{"Id":"4d4f","State":{"Status":"exited"},
            "HostConfig":{"RestartPolicy":{"Name":"always"}}}"#;
        let says = always.to_owned();
        fake.says().containers.insert("web".to_owned(), says);
        let always = ContainerFound::Restarted("always".to_owned());
        assert_eq!(look_once(&keeper), always);
        fake.says().manner = Manner::Garbage;
        assert!(matches!(look_once(&keeper), ContainerFound::Silent(_)));
        fake.says().manner = Manner::Never;
        let short = Duration::from_millis(100);
        let timed_out = Err(Fault::Errno(Errno(libc::ETIMEDOUT)));
        assert_eq!(ask(&fake.socket(), "web", short), timed_out);
        fake.go();
        let silent = look_once(&keeper);
        assert!(matches!(silent, ContainerFound::Silent(why) if why.contains("ENOENT")));
    }
}

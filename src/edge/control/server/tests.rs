//! Who may come in, who may act, and how much may be under way.

use super::*;
use crate::core::fact::Thread;
use crate::edge::control::EventRing;
use crate::edge::inbox::inbox;
use crate::edge::orders::with_bell;
use crate::edge::pulse::Pulse;

/// A server that does not run, with one client of this user.
fn server(own_uid: u32, uid: u32) -> (Server, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let pulse = Arc::new(Pulse::new(Thread::Control, Duration::from_secs(3)));
    let (_orders, work) = with_bell(CLIENTS_MAX, pulse).unwrap();
    let mut server = Server::new(Control {
        door: Door::open(dir.path()).unwrap(),
        settings: Arc::new(Settings::nothing()),
        inbox: inbox().0,
        work,
        events: Arc::new(EventRing::new().unwrap()),
        operators: Vec::new(),
        running: None,
    })
    .unwrap();
    server.own_uid = own_uid;
    let (ours, _theirs) = UnixStream::pair().unwrap();
    server
        .clients
        .insert(1, Client::new(Caller::new(ours.into()), uid, Mono(0)));
    (server, dir)
}

/// Those whom the configuration names may act as well, by what `/etc/passwd` says at that moment; whoever
/// is not in it may not, and nobody else may.
#[test]
fn operators_may_act() {
    let (mut server, dir) = server(0, 1000);
    server.accounts = Accounts::of(dir.path());
    server.operators = vec!["pi".to_owned(), "1001".to_owned(), "gone".to_owned()];
    let halt = r#"{"v":1,"request":"halt","kind":"reboot"}"#;
    let may = |server: &mut Server, uid: u32| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        server
            .clients
            .insert(1, Client::new(Caller::new(ours.into()), uid, Mono(0)));
        server.judge(1, halt.as_bytes()).is_ok()
    };
    let write = |file: &str, text: &str| std::fs::write(dir.path().join(file), text).unwrap();
    assert!(!may(&mut server, 1000), "there are no accounts");
    write("group", "");
    write(
        "passwd",
        "pi:x:1000:1000::/:/bin/sh\neve:x:1002:1002::/:/bin/sh\n",
    );
    assert!(may(&mut server, 1000) && may(&mut server, 1001));
    assert!(!may(&mut server, 1002) && !may(&mut server, u32::MAX));
    write("passwd", "pi:x:1003:1003::/:/bin/sh\n");
    assert!(!may(&mut server, 1000) && may(&mut server, 1003));
}

/// A socket that is not closed yet when its client is let go is not told of again and again.
#[test]
fn who_is_let_go_is_not_told_of() {
    let (mut server, _dir) = server(0, 0);
    for is_told_why in [false, true] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let _open = ours.try_clone().unwrap();
        server.admit_as(Caller::new(ours.into()), 0, Mono(0));
        let key = server.last_ticket;
        match is_told_why {
            false => drop(server.forget(key)),
            true => server.dismiss(key, &too_slow()),
        }
        assert!(!server.clients.contains_key(&key));
        drop(theirs);
        let mut told: Vec<Event> = Vec::with_capacity(8);
        let spare = rustix::buffer::spare_capacity(&mut told);
        epoll::wait(&server.epoll, spare, Some(&Timespec::default())).unwrap();
        assert!(told.iter().all(|event| event.data.u64() != key));
    }
}

/// Everybody who may connect may look; only root and the daemon's own user may act.
#[test]
fn only_root_and_the_own_user_may_act() {
    let mut settings = Settings::nothing();
    settings.services = crate::edge::control::request::tests::services(&["web"]);
    let judge = |own: u32, uid: u32, line: &str| {
        let (mut server, _dir) = server(own, uid);
        server.settings = Arc::new(settings.clone());
        server.judge(1, line.as_bytes())
    };
    let restart = r#"{"v":1,"request":"restart","service":"web"}"#;
    let status = r#"{"v":1,"request":"status"}"#;
    let events = r#"{"v":1,"request":"events"}"#;
    for (own, uid, may) in [
        (0, 0, true),
        (990, 990, true),
        (990, 0, true),
        (0, 990, false),
    ] {
        assert!(judge(own, uid, status).is_ok());
        assert!(judge(own, uid, events).is_ok());
        let outcome = judge(own, uid, restart);
        assert_eq!(outcome.is_ok(), may, "daemon {own}, user {uid}");
    }
    let refusal = judge(990, 1000, restart).unwrap_err();
    assert_eq!(refusal.code, Code::NotPermitted);
    assert!(
        refusal.error.contains("user 1000 may look"),
        "{}",
        refusal.error
    );
    assert!(refusal.help.contains("user 990"), "{}", refusal.help);
}

/// When the room is full the client that has been idle for longest goes, and root goes last.
#[test]
fn root_is_sent_away_last() {
    let (mut server, _dir) = server(0, 0);
    let mut theirs = Vec::new();
    for (key, since) in [(2, 30), (3, 20)] {
        let (ours, their) = UnixStream::pair().unwrap();
        theirs.push(their);
        server.clients.insert(
            key,
            Client::new(Caller::new(ours.into()), 1000, Mono(since)),
        );
    }
    for left in [vec![1, 2], vec![1], vec![]] {
        assert!(server.make_room(Mono(40)));
        assert_eq!(server.clients.keys().copied().collect::<Vec<_>>(), left);
    }
    assert!(!server.make_room(Mono(40)));
}

/// The core is asked by at most as many requests as there may be clients, even when those who
/// asked do not wait for the answer.
#[test]
fn open_requests_are_bounded() {
    let (mut server, _dir) = server(0, 0);
    let status = br#"{"v":1,"request":"status"}"#;
    for ticket in 100..100 + CLIENTS_MAX as u64 {
        assert!(server.judge(1, status).is_ok());
        server.open.insert(ticket, Mono(10));
    }
    assert_eq!(server.judge(1, status).unwrap_err().code, Code::Busy);
    server.reply(Ticket(100), Reply::Status("{}".into()), Mono(1));
    assert!(server.judge(1, status).is_ok());
    server.expire(Mono(10));
    assert!(server.open.is_empty());
}

/// Users who may only look fill all places that they may have, and none of them is idle: root comes in
/// all the same, and what root asks is done, however much of theirs is under way.
#[test]
fn places_are_kept_for_those_who_may_act() {
    let (mut server, dir) = server(0, 1000);
    server.settings = Arc::new({
        let mut settings = Settings::nothing();
        settings.services = crate::edge::control::request::tests::services(&["web"]);
        settings
    });
    let socket = dir.path().join(crate::edge::control::SOCKET);
    let mut held = Vec::new();
    let mut knock = |server: &mut Server, uid: u32| {
        held.push(UnixStream::connect(&socket).unwrap());
        let (stream, _) = server.door.listener.accept().unwrap();
        let before = server.last_ticket;
        server.admit_as(Caller::new(stream.into()), uid, Mono(0));
        let client = server.clients.get_mut(&server.last_ticket);
        client
            .filter(|_| server.last_ticket > before)
            .map(|client| {
                client.wait(CORE_WITHIN, Mono(0));
                server.open.insert(server.last_ticket, Mono(10));
            })
    };
    let taken = (0..40).filter_map(|_| knock(&mut server, 1000)).count();
    assert!(taken < CLIENTS_MAX, "{taken} of them");
    assert!(knock(&mut server, 0).is_some(), "root is kept out");
    let status = br#"{"v":1,"request":"status"}"#;
    let restart = br#"{"v":1,"request":"restart","service":"web"}"#;
    for ticket in 100..100 + CLIENTS_MAX as u64 {
        if let Err(busy) = server.judge(1, status) {
            assert_eq!(busy.code, Code::Busy);
            break;
        }
        server.open.insert(ticket, Mono(10));
    }
    let root = server.last_ticket;
    assert!(server.judge(root, restart).is_ok());
    assert_eq!(server.judge(1, status).unwrap_err().code, Code::Busy);
}

/// The configuration is for those alone who could read its files: not for operators.
#[test]
fn a_configuration_is_not_for_everybody() {
    let wanted = br#"{"v":1,"request":"configuration"}"#;
    for (own, uid, may) in [
        (0, 0, true),
        (1000, 1000, true),
        (0, 1000, false),
        (1000, 0, true),
    ] {
        let (mut server, _dir) = server(own, uid);
        server.acting = vec![uid];
        let judged = server.judge(1, wanted);
        assert_eq!(
            judged.as_ref().ok(),
            may.then_some(&Wanted::Configuration),
            "{own} {uid}"
        );
        assert!(may || judged.is_err_and(|r| r.code == Code::NotPermitted));
    }
}

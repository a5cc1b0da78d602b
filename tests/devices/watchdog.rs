//! The decisions on top of a watchdog's driver, shown with drivers of every temper.

use crate::watchdog_fake::{Call, FULL, Fake, Temper};
use fieldwarden::core::fact::{Errno, Fault};
use fieldwarden::edge::watchdog_device::{
    DrivenWatchdog, WDIOF_CARDRESET, WDIOF_KEEPALIVEPING, WDIOF_SETTIMEOUT, WatchdogDevice,
};
use proptest::prelude::*;
use std::time::Duration;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn errno<T>(number: i32) -> Result<T, Fault> {
    Err(Fault::Errno(Errno(number)))
}

/// A fake that is armed, with what it was asked so far forgotten.
fn armed(fake: &Fake) -> DrivenWatchdog<Fake> {
    let mut watchdog = DrivenWatchdog::on(fake.clone());
    watchdog.arm(seconds(15)).unwrap();
    fake.forget();
    watchdog
}

#[test]
fn a_timeout_is_negotiated_with_every_kind_of_driver() {
    use Temper::{ClampsTo, Fails, Obliging, RefusesAbove, RefusesBelow};
    let pi = || Fake::new(RefusesAbove(15));
    for (name, fake, wanted, asked, expected) in [
        ("any", Fake::new(Obliging), 60, vec![60], 60),
        (
            "limit told",
            pi().showing("max_timeout", "15"),
            60,
            vec![60, 15],
            15,
        ),
        ("limit not told", pi(), 60, vec![60, 30, 20, 15], 15),
        (
            "limit told as none",
            pi().showing("max_timeout", "0"),
            20,
            vec![20, 15],
            15,
        ),
        (
            "limit told wrongly",
            pi().showing("max_timeout", "31"),
            45,
            vec![45, 31, 30, 20, 15],
            15,
        ),
        (
            "odd limit",
            Fake::new(RefusesAbove(8)),
            300,
            vec![300, 60, 30, 20, 15, 10, 5],
            5,
        ),
        ("within the limit", pi(), 15, vec![15], 15),
        (
            "clamps in silence",
            Fake::new(ClampsTo(16)),
            60,
            vec![60],
            16,
        ),
        (
            "too short",
            Fake::new(RefusesBelow(10)).showing("min_timeout", "10"),
            5,
            vec![5, 10],
            10,
        ),
        (
            "refuses all",
            Fake::new(RefusesAbove(0)),
            12,
            vec![12, 10, 5],
            16,
        ),
        (
            "cannot be set",
            Fake::new(Fails(libc::EOPNOTSUPP)),
            60,
            vec![60],
            16,
        ),
        (
            "old, cannot be set",
            Fake::new(Fails(libc::ENOTTY)),
            60,
            vec![60],
            16,
        ),
        ("sick", Fake::new(Fails(libc::EIO)), 60, vec![60], 16),
    ] {
        let mut watchdog = DrivenWatchdog::on(fake.clone());
        let seen = watchdog.arm(seconds(wanted)).unwrap();
        assert_eq!(seen.timeout, seconds(expected), "{name}");
        let sets: Vec<u32> = fake
            .called()
            .into_iter()
            .filter_map(|call| {
                if let Call::Set(n) = call {
                    Some(n)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(sets, asked, "{name}");
        assert_eq!(watchdog.pet(), Ok(()), "{name}");
    }
}

#[test]
fn a_timeout_that_cannot_be_read_back_is_taken_from_elsewhere() {
    let deaf = || Fake::new(Temper::Obliging).failing("get", libc::EOPNOTSUPP);
    let stuck = || Fake::new(Temper::Fails(libc::EOPNOTSUPP)).failing("get", libc::EOPNOTSUPP);
    for (name, fake, expected) in [
        ("shown beside", deaf().showing("timeout", "12"), 12),
        ("what was accepted", deaf(), 30),
        (
            "nonsense shown beside",
            deaf().showing("timeout", "soon"),
            30,
        ),
        ("nothing known at all", stuck(), 5),
    ] {
        let seen = DrivenWatchdog::on(fake).arm(seconds(30)).unwrap();
        assert_eq!(seen.timeout, seconds(expected), "{name}");
    }
    let mut zero = Fake::new(Temper::ClampsTo(0));
    zero.timeout = 0;
    assert_eq!(
        DrivenWatchdog::on(zero).arm(seconds(30)).unwrap().timeout,
        seconds(30)
    );
}

#[test]
fn a_wanted_timeout_is_rounded_up_to_what_the_kernel_counts_in() {
    for (wanted, asked) in [
        (Duration::ZERO, 1),
        (Duration::from_millis(1), 1),
        (Duration::from_millis(14_001), 15),
        (seconds(15), 15),
        (Duration::MAX, 2_147_483_647),
    ] {
        let fake = Fake::new(Temper::Obliging);
        DrivenWatchdog::on(fake.clone()).arm(wanted).unwrap();
        assert!(
            fake.called().contains(&Call::Set(asked)),
            "{wanted:?}: {:?}",
            fake.called()
        );
    }
}

#[test]
fn what_the_driver_says_is_passed_on() {
    let mut fake = Fake::new(Temper::Obliging).showing("nowayout", "1");
    fake.boot_status = WDIOF_CARDRESET | WDIOF_KEEPALIVEPING;
    let seen = DrivenWatchdog::on(fake.clone()).arm(seconds(15)).unwrap();
    assert_eq!(&*seen.identity, "fake timer");
    assert!(seen.nowayout && seen.caused_reset);

    // Other causes in the boot status are not ours, and no answer is no cause.
    fake.boot_status = 0x10;
    assert!(
        !DrivenWatchdog::on(fake.clone())
            .arm(seconds(15))
            .unwrap()
            .caused_reset
    );
    let mute = fake.failing("boot_status", libc::ENOTTY);
    assert!(
        !DrivenWatchdog::on(mute)
            .arm(seconds(15))
            .unwrap()
            .caused_reset
    );
}

#[test]
fn a_driver_that_does_not_name_itself_is_named_by_its_attributes() {
    let mute = Fake::new(Temper::Obliging).failing("support", libc::ENOTTY);
    let named = mute.clone().showing("identity", "shown timer");
    for (fake, name) in [(mute, "unnamed watchdog"), (named, "shown timer")] {
        let seen = DrivenWatchdog::on(fake).arm(seconds(15)).unwrap();
        assert_eq!(&*seen.identity, name);
    }
}

#[test]
fn a_device_that_cannot_be_opened_says_why_and_is_tried_again() {
    let mut held = Fake::new(Temper::Obliging).failing("open", libc::EBUSY);
    held.holder = Some("systemd (pid 1)");
    let by = Some("systemd (pid 1)".into());
    let failing = |errno| Fake::new(Temper::Obliging).failing("open", errno);
    for (fake, why) in [
        (held, Fault::Taken { by }),
        (failing(libc::EBUSY), Fault::Taken { by: None }),
        (failing(libc::ENOENT), Fault::Absent),
        (failing(libc::ENODEV), Fault::Absent),
        (failing(libc::ENXIO), Fault::Absent),
        (failing(libc::EACCES), Fault::Errno(Errno(libc::EACCES))),
    ] {
        let mut watchdog = DrivenWatchdog::on(fake.clone());
        assert_eq!(watchdog.arm(seconds(15)), Err(why.clone()));
        assert_eq!(watchdog.pet(), errno(libc::EBADF));
        assert_eq!(watchdog.disarm(), Ok(()));
        assert_eq!(watchdog.arm(seconds(15)), Err(why));
        assert_eq!(fake.called(), [Call::Open, Call::Open]);
    }
}

#[test]
fn an_open_device_is_only_given_its_timeout_anew() {
    let fake = Fake::new(Temper::Obliging);
    let mut watchdog = armed(&fake);
    assert_eq!(watchdog.arm(seconds(30)).unwrap().timeout, seconds(30));
    assert_eq!(fake.called(), [Call::Set(30), Call::Get, Call::BootStatus]);
}

#[test]
fn a_pet_is_one_call() {
    let fake = Fake::new(Temper::Obliging);
    let mut watchdog = armed(&fake);
    watchdog.pet().unwrap();
    assert_eq!(fake.called(), [Call::KeepAlive]);
}

#[test]
fn a_driver_without_a_call_for_pets_is_petted_by_writing() {
    for missing in [libc::EOPNOTSUPP, libc::ENOTTY] {
        let fake = Fake::new(Temper::Obliging).failing("keep_alive", missing);
        let mut watchdog = armed(&fake);
        watchdog.pet().unwrap();
        assert_eq!(fake.called(), [Call::KeepAlive, Call::Write(0)]);
    }
}

#[test]
fn a_pet_that_fails_leaves_the_device_open_unless_it_is_gone() {
    let sick = Fake::new(Temper::Obliging).failing("keep_alive", libc::EIO);
    let mut watchdog = armed(&sick);
    assert_eq!(watchdog.pet(), errno(libc::EIO));
    assert_eq!(watchdog.pet(), errno(libc::EIO));
    assert_eq!(sick.called(), [Call::KeepAlive, Call::KeepAlive]);

    let gone = Fake::new(Temper::Obliging).failing("keep_alive", libc::ENODEV);
    let mut watchdog = armed(&gone);
    assert_eq!(watchdog.pet(), errno(libc::ENODEV));
    assert_eq!(watchdog.pet(), errno(libc::EBADF));
    assert_eq!(gone.called(), [Call::KeepAlive, Call::Close]);
    watchdog.arm(seconds(15)).unwrap();
    assert!(gone.called().contains(&Call::Open));
}

#[test]
fn a_device_may_vanish_at_any_moment_of_arming() {
    let whole = Fake::new(Temper::RefusesAbove(15));
    DrivenWatchdog::on(whole.clone()).arm(seconds(60)).unwrap();
    let length = whole.called().len();
    assert_eq!(length, 8);
    for moment in 0..length {
        let fake = Fake::new(Temper::RefusesAbove(15)).vanishing_at(moment);
        let mut watchdog = DrivenWatchdog::on(fake.clone());
        match (moment, watchdog.arm(seconds(60))) {
            (0, armed) => assert_eq!(armed, Err(Fault::Absent)),
            // The boot status comes last, and arming does not depend on it.
            (7, armed) => assert_eq!(armed.unwrap().timeout, seconds(15)),
            (_, armed) => assert_eq!(armed, errno(libc::ENODEV), "at call {moment}"),
        }
        let _ = watchdog.pet();
        assert_eq!(watchdog.pet(), errno(libc::EBADF), "at call {moment}");
        assert!(!fake.called().contains(&Call::Write(b'V')));
    }
}

#[test]
fn disarming_is_the_letter_and_the_close_and_nothing_between() {
    let fake = Fake::new(Temper::Obliging);
    let mut watchdog = armed(&fake);
    assert_eq!(watchdog.disarm(), Ok(()));
    assert_eq!(fake.called(), [Call::Write(b'V'), Call::Close]);
    assert_eq!(watchdog.pet(), errno(libc::EBADF));
    assert_eq!(watchdog.disarm(), Ok(()));
}

/// What a predecessor in the same process has left open, and nobody wants any more.
#[test]
fn a_device_that_was_handed_over_and_is_not_wanted_is_stopped() {
    let fake = Fake::new(Temper::Obliging);
    assert_eq!(DrivenWatchdog::on(fake.clone()).stop_open(), Ok(()));
    let called = fake.called();
    assert!(
        called.ends_with(&[Call::Write(b'V'), Call::Close]),
        "{called:?}"
    );
    let kept = Fake::new(Temper::Obliging).showing("nowayout", "1");
    assert_eq!(
        DrivenWatchdog::on(kept.clone()).stop_open(),
        errno(libc::EPERM)
    );
    assert!(!kept.called().contains(&Call::Write(b'V')));
}

#[test]
fn a_device_that_cannot_be_disarmed_stays_open_and_can_be_petted() {
    let make = || Fake::new(Temper::Obliging);
    let blind = make().with_options(WDIOF_SETTIMEOUT).hiding("state");
    for (fake, why) in [
        (make().showing("nowayout", "1"), libc::EPERM),
        (blind, libc::EOPNOTSUPP),
        (make().failing("write", libc::EIO), libc::EIO),
    ] {
        let mut watchdog = armed(&fake);
        assert_eq!(watchdog.disarm(), errno(why));
        assert!(!fake.called().contains(&Call::Close));
        assert_eq!(watchdog.pet(), Ok(()));
    }
}

/// The kernel stops a driver that does not know the letter at any close.
#[test]
fn a_driver_without_magic_close_is_stopped_by_closing() {
    let fake = Fake::new(Temper::Obliging).with_options(WDIOF_SETTIMEOUT);
    let mut watchdog = armed(&fake);
    assert_eq!(watchdog.disarm(), Ok(()));
    assert_eq!(fake.called(), [Call::Close]);
}

#[test]
fn a_device_that_runs_on_after_its_close_is_not_taken_for_stopped() {
    for options in [FULL, WDIOF_SETTIMEOUT] {
        let fake = Fake::new(Temper::Obliging)
            .with_options(options)
            .showing("state", "active");
        let mut watchdog = armed(&fake);
        assert_eq!(watchdog.disarm(), errno(libc::EBUSY));
        assert!(fake.called().contains(&Call::Close));
    }
}

#[test]
fn a_device_that_vanishes_while_it_is_disarmed_is_closed() {
    let fake = Fake::new(Temper::Obliging).failing("write", libc::ENODEV);
    let mut watchdog = armed(&fake);
    assert_eq!(watchdog.disarm(), errno(libc::ENODEV));
    assert_eq!(fake.called(), [Call::Write(b'V'), Call::Close]);
}

#[test]
fn dropping_a_watchdog_never_disarms_it() {
    let fake = Fake::new(Temper::Obliging);
    drop(armed(&fake));
    assert_eq!(fake.called(), []);
}

proptest! {
    #[test]
    fn whatever_the_limits_an_armed_watchdog_has_a_timeout_and_few_calls_are_made(
        wanted in 1_u64..700,
        least in 1_u32..30,
        span in 0_u32..700,
        told in any::<bool>(),
    ) {
        let most = least + span;
        let (least_text, most_text) = (least.to_string().leak(), most.to_string().leak());
        let mut fake = Fake::new(Temper::RefusesAbove(most));
        if told {
            fake = fake.showing("min_timeout", least_text).showing("max_timeout", most_text);
        }
        let seen = DrivenWatchdog::on(fake.clone()).arm(seconds(wanted)).unwrap();
        let timeout = seen.timeout.as_secs();
        prop_assert!(timeout > 0);
        if wanted <= u64::from(most) {
            prop_assert_eq!(timeout, wanted);
        } else if told {
            prop_assert_eq!(timeout, u64::from(most));
        }
        prop_assert!(fake.called().len() <= 13);
    }
}

//! Words about the way out of the machine, and about what expires.

use super::describe::{Fields, time, word};
use super::quantity::{for_people, seconds};
use super::sentence::kept_because;
use crate::core::fact::{Found, Step, Uplink};
use crate::core::note::NetworkNote;
use crate::core::settings::Settings;

macro_rules! words {
    ($(#[$doc:meta])* $ty:ident, $word:ident, $(#[$named_doc:meta])* $named:ident:
     $($variant:ident => $text:literal),+ $(,)?) => {
        $(#[$doc])*
        pub fn $word(value: $ty) -> &'static str {
            match value { $($ty::$variant => $text),+ }
        }
        $(#[$named_doc])*
        pub fn $named(word: &str) -> Option<$ty> {
            $ty::ALL.into_iter().find(|value| $word(*value) == word)
        }
    };
}

words! {
    /// The word for a step of the way out.
    Step, step_word,
    /// The step that this word names.
    step_named:
    Link => "link",
    Address => "address",
    Route => "route",
    Gateway => "gateway",
    Name => "name",
    Vpn => "vpn",
    Peer => "peer",
    Ssh => "ssh",
}

words! {
    /// The word for what came of a step.
    Found, found_word,
    /// What this word says of a step.
    found_named:
    Well => "well",
    Missing => "missing",
    Down => "down",
    Silent => "silent",
    Refused => "refused",
    Wrong => "wrong",
    Unsure => "unsure",
}

/// One look as words of a trace: `uplink link=well address=missing`, `uplink ssh=well beyond=yes`.
pub(super) fn uplink(uplink: &Uplink) -> String {
    let steps = uplink.found().map(|(step, found)| {
        let (step, found) = (step_word(step), found_word(found));
        format!(" {step}={found}")
    });
    let handshake = uplink.handshake.map(seconds);
    let handshake = handshake.map(|age| format!(" handshake={age}"));
    let beyond = match uplink.beyond {
        true => " beyond=yes",
        false => "",
    };
    format!(
        "uplink{}{beyond}{}",
        steps.collect::<String>(),
        handshake.unwrap_or_default()
    )
}

/// What is wrong with a step, for people: `no name is looked up`.
pub fn step_trouble(step: Step, found: Found) -> &'static str {
    match (step, found) {
        (Step::Link, Found::Missing) => "there is no such link",
        (Step::Link, _) => "no link is up",
        (Step::Address, _) => "there is no address",
        (Step::Route, _) => "there is no default route",
        (Step::Gateway, _) => "the next machine on the way does not answer",
        (Step::Name, Found::Refused) => "the name is not known to whoever was asked",
        (Step::Name, _) => "names are not looked up, nobody answers",
        (Step::Vpn, Found::Missing) => "the VPN has no such interface",
        (Step::Vpn, Found::Down) => "the VPN's interface is down",
        (Step::Vpn, _) => "the VPN has not heard of its peer for too long",
        (Step::Peer, _) => "the peer does not answer through the VPN",
        (Step::Ssh, Found::Missing) => "the address for SSH is not on the VPN's interface",
        (Step::Ssh, Found::Refused) => "SSH is refused",
        (Step::Ssh, Found::Wrong) => "what answers for SSH is no SSH server",
        (Step::Ssh, _) => "SSH does not answer",
    }
}

/// Name and fields of a note.
pub(super) fn describe(note: &NetworkNote, settings: &Settings) -> (&'static str, Fields) {
    let expiry = |id| ("expiry", word(settings.expiry(id)));
    match note {
        NetworkNote::UplinkBroken {
            step,
            found,
            lasted,
        } => {
            let (step, found) = (word(step_word(*step)), word(found_word(*found)));
            let fields = vec![("step", step), ("found", found), ("lasted", time(*lasted))];
            ("uplink-broken", fields)
        }
        NetworkNote::UplinkWell { lasted } => ("uplink-well", vec![("lasted", time(*lasted))]),
        NetworkNote::Repairing { rung, step } => {
            let rung = ("rung", word(settings.rung(*rung)));
            ("repairing", vec![rung, ("step", word(step_word(*step)))])
        }
        NetworkNote::RepairsSpent { step } => {
            ("repairs-spent", vec![("step", word(step_word(*step)))])
        }
        NetworkNote::RestartsMachine => ("restarts-machine", vec![]),
        NetworkNote::KeepsMachine { why } => (
            "keeps-machine",
            super::describe::service::kept(vec![], *why),
        ),
        NetworkNote::ExpiryNear {
            verdict,
            expiry: id,
            left,
        } => {
            let verdict = ("verdict", word(verdict.word()));
            (
                "expiry-near",
                vec![verdict, expiry(*id), ("left", time(*left))],
            )
        }
        NetworkNote::ExpiryOver { expiry: id, since } => {
            ("expiry-over", vec![expiry(*id), ("since", time(*since))])
        }
        NetworkNote::ExpiryFar { expiry: id, left } => {
            ("expiry-far", vec![expiry(*id), ("left", time(*left))])
        }
    }
}

/// The note for people.
pub(super) fn sentence(note: &NetworkNote, settings: &Settings) -> String {
    match note {
        NetworkNote::UplinkBroken {
            step,
            found,
            lasted,
        } => {
            let trouble = step_trouble(*step, *found);
            match lasted.is_zero() {
                true => format!("the way out is broken: {trouble}"),
                false => format!(
                    "the way out has been broken for {}: {trouble}",
                    for_people(*lasted)
                ),
            }
        }
        NetworkNote::UplinkWell { lasted } => format!(
            "the way out is as it should be again, after {}",
            for_people(*lasted)
        ),
        NetworkNote::Repairing { rung, step } => format!(
            "the way out is broken at {}: trying {}",
            step_word(*step),
            settings.rung(*rung)
        ),
        NetworkNote::RepairsSpent { step } => format!(
            "the way out stays broken at {}: nothing is left for now that may be tried and makes a \
             difference",
            step_word(*step)
        ),
        NetworkNote::RestartsMachine => {
            "restarting this machine: the way out could not be repaired".to_owned()
        }
        NetworkNote::KeepsMachine { why } => {
            format!(
                "this machine is not restarted for the way out: {}",
                kept_because(*why)
            )
        }
        NetworkNote::ExpiryNear { expiry, left, .. } => format!(
            "{} expires in {}: renew it",
            settings.expiry(*expiry),
            for_people(*left)
        ),
        NetworkNote::ExpiryOver { expiry, since } => format!(
            "{} expired {} ago: renew it",
            settings.expiry(*expiry),
            for_people(*since)
        ),
        NetworkNote::ExpiryFar { expiry, left } => format!(
            "{} was renewed: it expires in {}",
            settings.expiry(*expiry),
            for_people(*left)
        ),
    }
}

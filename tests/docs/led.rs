//! The page on the LED: its table is that of the program.

use super::page::page;
use fieldwarden::core::light::{LASTS, LedState};
use fieldwarden::text::{led_advice, led_meaning, led_word, rhythm_words};

/// Every state has its row, in the order of its badness and in the words of the program.
#[test]
fn every_state_is_listed() {
    let rows = page("docs/led.md").rows();
    let words = |state: LedState| {
        [
            format!("`{}`", led_word(state)),
            rhythm_words(state).to_owned(),
            led_meaning(state).to_owned(),
            led_advice(state).to_owned(),
        ]
    };
    let wanted: Vec<_> = LedState::ALL.map(words).to_vec();
    let listed: Vec<_> = rows.into_iter().map(|(_, cells)| cells).collect();
    assert_eq!(listed, wanted);
}

/// What the page says of how long a state lasts is so, and the only state without an end is the one
/// that it names.
#[test]
fn what_lasts_is_what_is_said() {
    assert_eq!(LASTS.as_secs(), 120, "the page says two minutes");
    let mut endless = LedState::ALL.into_iter().filter(|s| s.lasts().is_none());
    assert_eq!(endless.next(), Some(LedState::Halting));
    assert_eq!(endless.next(), None);
}

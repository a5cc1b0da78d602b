//! What a board file says for people, and how far it can be trusted.

use super::super::table::Table;

/// Words about a board. The daemon goes by none of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct About {
    /// What its owner has to do.
    pub advice: Vec<String>,
    /// Whether it starts the computer after a power-off.
    pub comes_back: ComesBack,
    /// It cuts the power when the computer is off, without being told.
    pub cuts_by_itself: bool,
    /// How far the file can be trusted.
    pub confidence: Confidence,
    /// Where it comes from.
    pub sources: Vec<String>,
    /// What is left out because nobody knows it.
    pub not_known: Vec<String>,
}

/// Whether a board starts the computer by itself when there is power from outside again, after the
/// computer was turned off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ComesBack {
    /// It does.
    Yes,
    /// It does not: somebody has to press a button, or to take its power away.
    No,
    /// Nobody knows.
    #[default]
    Unknown,
}

/// Where a board file comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Confidence {
    /// It was tried on the board.
    Tried,
    /// The maker's own code or pages.
    Maker,
    /// Data sheets of its chips.
    DataSheet,
    /// What others found out.
    Reported,
    /// It does not say.
    #[default]
    Unknown,
}

impl Confidence {
    /// All of them, with the words for them.
    const WORDS: [(&str, Confidence); 5] = [
        ("tried", Confidence::Tried),
        ("maker", Confidence::Maker),
        ("data-sheet", Confidence::DataSheet),
        ("reported", Confidence::Reported),
        ("unknown", Confidence::Unknown),
    ];

    /// Its word in a board file.
    pub fn word(self) -> &'static str {
        let known = Confidence::WORDS.iter().find(|(_, known)| *known == self);
        known.map_or("unknown", |(word, _)| word)
    }
}

/// Reads it. `None` if a value is wrong.
pub(super) fn about(top: &mut Table<'_, '_, '_>) -> Option<About> {
    let advice = top.texts("advice");
    let comes_back = top.choice("comes_back");
    let cuts_by_itself = top.flag("cuts_by_itself");
    let confidence = top.choice("confidence");
    let sources = top.texts("sources");
    let not_known = top.texts("not_known");
    let word = confidence?.value;
    let known = Confidence::WORDS.iter().find(|(known, _)| *known == word);
    Some(About {
        advice: advice?.value,
        comes_back: match comes_back?.value {
            "yes" => ComesBack::Yes,
            "no" => ComesBack::No,
            _ => ComesBack::Unknown,
        },
        cuts_by_itself: cuts_by_itself?.value,
        confidence: known.map_or(Confidence::Unknown, |(_, confidence)| *confidence),
        sources: sources?.value,
        not_known: not_known?.value,
    })
}

/// The list of keys has the same words.
#[test]
fn words_are_those_of_the_keys() {
    let words = Confidence::WORDS.map(|(word, _)| word);
    assert_eq!(words, super::keys::CONFIDENCE);
    for (word, confidence) in Confidence::WORDS {
        assert_eq!(confidence.word(), word);
    }
}

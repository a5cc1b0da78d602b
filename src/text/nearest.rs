//! What somebody may have meant.

/// As alike as `web` and `website`; below that, suggestions are guesses.
const ALIKE: f64 = 0.85;

/// Longest name that a service can have; a longer one is none, and costs time to compare.
const NAME_MAX: usize = 64;

/// The name that looks most like this one, if one does: few letters differ, or it begins the same way.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_MAX {
        return None;
    }
    let slips = 1 + name.len() / 4;
    names
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(apart, other)| *apart <= slips || strsim::jaro_winkler(name, other) > ALIKE)
        .min_by_key(|(apart, _)| *apart)
        .map(|(_, other)| other)
}

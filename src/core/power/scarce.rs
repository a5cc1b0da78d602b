//! What is to be stopped because the battery may not last for much longer than a halt needs.
//!
//! What is left is a slope of readings that jump, so it has to call for that for a while.

use crate::core::picture::Shed;
use crate::units::Mono;
use std::time::Duration;

/// How long what is left must have been scarce. Shorter: one reading stops services. Longer: what they
/// would have saved is gone.
const LASTING: Duration = Duration::from_secs(5);

/// Since when what is left calls for the stop of services, class by class.
#[derive(Clone, Copy, Default)]
pub(super) struct Scarce {
    optional: Option<Mono>,
    normal: Option<Mono>,
    now: Shed,
}

impl Scarce {
    /// What is left calls for this.
    pub fn see(self, wanted: Shed, now: Mono) -> Scarce {
        let since = |before: Option<Mono>, shed: Shed| {
            let wanted = wanted >= shed;
            wanted.then_some(before.unwrap_or(now))
        };
        let optional = since(self.optional, Shed::Optional);
        let normal = since(self.normal, Shed::Normal);
        let lasted = |since: Option<Mono>| since.is_some_and(|at| now.since(at) >= LASTING);
        Scarce {
            optional,
            normal,
            now: match (lasted(optional), lasted(normal)) {
                (_, true) => Shed::Normal,
                (true, false) => Shed::Optional,
                (false, false) => Shed::Nothing,
            },
        }
    }

    /// What is to be stopped.
    pub fn shed(self) -> Shed {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five seconds without a gap; and what calls for more calls for less, too.
    #[test]
    fn it_has_to_last() {
        let mut scarce = Scarce::default();
        let mut see = |wanted, second: u64| {
            scarce = scarce.see(wanted, Mono(second * 1000));
            scarce.shed()
        };
        assert_eq!(see(Shed::Normal, 10), Shed::Nothing);
        assert_eq!(see(Shed::Optional, 12), Shed::Nothing);
        assert_eq!(see(Shed::Normal, 14), Shed::Nothing);
        assert_eq!(see(Shed::Normal, 15), Shed::Optional);
        assert_eq!(see(Shed::Normal, 19), Shed::Normal);
        assert_eq!(see(Shed::Nothing, 20), Shed::Nothing);
        assert_eq!(see(Shed::Optional, 24), Shed::Nothing);
    }
}

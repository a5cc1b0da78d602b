//! Services whose process somebody else keeps.

/// Who keeps the process of a service, where that is not this daemon. No policy looks at who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Keeper {
    /// systemd.
    Systemd {
        /// Its name for the service: letters, digits, `:-_.\@`, ending in `.service`; at most 255.
        unit: Box<str>,
    },
}

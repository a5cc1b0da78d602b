//! The permission to touch real hardware, as a value.
//!
//! Opening a watchdog device arms it, and an armed device that nobody pets resets the machine. So
//! whatever opens one wants a [`Hardware`], and there is one place to get it. A test, a benchmark
//! or the simulated board never has one and so cannot reach a device by accident. The same holds for
//! whatever can end the machine: it wants a [`HaltRight`], which comes only out of a [`Hardware`].

/// The permission to open devices of this machine. Cannot be copied, cloned or defaulted.
#[derive(Debug)]
pub struct Hardware(());

impl Hardware {
    /// Grants the permission.
    ///
    /// Only the `run` command in `src/app` may call this, and only with a board other than `sim`;
    /// `tests/tidy.rs` holds the list of callers.
    pub fn of_this_machine() -> Hardware {
        Hardware(())
    }

    /// Who may open the devices of a machine may end it.
    pub fn halt_right(&self) -> HaltRight {
        HaltRight(())
    }
}

/// The permission to end this machine. Cannot be copied, cloned or defaulted.
#[derive(Debug)]
pub struct HaltRight(());

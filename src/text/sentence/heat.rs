//! Sentences about the ladder of temperature.

use crate::core::Rung;
use crate::core::picture::Shed;
use crate::units::MilliCelsius;

pub(super) fn rung(rung: Rung, temperature: MilliCelsius) -> String {
    let word = match rung {
        Rung::Cool => "fine again",
        Rung::Warm => "warm",
        Rung::Hot => "hot: a Pi slows itself down here",
        Rung::Critical => "critical: cool it, or give it less to do",
    };
    format!("processor at {temperature}: {word}")
}

pub(super) fn shedding(shed: Shed) -> &'static str {
    match shed {
        Shed::Nothing => {
            "the processor has cooled: services that were stopped for that may run again"
        }
        Shed::Optional => {
            "the processor stays critically hot: services of the class optional are stopped"
        }
        Shed::Normal => {
            "the processor stays critically hot: services of the classes optional and normal are \
             stopped"
        }
    }
}

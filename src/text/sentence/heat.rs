//! Sentences about the ladder of temperature.

use crate::core::HeatLevel;
use crate::core::picture::Shed;
use crate::units::MilliCelsius;

pub(super) fn level(level: HeatLevel, temperature: MilliCelsius) -> String {
    let word = match level {
        HeatLevel::Cool => "fine again",
        HeatLevel::Warm => "warm",
        HeatLevel::Hot => "hot: a Pi slows itself down here",
        HeatLevel::Critical => "critical: cool it, or give it less to do",
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

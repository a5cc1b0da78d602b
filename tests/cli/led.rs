//! `led list` and `led show`, with a daemon on a simulated board and without one.

use crate::daemon::{Place, config_with};
use std::process::Output;

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let code = output.status.code().expect("exited");
    (code, text(&output.stdout), text(&output.stderr))
}

/// What the daemon's LED shows and why, and what somebody wants to see on it.
#[test]
fn an_led_shows_what_is_asked_for() {
    let place = Place::new();
    let _daemon = place.daemon(&config_with("[led]\nname = \"ACT\"\n"));
    let list = || said(&place.run(&["led", "list"])).1;
    let text = list();
    assert!(text.contains("\nACT shows "), "{text}");
    let (code, out, err) = said(&place.run(&["led", "show", "low-battery", "--for", "1s"]));
    assert_eq!(code, 0, "{err}");
    let line = "low-battery  one long flash, two short ones, a pause";
    assert!(out.starts_with(line), "{out}");
    assert!(out.contains("the truth"), "{out}");
    // It goes on for a second more, unless that was over by now.
    let text = list();
    assert!(text.contains("ACT shows "), "{text}");
    let (code, out, _) = said(&place.run(&["led", "list", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &json["daemon"]), (0, &true.into()));
    assert_eq!(json["led"]["name"], "ACT");
    let (code, _, err) = said(&place.run(&["led", "show", "green"]));
    assert_eq!(code, 2);
    assert!(err.contains("well, unknown, starting, degraded"), "{err}");
}

/// Without an LED there is nothing to show anything on, and that is said with what to do.
#[test]
fn without_an_led_nothing_is_shown() {
    let place = Place::new();
    let daemon = place.daemon(&config_with(""));
    let (code, _, err) = said(&place.run(&["led", "show", "well"]));
    assert_eq!(code, 1);
    assert!(err.contains("no status LED is named"), "{err}");
    let (_, out, _) = said(&place.run(&["led", "list"]));
    assert!(out.contains("no status LED is named"), "{out}");
    daemon.end();
    // A simulated board has an LED only while its daemon lives.
    place.write("lit.toml", &config_with("[led]\nname = \"ACT\"\n"));
    let (code, _, err) = said(&place.run(&["led", "show", "well", "--config", "lit.toml"]));
    assert_eq!(code, 1);
    assert!(err.contains("no status LED is named"), "{err}");
    let (code, out, _) = said(&place.run(&["led", "list"]));
    assert_eq!(code, 0);
    assert!(out.contains("no daemon runs"), "{out}");
}

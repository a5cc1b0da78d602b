//! The kernel's log for somebody else: without what it quotes of the command line, and without
//! addresses that name one device among all.
//!
//! The kernel writes each parameter that it did not know into its log, where it is no longer told apart
//! from its own words: so every word of the command line that is not shown is removed wherever it
//! stands.
//!
//! Safe direction: what looks like such a word or address is removed, even if it is none.

use super::kernel::is_shown;
use crate::config::REMOVED;

/// Lines with these are not the kernel's own words: command line, processes, secrets.
const NOT_LOGGED: [&str; 9] = [
    "command line",
    "audit",
    "proctitle",
    "passw",
    "passphrase",
    "secret",
    "token",
    "key=",
    "serial",
];

/// Shortest word of the command line that is looked for, in bytes: a shorter one is part of most lines.
const WORD: usize = 3;

/// Shortest value of a parameter, and part of one, that is looked for by itself.
const VALUE: usize = 6;

/// What the kernel sets its parameters for init in by, behind `Run ... as init process`. Nothing else
/// that is worth a look is set in so far.
const SET_IN: &str = "  ";

/// Digits of a MAC address.
const MAC: usize = 12;

/// What of a command line is to be removed: in the form of the kernel's log, in lower case, the longest
/// first.
pub struct Hidden(Vec<String>);

impl Hidden {
    /// That of this command line, as `/proc/cmdline` has it.
    pub fn of(cmdline: &[u8]) -> Hidden {
        let mut hidden = Vec::new();
        let words = cmdline.split(u8::is_ascii_whitespace);
        for word in words.filter(|word| !is_shown(&String::from_utf8_lossy(word))) {
            let word = logged(word).replace('"', "").to_ascii_lowercase();
            if let Some((_, value)) = word.split_once('=') {
                let part = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
                let parts = value.split(part).chain([value]);
                hidden.extend(parts.filter(|p| p.len() >= VALUE).map(str::to_owned));
            }
            hidden.extend(Some(word).filter(|word| word.len() >= WORD));
        }
        hidden.sort_by_key(|word| std::cmp::Reverse(word.len()));
        hidden.dedup();
        Hidden(hidden)
    }

    /// A line of the log, with its time, without what is nobody's business.
    pub fn without(&self, line: &str) -> String {
        let (time, text) = line.split_once("] ").unwrap_or(("", line));
        let mut text = text.to_owned();
        let mut low = text.to_ascii_lowercase();
        if text.starts_with(SET_IN) || NOT_LOGGED.iter().any(|word| low.contains(word)) {
            return REMOVED.to_owned();
        }
        for word in &self.0 {
            if low.contains(word.as_str()) {
                text = cut_out(&text, &low, word);
                low = text.to_ascii_lowercase();
            }
        }
        let text = without_addresses(&text);
        match time.is_empty() {
            true => text,
            false => format!("{time}] {text}"),
        }
    }
}

/// As the kernel writes it into its log: kernel, printk.c, `msg_add_ext_text`.
fn logged(word: &[u8]) -> String {
    let byte = |byte: &u8| match byte {
        b'\\' | ..=0x1f | 0x7f.. => format!("\\x{byte:02x}"),
        byte => char::from(*byte).to_string(),
    };
    word.iter().map(byte).collect()
}

/// A text without a word; `low` is the text in lower case, and of the same length.
fn cut_out(text: &str, low: &str, word: &str) -> String {
    let mut out = String::new();
    let mut from = 0;
    for (at, _) in low.match_indices(word) {
        out.push_str(&text[from..at]);
        out.push_str(REMOVED);
        from = at + word.len();
    }
    out.push_str(&text[from..]);
    out
}

/// A text without MAC addresses, and without what is made of one: names of interfaces
/// (`enxb827eb123456`), addresses of IPv6 (`fe80::ba27:ebff:fe12:3456`) and some UUIDs.
pub fn without_addresses(text: &str) -> String {
    let inside = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '-');
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        out.push_str(&rest[..at]);
        let end = rest[at..].find(|c| !inside(c)).unwrap_or(rest.len() - at);
        let end = rest[at..at + end].trim_end_matches([':', '-']).len();
        let (run, behind) = rest[at..].split_at(end);
        let number = out.ends_with("0x");
        let named = out.ends_with('x') && !number;
        match is_address(run, number, named) {
            true => out.push_str(REMOVED),
            false => out.push_str(run),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Digits, colons and dashes are, or hold, an address. `number`: its first digits are a number, by `0x`
/// before them; `named`: they stand in a name, as in `enx`.
fn is_address(run: &str, number: bool, named: bool) -> bool {
    let mut pairs = 0;
    for (at, digits) in run.split([':', '-']).enumerate() {
        pairs = if digits.len() == 2 { pairs + 1 } else { 0 };
        // Twelve decimal digits are a size or a time.
        let letters = digits.bytes().any(|b| b.is_ascii_alphabetic());
        let plain = digits.len() == MAC && !(number && at == 0) && (letters || named && at == 0);
        if pairs == MAC / 2 || plain {
            return true;
        }
    }
    // The middle of what IPv6 makes of a MAC address.
    run.to_ascii_lowercase().contains("ff:fe")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What quotes the command line or a process is not packed.
    #[test]
    fn the_log_quotes_nobody() {
        let hidden = Hidden::of(b"quiet\n");
        for line in [
            "[    0.000000] Kernel command line: hunter2",
            "[    0.000000] Unknown kernel command line parameters \"hunter2\", will be passed on.",
            "[    9.000000] audit: type=1327 audit(1): proctitle=68756E74657232",
        ] {
            assert_eq!(hidden.without(line), REMOVED);
        }
        let plain = "[    1.000000] mmc0: new high speed SDHC card";
        assert_eq!(hidden.without(plain), plain);
    }

    /// The kernel hands what it did not know to init, and tells each of it: on lines that are set in,
    /// which may be there without the line before them when the log is full.
    #[test]
    fn parameters_for_init_are_not_told() {
        let hidden = Hidden::of(b"");
        let run = "[    2.100000] Run /sbin/init as init process";
        assert_eq!(hidden.without(run), run);
        for text in [
            "  with arguments:",
            "    /sbin/init",
            "    hunter2",
            "  with environment:",
            "    HOME=/",
            "    pw=hunter2",
        ] {
            assert_eq!(hidden.without(&format!("[    2.100000] {text}")), REMOVED);
        }
        // These begin with a blank as well.
        for text in [" mmcblk0: p1 p2", " show_stack+0x20/0x38"] {
            let line = format!("[    2.100000] {text}");
            assert_eq!(hidden.without(&line), line);
        }
    }

    /// A word of the command line that is not shown is nowhere, in whatever form and wherever it
    /// stands; words that are shown stay, and so does the time.
    #[test]
    fn words_of_the_command_line_are_nowhere() {
        let cmdline = "console=tty1 root=PARTUUID=7a-02 rootwait quiet x.fbwidth=1824 Hunter2 \
            x.cred=pw:HUNTER3 url=http://u:hunter4@nas/x init=\"/opt/hunter5 hunter6\" w=p\u{e4}hunter \
            -- pw\n";
        let hidden = Hidden::of(cmdline.as_bytes());
        for text in [
            "x: bad value 'Hunter2'",
            "x: `hunter3' invalid for parameter `cred'",
            "xhunter4x",
            "Run /opt/hunter5 as init process",
            "x.cred=pw:HUNTER3",
            "x hunter6",
            "w: p\\xc3\\xa4hunter",
        ] {
            let line = hidden.without(&format!("[    0.182400] {text}"));
            assert!(line.starts_with("[    0.182400] "), "{line}");
            assert!(line.contains(REMOVED), "{line}");
            assert!(!line.to_lowercase().contains("hunter"), "{line}");
        }
        for text in ["rootwait, quiet: 1824 on tty1", "power: PARTUUID=7a-02"] {
            let line = format!("[    0.182400] {text}");
            assert_eq!(hidden.without(&line), line);
        }
        assert_eq!(
            cut_out("aXbxX", "axbxx", "x"),
            "a(removed)b(removed)(removed)"
        );
    }

    /// Addresses of devices are removed in every form; other numbers stay.
    #[test]
    fn no_device_is_named() {
        for (text, expected) in [
            ("eth0: b8:27:eb:12:34:56, up", "eth0: (removed), up"),
            ("B8-27-EB-12-34-56", "(removed)"),
            ("bad:b8:27:eb:12:34:56: x", "(removed): x"),
            ("enxb827eb123456: up", "enx(removed): up"),
            ("wlx001122334455/carrier", "wlx(removed)/carrier"),
            ("id b827eb123456", "id (removed)"),
            ("fe80::ba27:ebff:fe12:3456 used", "(removed) used"),
        ] {
            assert_eq!(without_addresses(text), expected);
        }
        for text in [
            "usb 1-1.2: idVendor=0424, idProduct=ec00, bcdDevice= 2.00",
            "brcmstb 0000:01:00.0: [14e4:2711] type 01 class 0x060400",
            "max_idle_ns: 440795202120 ns, mask: 0xffffffffffff",
            "[mem 0x0000000000000000-0x000000003b3fffff]",
            "rtc set to 2026-11-28T02:30:00 UTC (1795833000)",
            "\u{e4}\u{20ac} b8:27 :-",
        ] {
            assert_eq!(without_addresses(text), text);
        }
    }
}

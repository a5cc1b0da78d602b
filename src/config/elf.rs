//! Looks at the head of a program: for which kind of machine it was built, and what loads it.
//!
//! Fields and numbers are those of `<elf.h>`. Nothing here opens a file.

/// Bytes from the beginning of a file in which all that is looked for lies, as linkers write it.
pub const HEAD: u64 = 4096;

/// What the head of a program says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program<'h> {
    /// `e_machine`.
    pub machine: u16,
    /// It has 64-bit addresses.
    pub wide: bool,
    /// The loader that it asks for; `None` for a static program, or where the head is too short.
    pub loader: Option<&'h str>,
}

const INTEL_386: u16 = 3;
const ARM: u16 = 40;
const X86_64: u16 = 62;
const AARCH64: u16 = 183;
const RISCV: u16 = 243;

/// `PT_INTERP`.
const LOADER: u64 = 3;

/// What the head of a file says; `None` if it is no program in ELF.
pub fn program(head: &[u8]) -> Option<Program<'_>> {
    let ident = head.get(..16)?;
    if !ident.starts_with(b"\x7fELF") {
        return None;
    }
    let (wide, little) = (ident.get(4) == Some(&2), ident.get(5) != Some(&2));
    let machine = number(head, 18, 2, little)?;
    Some(Program {
        machine: u16::try_from(machine).ok()?,
        wide,
        loader: loader(head, wide, little),
    })
}

/// The text of the program header that names a loader.
fn loader(head: &[u8], wide: bool, little: bool) -> Option<&str> {
    // Where a field is, and how long, in 32-bit and 64-bit files.
    let (table, size, count) = if wide {
        ((32, 8), 54, 56)
    } else {
        ((28, 4), 42, 44)
    };
    let table = number(head, table.0, table.1, little)?;
    let size = number(head, size, 2, little)?;
    let count = number(head, count, 2, little)?;
    let (offset, length) = if wide {
        ((8, 8), (32, 8))
    } else {
        ((4, 4), (16, 4))
    };
    for index in 0..count {
        let entry = usize::try_from(table.checked_add(index.checked_mul(size)?)?).ok()?;
        if number(head, entry, 4, little)? != LOADER {
            continue;
        }
        let at = number(head, entry.checked_add(offset.0)?, offset.1, little)?;
        let length = number(head, entry.checked_add(length.0)?, length.1, little)?;
        let (from, to) = (at, at.checked_add(length)?);
        let text = head.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)?;
        let text = text.split(|byte| *byte == 0).next()?;
        return std::str::from_utf8(text).ok();
    }
    None
}

/// A number of so many bytes, at most 8.
fn number(head: &[u8], at: usize, bytes: usize, little: bool) -> Option<u64> {
    let field = head.get(at..at.checked_add(bytes)?)?;
    let join = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
    Some(if little {
        field.iter().rev().fold(0, join)
    } else {
        field.iter().fold(0, join)
    })
}

impl Program<'_> {
    /// The kind of machine that it was built for, as `uname -m` calls it.
    pub fn built_for(&self) -> String {
        match self.machine {
            INTEL_386 => "i386".to_owned(),
            ARM => "arm (32 bit)".to_owned(),
            X86_64 => "x86_64".to_owned(),
            AARCH64 => "aarch64".to_owned(),
            RISCV => "riscv".to_owned(),
            other => format!("machine number {other}"),
        }
    }

    /// Machines of this kind may be able to execute it by themselves: those of 64 bits mostly take
    /// programs of 32 bits, too, and a 32-bit system often runs on a 64-bit kernel.
    pub fn may_run_here(&self) -> bool {
        match std::env::consts::ARCH {
            "x86_64" => [X86_64, INTEL_386].contains(&self.machine),
            "aarch64" | "arm" => [AARCH64, ARM].contains(&self.machine),
            _ => true,
        }
    }
}

/// What this program itself was built for, to be compared with that.
pub fn this_machine() -> &'static str {
    match std::env::consts::ARCH {
        "arm" => "arm (32 bit)",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a program of 64 or 32 bits with one program header, little or big endian.
    fn made(wide: bool, little: bool, machine: u16, loader: &str) -> Vec<u8> {
        let mut head = vec![0; 256];
        head[..4].copy_from_slice(b"\x7fELF");
        head[4] = if wide { 2 } else { 1 };
        head[5] = if little { 1 } else { 2 };
        let mut put = |at: usize, bytes: usize, value: u64| {
            for byte in 0..bytes {
                let shift = if little { byte } else { bytes - 1 - byte };
                head[at + byte] = (value >> (8 * shift)) as u8;
            }
        };
        put(18, 2, machine.into());
        let length = loader.len() as u64 + 1;
        if wide {
            put(32, 8, 64);
            put(54, 2, 56);
            put(56, 2, 2);
            put(64 + 56, 4, LOADER);
            put(64 + 56 + 8, 8, 200);
            put(64 + 56 + 32, 8, length);
        } else {
            put(28, 4, 52);
            put(42, 2, 32);
            put(44, 2, 1);
            put(52, 4, LOADER);
            put(52 + 4, 4, 200);
            put(52 + 16, 4, length);
        }
        head[200..200 + loader.len()].copy_from_slice(loader.as_bytes());
        head
    }

    #[test]
    fn heads_of_every_form() {
        for (wide, little, machine, built_for) in [
            (true, true, AARCH64, "aarch64"),
            (false, true, ARM, "arm (32 bit)"),
            (true, true, X86_64, "x86_64"),
            (false, true, INTEL_386, "i386"),
            (true, false, 22, "machine number 22"),
            (false, false, 8, "machine number 8"),
        ] {
            let head = made(wide, little, machine, "/lib/ld.so.1");
            let program = program(&head).unwrap();
            assert_eq!(program.built_for(), built_for);
            assert_eq!(program.loader, Some("/lib/ld.so.1"), "{built_for}");
            assert_eq!(program.wide, wide);
        }
        assert!(
            !program(&made(true, true, RISCV, "/x"))
                .unwrap()
                .may_run_here()
        );
        assert_eq!(program(b"#!/bin/sh\n"), None);
        assert_eq!(program(b""), None);
    }

    /// Our own head, and no byte of a damaged one may do harm.
    #[test]
    fn any_bytes() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let head = program(&own[..HEAD as usize]).unwrap();
        assert!(head.may_run_here() && head.loader.is_some());
        for length in 0..600 {
            let _ = program(&own[..length]);
        }
        let good = made(true, true, X86_64, "/x");
        for at in 4..good.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = program(&bad);
            }
        }
    }
}

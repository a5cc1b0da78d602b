//! Kernel modules that Debian does not build, made from Debian's own source and headers.
//!
//! Nothing is installed on the host: the packages are unpacked in a scratch directory. The
//! modules fit the one kernel version whose headers were used.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::apt::Apt;
use super::command::{find, run, text, tool};

/// The modules' names, as `modprobe` knows them.
pub const MODULES: [&str; 5] = [
    "gpio-sim",
    "ina2xx",
    "max17040_battery",
    "rtc-ds1307",
    "uleds",
];

/// Source files: place in the kernel's tree, and name in our build directory. A module made of
/// two files cannot have the name of one of them, so gpio-sim's own file gets another.
const SOURCES: [(&str, &str); 7] = [
    ("drivers/gpio/gpio-sim.c", "sim-chip.c"),
    ("drivers/gpio/gpiolib.h", "gpiolib.h"),
    ("kernel/irq/irq_sim.c", "irq_sim.c"),
    ("drivers/hwmon/ina2xx.c", "ina2xx.c"),
    ("drivers/leds/uleds.c", "uleds.c"),
    (
        "drivers/power/supply/max17040_battery.c",
        "max17040_battery.c",
    ),
    ("drivers/rtc/rtc-ds1307.c", "rtc-ds1307.c"),
];

/// The build's description. gpio-sim asks for the simulated interrupts of `irq_sim.c`, which the
/// kernel was configured without, so that file becomes a part of the module.
const KBUILD: &str = "ccflags-y += -DCONFIG_IRQ_SIM=1\n\
    obj-m += gpio-sim.o ina2xx.o max17040_battery.o rtc-ds1307.o uleds.o\n\
    gpio-sim-y := sim-chip.o irq_sim.o\n";

/// Version of a kernel, as Debian's package names use it.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// All of it: `6.12.95+deb12-amd64`.
    pub full: &'a str,
    /// Whether its packages come from backports.
    pub backports: bool,
}

impl Version<'_> {
    /// Without the flavour: `6.12.95+deb12`.
    fn base(&self) -> &str {
        self.full
            .rsplit_once('-')
            .map_or(self.full, |(base, _)| base)
    }

    /// The series, which names the source package: `6.12`.
    fn series(&self) -> &str {
        let second_dot = self.full.match_indices('.').nth(1);
        &self.full[..second_dot.map_or(self.full.len(), |(at, _)| at)]
    }
}

/// Builds the modules in `scratch`; returns their files.
pub fn build(apt: &Apt, version: Version<'_>, scratch: &Path) -> Result<Vec<PathBuf>> {
    let packages = [
        format!("linux-headers-{}", version.full),
        format!("linux-headers-{}-common", version.base()),
        format!("linux-kbuild-{}", version.base()),
        format!("linux-source-{}", version.series()),
    ];
    for package in &packages {
        apt.unpack(package, version.backports, scratch)?;
    }
    let sources = scratch.join("usr/src");
    let headers = sources.join(format!("linux-headers-{}", version.full));
    let shared = sources.join(format!("linux-headers-{}-common", version.base()));
    make_relocatable(&headers, &shared)?;
    let work = scratch.join("modules");
    take_sources(&sources, version, &work)?;
    let mut make = tool("make");
    make.arg("-s")
        .arg("-C")
        .arg(&headers)
        .arg(format!("M={}", work.display()));
    run(make
        .arg(format!("CC={}", compiler(&headers)?))
        .arg("modules"))?;
    MODULES
        .map(|name| finished(&work, name))
        .into_iter()
        .collect()
}

/// The headers name their shared half by the place where a package manager would install it.
fn make_relocatable(headers: &Path, shared: &Path) -> Result<()> {
    let line = format!("include {}\n", shared.join("Makefile").display());
    fs::write(headers.join("Makefile"), line).context("redirect the kernel headers")?;
    // Its only use is type information (BTF) for the modules, which would need another tool.
    match fs::remove_file(headers.join("vmlinux")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn take_sources(sources: &Path, version: Version<'_>, work: &Path) -> Result<()> {
    let top = format!("linux-source-{}", version.series());
    let mut tar = tool("tar");
    tar.arg("-xJf")
        .arg(sources.join(format!("{top}.tar.xz")))
        .arg("-C")
        .arg(sources);
    // Each file is there once; knowing that, tar stops after the last instead of at the end.
    tar.arg("--occurrence=1");
    run(tar.args(SOURCES.map(|(file, _)| format!("{top}/{file}"))))?;
    fs::create_dir_all(work)?;
    for (file, name) in SOURCES {
        fs::rename(sources.join(&top).join(file), work.join(name))
            .with_context(|| format!("{file} of the kernel's source"))?;
    }
    let simulated = work.join("irq_sim.c");
    fs::write(&simulated, for_a_module(&fs::read_to_string(&simulated)?)?)?;
    fs::write(work.join("Kbuild"), KBUILD)?;
    Ok(())
}

/// Replaces the one call of `irq_sim.c` that modules may not make by its exported equal.
fn for_a_module(source: &str) -> Result<String> {
    let (start, middle, end) = ("handle_simple_irq(irq_to_desc(", "irqnum", "))");
    let call = [start, middle, end].concat();
    if !source.contains(&call) {
        bail!("irq_sim.c has no {call}; this kernel's source differs from what the lab knows");
    }
    Ok(source.replace(&call, &format!("generic_handle_irq({middle})")))
}

/// The compiler that built the kernel, which its modules need too: `gcc-12`.
fn compiler(headers: &Path) -> Result<String> {
    let configured = fs::read_to_string(headers.join(".config")).context("the kernel's .config")?;
    let line = configured
        .lines()
        .find_map(|line| line.strip_prefix("CONFIG_CC_VERSION_TEXT="));
    let line = line.context("the kernel's .config names no compiler")?;
    let name = line.trim_matches('"').split(' ').next().unwrap_or_default();
    // `x86_64-linux-gnu-gcc-12` and `gcc-12` are the same on a host of that architecture.
    let name = name.strip_prefix("x86_64-linux-gnu-").unwrap_or(name);
    if find(name).is_none() {
        bail!("building kernel modules needs {name}; install the package of that name");
    }
    Ok(name.to_owned())
}

/// A built module without its debugging part, which is twenty times the rest.
fn finished(work: &Path, name: &str) -> Result<PathBuf> {
    let file = work.join(format!("{name}.ko"));
    run(tool("strip").arg("--strip-debug").arg(&file))?;
    let about = text(tool("modinfo").arg(&file))?;
    if !about.contains("vermagic:") {
        bail!("{} is no kernel module:\n{about}", file.display());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of Debian's packages are taken from the version of the kernel.
    #[test]
    fn version_names_the_packages() {
        let version = Version {
            full: "6.12.95+deb12-amd64",
            backports: true,
        };
        assert_eq!(
            (version.base(), version.series()),
            ("6.12.95+deb12", "6.12")
        );
        let older = Version {
            full: "6.1.0-40-amd64",
            backports: false,
        };
        assert_eq!((older.base(), older.series()), ("6.1.0-40", "6.1"));
    }

    /// The replaced call is replaced; a source without it is refused instead of built wrongly.
    #[test]
    fn the_unexported_call_is_replaced() {
        let source = "a; handle_simple_irq(irq_to_desc(irqnum)); b";
        assert_eq!(
            for_a_module(source).unwrap(),
            "a; generic_handle_irq(irqnum); b"
        );
        assert!(for_a_module("handle_other()").is_err());
    }
}

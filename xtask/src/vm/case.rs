//! What a case is: a function that gets a fresh machine and says whether a promise was kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::disk::Disk;
use super::machine::{Machine, Start};
use super::options::Board;
use super::programs;

/// Most cases need seconds; this bounds one on a busy host.
pub const USUAL_LIMIT: Duration = Duration::from_secs(120);

/// One case of the VM suite.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Name on the command line and of the folder with a failure's logs.
    pub name: &'static str,
    /// What it shows, in one line.
    pub purpose: &'static str,
    /// Hardware of the machine.
    pub board: Board,
    /// Booted or resumed machine.
    pub start: Start,
    /// What the guest is given before the case runs.
    pub cargo: Cargo,
    /// Kernel modules the guest can load.
    pub modules: Modules,
    /// The machine's second disk.
    pub disk: Option<Disk>,
    /// Words added to the kernel's command line, of a machine that is booted.
    pub append: &'static str,
    /// Limit of the machine's life.
    pub limit: Duration,
    /// It uses all of the host's processors, so no other machine may run beside it.
    pub alone: bool,
    /// The case itself.
    pub run: fn(&mut Machine) -> Result<()>,
}

impl Case {
    /// A case of the lab itself: resumed machine, nothing of the daemon in it.
    pub const fn lab(
        name: &'static str,
        purpose: &'static str,
        run: fn(&mut Machine) -> Result<()>,
    ) -> Self {
        let (start, cargo) = (Start::Resumed, Cargo::Nothing);
        Case {
            name,
            purpose,
            board: Board::Pc,
            start,
            cargo,
            modules: Modules::Usual,
            disk: None,
            append: "",
            limit: USUAL_LIMIT,
            alone: false,
            run,
        }
    }

    /// A case of the daemon: resumed machine with the daemon installed, but not started.
    pub const fn daemon(
        name: &'static str,
        purpose: &'static str,
        run: fn(&mut Machine) -> Result<()>,
    ) -> Self {
        let cargo = Cargo::Daemon;
        Case {
            cargo,
            ..Case::lab(name, purpose, run)
        }
    }

    /// A case on the emulated Pi, which has the daemon for arm64 and no systemd.
    pub const fn pi(
        name: &'static str,
        purpose: &'static str,
        run: fn(&mut Machine) -> Result<()>,
    ) -> Self {
        Case {
            board: Board::Pi,
            ..Case::lab(name, purpose, run).cold()
        }
    }

    /// The same case in a machine that is booted instead of resumed.
    #[must_use]
    pub const fn cold(self) -> Self {
        Case {
            start: Start::Cold,
            ..self
        }
    }

    /// The same case in a machine with a second disk, which must be booted: the snapshot has one.
    #[must_use]
    pub const fn on_disk(self, disk: Disk) -> Self {
        Case {
            disk: Some(disk),
            ..self.cold()
        }
    }

    /// The same case with more words on the kernel's command line, in a machine that is booted.
    #[must_use]
    pub const fn on_command_line(self, append: &'static str) -> Self {
        Case {
            append,
            ..self.cold()
        }
    }

    /// The same case with time for several boots and slow ends.
    #[must_use]
    pub const fn for_long(self) -> Self {
        let limit = Duration::from_secs(420);
        Case { limit, ..self }
    }

    /// The same case with no other machine beside it: it measures times under a load that takes all
    /// that the host has.
    #[must_use]
    pub const fn alone(self) -> Self {
        Case {
            alone: true,
            ..self
        }
    }

    /// The same case with other modules.
    #[must_use]
    pub const fn with(self, modules: Modules) -> Self {
        Case { modules, ..self }
    }
}

/// Kernel modules and the tools that belong to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modules {
    /// Those of `tests/vm/guest/modules.guest`.
    Usual,
    /// Also I2C chips, GPIO lines, clocks, LEDs, and devices made by `cuse-device`.
    Devices,
    /// The usual ones, and container engines.
    Engines,
}

/// What a case needs in its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cargo {
    /// Nothing of the project.
    Nothing,
    /// The release binary, the shipped units, and the test configuration.
    Daemon,
    /// Test programs of the package.
    Programs,
}

/// What is put into a guest.
#[derive(Debug, Clone)]
pub struct Payload {
    files: Vec<(PathBuf, String, u32)>,
}

impl Payload {
    /// Collects the release binary, `systemd/*`, and `tests/vm/config/*` of the repository.
    pub fn collect(repository: &Path) -> Result<Self> {
        let binary = repository.join("target/release/fieldwarden");
        let mut files = vec![(binary, "/usr/bin/fieldwarden".to_owned(), 0o755)];
        let folders = [
            ("systemd", "/usr/lib/systemd/system"),
            ("systemd/sysusers.d", "/usr/lib/sysusers.d"),
            ("systemd/tmpfiles.d", "/usr/lib/tmpfiles.d"),
            (
                "systemd/system-shutdown",
                "/usr/lib/systemd/system-shutdown",
            ),
            ("tests/vm/config", "/etc/fieldwarden"),
        ];
        for (folder, place) in folders {
            let folder = repository.join(folder);
            // A repository without test configuration installs none.
            for entry in folder.read_dir().into_iter().flatten() {
                let path = entry?.path();
                if path.is_file() {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    // systemd executes what lies there.
                    let executed = place.ends_with("system-shutdown");
                    let mode = if executed { 0o755 } else { 0o644 };
                    files.push((path.clone(), format!("{place}/{name}"), mode));
                }
            }
        }
        Ok(Payload { files })
    }

    /// Builds the test programs of the package.
    pub fn programs(repository: &Path) -> Result<Self> {
        let built = programs::build(repository)?;
        let place = |name| format!("{}/{name}", programs::PLACE);
        let files = built
            .into_iter()
            .map(|(name, file)| (file, place(name), 0o755));
        Ok(Payload {
            files: files.collect(),
        })
    }

    /// Puts all files into a guest.
    pub fn put(&self, machine: &Machine) -> Result<()> {
        for (local, guest, mode) in &self.files {
            machine.put(local, guest, *mode)?;
        }
        Ok(())
    }

    /// Puts all files into a guest and makes systemd read the units.
    pub fn install(&self, machine: &Machine) -> Result<()> {
        self.put(machine)?;
        machine
            .ok(
                "systemctl daemon-reload && systemd-sysusers fieldwarden.conf && \
                 systemd-tmpfiles --create fieldwarden.conf",
            )
            .context("read the units")?;
        Ok(())
    }
}

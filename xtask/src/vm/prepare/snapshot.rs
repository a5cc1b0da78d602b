//! The snapshot of a booted guest, from which cases start in about a second.
//!
//! Its state only fits the QEMU that saved it and the same virtual hardware, so both are inputs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::super::machine::{Machine, Options, Start};
use super::super::qemu::{self, Places};
use super::Lab;
use super::cache::{Cache, Inputs};
use super::command::{run, text, tool};

/// Makes the guest load what every case needs, so that the resumed cases find it in memory. The
/// pause lets the guest finish what follows multi-user (journal, idle units).
const WARM_UP: &str = "systemctl daemon-reload; systemctl status; journalctl -n 5; \
    systemd-run --wait true; sync; sleep 0.5; systemctl is-system-running";

/// Limit for boot and saving together, with room for a busy host.
const LIMIT: Duration = Duration::from_secs(180);

/// The layer with `state` and `disk.qcow2`.
pub fn layer(cache: &Cache, lab: &Lab, image: &Path) -> Result<PathBuf> {
    let version = text(tool("qemu-system-x86_64").arg("--version"))?;
    let hardware = format!(
        "{:?}",
        qemu::command(lab, &Places::new(Path::new("/")), false, "", None)
    );
    let inputs = Inputs::new("migration stream, 1")
        .with_layer(image)
        .with(version.as_bytes())
        .with(hardware.as_bytes())
        .with(WARM_UP.as_bytes());
    cache.layer("snapshot", &inputs, |dir| {
        let options = Options::plain(Start::Cold, LIMIT);
        let machine = Machine::start(lab, &options)?;
        let warm = machine
            .sh_within(WARM_UP, LIMIT)
            .context("warm the guest up")?;
        let state = warm.stdout.lines().last().unwrap_or_default();
        anyhow::ensure!(
            state == "running",
            "the guest's system is {state}:\n{}",
            warm.stdout
        );
        let disk = dir.join("disk.qcow2");
        machine.freeze(&dir.join("state"), &disk)?;
        // The copied overlay names its base by full path already; make sure it can be read.
        run(tool("qemu-img").arg("check").arg("-q").arg(&disk))?;
        Ok(())
    })
}

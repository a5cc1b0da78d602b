//! The virtual hardware: one QEMU command line, the same for booted and resumed machines.
//!
//! A q35 PC with two emulated processors and the i6300esb watchdog, whose bite resets the machine
//! as on a board. KVM is never used: a /dev/kvm that can be opened proves nothing. A machine that
//! powers itself off stays as a stopped QEMU, so that it can be powered on again with its disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::disk::{self, Disk};
use super::prepare::{Lab, tool};
use super::proto::PORT;

/// Memory of a guest. Debian with systemd takes about 100 MiB; the rest is room for tests that
/// fill it, and small enough that this happens soon.
const MEMORY_MIB: u32 = 512;

/// Kernel command line. Beside the console: no self-tests of ciphers and no mitigations (boot
/// time), no random addresses (a kernel oops can be looked up), reboot after a panic at once.
const APPEND: &str = "console=ttyS0 quiet panic=-1 net.ifnames=0 systemd.show_status=0 \
    mitigations=off nokaslr cryptomgr.notests 8250.nr_uarts=1 tsc=reliable random.trust_cpu=on \
    no_timer_check raid=noautodetect";

/// Where a machine's files and sockets lie.
#[derive(Debug)]
pub struct Places {
    dir: PathBuf,
}

impl Places {
    /// All of them in `dir`, whose path must be short: a socket's path may have 107 bytes.
    pub fn new(dir: &Path) -> Self {
        Places {
            dir: dir.to_owned(),
        }
    }

    /// Overlay that takes the guest's writes.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.qcow2")
    }

    /// The second disk.
    pub fn second_disk(&self) -> PathBuf {
        self.dir.join("second.img")
    }

    /// The second disk's first state, if it is recorded.
    pub fn recording_base(&self) -> PathBuf {
        self.dir.join("recording.base")
    }

    /// What was written to the second disk, if it is recorded.
    pub fn recording(&self) -> PathBuf {
        self.dir.join("recording.log")
    }

    /// What the guest wrote to its serial console.
    pub fn serial(&self) -> PathBuf {
        self.dir.join("serial.log")
    }

    /// Socket of QEMU's control protocol; we listen.
    pub fn qmp(&self) -> PathBuf {
        self.dir.join("qmp")
    }

    /// Socket of the agent's port; we listen.
    pub fn agent(&self) -> PathBuf {
        self.dir.join("agent")
    }

    /// What the emulated Pi boots: initramfs with the daemon.
    pub fn initrd(&self) -> PathBuf {
        self.dir.join("initrd")
    }

    /// Contents of the emulated Pi's memory chip.
    pub fn memory_chip(&self) -> PathBuf {
        self.dir.join("memory.rom")
    }

    /// Socket of the emulated Pi's pins; QEMU listens.
    pub fn pins(&self) -> PathBuf {
        self.dir.join("pins")
    }

    /// What QEMU itself had to say.
    pub fn complaints(&self) -> PathBuf {
        self.dir.join("qemu.log")
    }
}

/// The board: processor, memory, and the watchdog whose bite is seen.
fn bare_machine() -> Command {
    // The machine ends with the thread that started it, even if that is killed.
    let mut command = tool("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64"]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
    command.args([
        "-machine",
        "q35",
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        "2",
    ]);
    command.args(["-m", &MEMORY_MIB.to_string(), "-rtc", "base=utc"]);
    command.args([
        "-action",
        "watchdog=reset,shutdown=pause",
        "-device",
        "i6300esb",
    ]);
    command
}

/// The command that starts a machine; with `incoming` it waits for a saved state to be loaded.
pub fn command(
    lab: &Lab,
    places: &Places,
    incoming: bool,
    extra_append: &str,
    second: Option<Disk>,
) -> Command {
    let mut command = bare_machine();
    command
        .arg("-kernel")
        .arg(&lab.kernel)
        .arg("-initrd")
        .arg(&lab.initrd);
    command
        .arg("-append")
        .arg(format!("{APPEND} {extra_append}"));
    // A killed QEMU takes the disk with it, so nothing is gained by writing it through.
    let drive = format!(
        "if=none,id=disk,cache=unsafe,format=qcow2,file={}",
        show(&places.disk())
    );
    command.args(["-drive", &drive, "-device", "virtio-blk-pci,drive=disk"]);
    if let Some(second) = second {
        command.args(disk::arguments(second, places));
    }
    let serial = format!("file,id=serial,append=on,path={}", show(&places.serial()));
    command.args(["-chardev", &serial, "-serial", "chardev:serial"]);
    let port = format!("virtserialport,chardev=agent,name={PORT}");
    for (name, path) in [("qmp", places.qmp()), ("agent", places.agent())] {
        command.args([
            "-chardev",
            &format!("socket,id={name},path={}", show(&path)),
        ]);
    }
    command.args(["-mon", "chardev=qmp,mode=control"]);
    command.args(["-device", "virtio-serial-pci", "-device", &port]);
    if incoming {
        command.args(["-incoming", "defer"]);
    }
    command
}

/// A path in a QEMU option, where a comma must be doubled.
pub fn show(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

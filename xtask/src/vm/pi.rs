//! The emulated Pi: QEMU's `raspi3b` with a few chips on its I2C bus.
//!
//! Real there: the Pi's own I2C controller and its driver, pins, the processor. Not there: edges of
//! pins, a watchdog that can be petted, the firmware. Its serial line is console first and then the
//! agent's wire; what goes over it is logged as the console of other machines is. The level of every
//! pin can be read, and that of an input driven, from outside: see [`Pins`].

// The lab speaks to a real emulator.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::prepare::{PiParts, initrd_with, tool};
use super::qemu::{Places, show};

/// Kernel command line. `iomem=relaxed`: programs may map the pins' registers through /dev/mem, as
/// Raspberry Pi OS lets them through /dev/gpiomem.
const APPEND: &str = "console=ttyS1,115200 quiet panic=-1 iomem=relaxed";

/// Registers of a MAX17040 at 3.95 V and 75 %: every register has 16 bits, the high byte first.
/// VCELL (2) counts 1.25 mV in its upper 12 bits, SOC (4) percent in its high byte.
const GAUGE: [(usize, [u8; 2]); 2] = [(2, [0xc5, 0x80]), (4, [0x4b, 0x00])];

/// Bytes of the memory chip that stands for the gauge. QEMU wants a file of at least one block, and
/// an address of one byte reaches either half of it.
const MEMORY: usize = 512;

/// Makes the files that this machine starts with.
pub fn make(parts: &PiParts, places: &Places) -> Result<()> {
    fs::write(
        places.initrd(),
        initrd_with(&parts.initrd, &parts.programs)?,
    )?;
    let mut memory = vec![0; MEMORY];
    for half in [0, MEMORY / 2] {
        for (register, value) in GAUGE {
            memory[half + register..][..2].copy_from_slice(&value);
        }
    }
    fs::write(places.memory_chip(), memory).context("write the memory chip")
}

/// The command that starts it.
pub fn command(parts: &PiParts, places: &Places, extra_append: &str) -> Command {
    let mut command = tool("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "qemu-system-aarch64"]);
    // One thread for all four processors: the three that wait for work spin, and take turns then.
    command.args(["-machine", "raspi3b", "-accel", "tcg,thread=single"]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
    command.args(["-action", "shutdown=pause"]);
    command.arg("-kernel").arg(&parts.kernel);
    command.arg("-dtb").arg(&parts.tree);
    command.arg("-initrd").arg(places.initrd());
    command
        .arg("-append")
        .arg(format!("{APPEND} {extra_append}"));
    for chip in [
        "ds1338,bus=i2c-bus.1,address=0x68",
        "tmp105,bus=i2c-bus.1,address=0x48",
        "at24c-eeprom,bus=i2c-bus.1,address=0x36,rom-size=512,address-size=1,drive=memory",
    ] {
        command.args(["-device", chip]);
    }
    let memory = show(&places.memory_chip());
    command.args([
        "-drive",
        &format!("if=none,id=memory,format=raw,file={memory}"),
    ]);
    let (qmp, agent) = (show(&places.qmp()), show(&places.agent()));
    let log = show(&places.serial());
    command.args(["-chardev", &format!("socket,id=qmp,path={qmp}")]);
    command.args([
        "-chardev",
        &format!("socket,id=agent,path={agent},logfile={log},logappend=on"),
    ]);
    command.args(["-mon", "chardev=qmp,mode=control"]);
    // The first line is the one that the board's radio has; the second is the console's.
    command.args(["-serial", "null", "-serial", "chardev:agent"]);
    let pins = show(&places.pins());
    command.args(["-qtest", &format!("unix:{pins},server=on,wait=off")]);
    command.args(["-qtest-log", "/dev/null"]);
    command
}

/// The pins of the emulated Pi, seen and driven from outside, in the registers of its controller.
#[derive(Debug)]
pub struct Pins {
    reader: BufReader<UnixStream>,
}

/// Registers of the pin controller (BCM2835 ARM Peripherals, chapter 6): set, clear, level.
const SET: u32 = 0x3f20_001c;
const CLEAR: u32 = 0x3f20_0028;
const LEVEL: u32 = 0x3f20_0034;

/// The first of the registers that say what pins are, three bits each, ten in a register; and what an
/// output is there.
const FUNCTION: u32 = 0x3f20_0000;
const OUTPUT: u64 = 1;

/// QEMU answers between two steps of the emulated processors.
const ANSWER: Duration = Duration::from_secs(20);

impl Pins {
    /// Those of a machine that runs.
    pub fn of(places: &Places) -> Result<Self> {
        let stream = UnixStream::connect(places.pins()).context("reach the pins")?;
        stream.set_read_timeout(Some(ANSWER))?;
        Ok(Pins {
            reader: BufReader::new(stream),
        })
    }

    /// Whether a pin is high, be it driven by the guest or from here.
    pub fn level(&mut self, pin: u32) -> Result<bool> {
        Ok(self.read(LEVEL)? >> pin & 1 == 1)
    }

    fn read(&mut self, register: u32) -> Result<u64> {
        let answer = self.ask(&format!("readl {register:#x}"))?;
        let word = answer.strip_prefix("0x").context("no number")?;
        Ok(u64::from_str_radix(word, 16)?)
    }

    /// Whether the guest drives a pin.
    pub fn is_output(&mut self, pin: u32) -> Result<bool> {
        let register = FUNCTION + 4 * (pin / 10);
        Ok(self.read(register)? >> (3 * (pin % 10)) & 7 == OUTPUT)
    }

    /// Drives a pin that is an input of the guest's.
    pub fn drive(&mut self, pin: u32, high: bool) -> Result<()> {
        let register = if high { SET } else { CLEAR };
        self.ask(&format!("writel {register:#x} {:#x}", 1_u32 << pin))?;
        Ok(())
    }

    fn ask(&mut self, order: &str) -> Result<String> {
        self.reader
            .get_mut()
            .write_all(format!("{order}\n").as_bytes())?;
        let mut line = String::new();
        self.reader
            .read_line(&mut line)
            .with_context(|| format!("`{order}`"))?;
        match line.trim_end().strip_prefix("OK") {
            Some(answer) => Ok(answer.trim().to_owned()),
            None => bail!("`{order}` is answered by {line:?}"),
        }
    }
}

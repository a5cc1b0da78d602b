//! The driver of `/dev/i2c-N`: the ioctls of `linux/i2c-dev.h`, carried out on a [`Bus`].

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;

use nix::errno::Errno;

use super::bus::{Bus, Content, Fault, Message, Outcome, Width};
use super::driver::{self, Driver};
use super::wire::{Answer, Area, Ioctl, number32, number64};

/// Numbers of the ioctls.
const RETRIES: u32 = 0x0701;
const TIMEOUT: u32 = 0x0702;
const SLAVE: u32 = 0x0703;
const TEN_BITS: u32 = 0x0704;
const FUNCTIONS: u32 = 0x0705;
const SLAVE_FORCE: u32 = 0x0706;
const READ_WRITE: u32 = 0x0707;
const PEC: u32 = 0x0708;
const SMBUS: u32 = 0x0720;

/// What the adapter says it can: plain transfers, and the SMBus forms of [`smbus_messages`].
const ABLE: u64 = 0x0c7f_0001;

/// Sizes of the structures that an ioctl's argument points to.
const READ_WRITE_SIZE: u64 = 16;
const MESSAGE_SIZE: u64 = 16;
const SMBUS_SIZE: u64 = 16;

/// Most messages in one transfer, as in the kernel.
const MOST_MESSAGES: u32 = 42;

/// Flag of a message that reads.
const READS: u16 = 1;

/// SMBus forms, by their number in `linux/i2c.h`.
const QUICK: u32 = 0;
const BYTE: u32 = 1;
const BYTE_DATA: u32 = 2;
const WORD_DATA: u32 = 3;
const BLOCK_DATA: u32 = 8;

/// The older number of the same form, still used by programs; reading, it means the longest.
const OLD_BLOCK_DATA: u32 = 6;

/// Longest block; a byte with the length precedes it in the data.
const LONGEST_BLOCK: usize = 32;

/// The adapter.
#[derive(Debug, Default)]
pub struct Adapter {
    bus: Bus,
    /// Address that each open file speaks to.
    addresses: BTreeMap<u64, u16>,
    next: u64,
    /// The console, once a case wants to hear of writes there.
    console: Option<File>,
}

impl Adapter {
    /// An adapter with chips given as `ADDRESS=bytes` or `ADDRESS=words`.
    pub fn new(chips: &[String]) -> Result<Self, String> {
        let mut adapter = Adapter::default();
        for chip in chips {
            let (address, width) = chip.split_once('=').unwrap_or((chip, ""));
            let width = match width {
                "bytes" => Width::Bytes,
                "words" => Width::Words,
                _ => return Err(format!("{chip}: a chip is ADDRESS=bytes or ADDRESS=words")),
            };
            adapter.bus.add(driver::number(address)?, width);
        }
        Ok(adapter)
    }

    /// Says on the console what a case wants to hear of. Nobody reads orders any more when the
    /// machine goes down; the console is read from outside.
    fn tell(&mut self) {
        let news = self.bus.news();
        if let Some(console) = &mut self.console {
            for line in news {
                // The urgency of it, or the kernel keeps it to itself.
                let _ = console.write_all(format!("<1>{line}\n").as_bytes());
            }
        }
    }

    /// One message to or from the chip that an open file speaks to.
    fn plain(&mut self, handle: u64, content: Content) -> Outcome {
        match self.addresses.get(&handle) {
            Some(address) => self.bus.transfer(&[Message {
                address: *address,
                content,
            }]),
            None => Outcome::Failed(Errno::EINVAL),
        }
    }

    /// A transfer of several messages, whose list and buffers are fetched step by step.
    fn read_write(&mut self, call: &Ioctl) -> Answer {
        let mut read = vec![call.area(READ_WRITE_SIZE)];
        if let Some(lack) = call.lacks(&read, &[]) {
            return lack;
        }
        let count = number32(&call.input, 8);
        if count > MOST_MESSAGES {
            return Answer::Failed(Errno::EINVAL);
        }
        let list = Area {
            start: number64(&call.input, 0),
            length: u64::from(count) * MESSAGE_SIZE,
        };
        read.push(list);
        if let Some(lack) = call.lacks(&read, &[]) {
            return lack;
        }
        let heads = list_heads(&call.input[READ_WRITE_SIZE as usize..], count);
        if heads.iter().any(|head| head.flags & !READS != 0) {
            return Answer::Failed(Errno::EOPNOTSUPP);
        }
        let reads = |head: &&Head| head.flags & READS != 0;
        read.extend(
            heads
                .iter()
                .filter(|head| !reads(head))
                .map(|head| head.buffer),
        );
        let written: Vec<Area> = heads.iter().filter(reads).map(|head| head.buffer).collect();
        if let Some(lack) = call.lacks(&read, &written) {
            return lack;
        }
        let sent = &call.input[(READ_WRITE_SIZE + list.length) as usize..];
        let outcome = self.bus.transfer(&messages(&heads, sent));
        finish(outcome, |data| Answer::Result(count.cast_signed(), data))
    }

    /// An SMBus call, as the transfer it stands for.
    fn smbus(&mut self, call: &Ioctl) -> Answer {
        let request = call.area(SMBUS_SIZE);
        if let Some(lack) = call.lacks(&[request], &[]) {
            return lack;
        }
        let Some(address) = self.addresses.get(&call.handle).copied() else {
            return Answer::Failed(Errno::EINVAL);
        };
        let (reads, command) = (call.input[0] == 1, call.input[1]);
        let asked = number32(&call.input, 4);
        let form = if asked == OLD_BLOCK_DATA {
            BLOCK_DATA
        } else {
            asked
        };
        let length = match form {
            QUICK => 0,
            BYTE if !reads => 0,
            BYTE | BYTE_DATA => 1,
            WORD_DATA => 2,
            BLOCK_DATA => LONGEST_BLOCK as u64 + 2,
            _ => return Answer::Failed(Errno::EOPNOTSUPP),
        };
        let data = Area {
            start: number64(&call.input, 8),
            length,
        };
        // A block that is read says first how long it is to be.
        let mut inputs = vec![request];
        inputs.extend((!reads || asked == BLOCK_DATA).then_some(data));
        let outputs: Vec<Area> = reads.then_some(data).into_iter().collect();
        if let Some(lack) = call.lacks(&inputs, &outputs) {
            return lack;
        }
        let longest = [LONGEST_BLOCK as u8];
        let data = match (asked, reads) {
            (OLD_BLOCK_DATA, true) => &longest,
            _ => &call.input[SMBUS_SIZE as usize..],
        };
        let Some(contents) = smbus_contents(form, reads, command, data) else {
            return Answer::Failed(Errno::EINVAL);
        };
        let messages: Vec<Message> = contents
            .into_iter()
            .map(|content| Message { address, content })
            .collect();
        finish(self.bus.transfer(&messages), |mut data| {
            if form == BLOCK_DATA && reads {
                data.insert(0, data.len() as u8);
            }
            Answer::Result(0, data)
        })
    }
}

/// The answer to a transfer's outcome.
fn finish(outcome: Outcome, done: impl FnOnce(Vec<u8>) -> Answer) -> Answer {
    match outcome {
        Outcome::Done(data) => done(data),
        Outcome::Failed(error) => Answer::Failed(error),
        Outcome::Stuck => Answer::Later,
    }
}

/// A message as the calling program describes it.
struct Head {
    address: u16,
    flags: u16,
    buffer: Area,
}

fn list_heads(list: &[u8], count: u32) -> Vec<Head> {
    let heads = list.chunks(MESSAGE_SIZE as usize).take(count as usize);
    heads
        .map(|bytes| Head {
            address: number32(bytes, 0) as u16,
            flags: (number32(bytes, 0) >> 16) as u16,
            buffer: Area {
                start: number64(bytes, 8),
                length: u64::from(number32(bytes, 4) as u16),
            },
        })
        .collect()
}

/// The messages of a transfer; `sent` are the contents of all that write.
fn messages(heads: &[Head], mut sent: &[u8]) -> Vec<Message> {
    let message = |head: &Head| {
        let length = head.buffer.length as usize;
        let content = if head.flags & READS != 0 {
            Content::Read(length)
        } else {
            let (own, rest) = sent.split_at(length.min(sent.len()));
            sent = rest;
            Content::Write(own.to_vec())
        };
        Message {
            address: head.address,
            content,
        }
    };
    heads.iter().map(message).collect()
}

/// The messages that an SMBus form stands for; `None` if its length makes no sense.
fn smbus_contents(form: u32, reads: bool, command: u8, data: &[u8]) -> Option<Vec<Content>> {
    let select = |length| vec![Content::Write(vec![command]), Content::Read(length)];
    let send = |bytes: &[u8]| vec![Content::Write([&[command], bytes].concat())];
    Some(match (form, reads) {
        (QUICK, _) => vec![Content::Write(Vec::new())],
        (BYTE, true) => vec![Content::Read(1)],
        (BYTE, false) => vec![Content::Write(vec![command])],
        (BYTE_DATA, true) => select(1),
        (BYTE_DATA, false) => send(data.get(..1)?),
        (WORD_DATA, true) => select(2),
        (WORD_DATA, false) => send(data.get(..2)?),
        _ => {
            let length = usize::from(*data.first()?);
            if !(1..=LONGEST_BLOCK).contains(&length) {
                return None;
            }
            if reads {
                select(length)
            } else {
                send(data.get(1..=length)?)
            }
        }
    })
}

impl Driver for Adapter {
    fn open(&mut self) -> Result<u64, Errno> {
        self.next += 1;
        Ok(self.next)
    }

    fn release(&mut self, handle: u64) {
        self.addresses.remove(&handle);
    }

    fn read(&mut self, handle: u64, size: usize) -> Answer {
        finish(self.plain(handle, Content::Read(size)), Answer::Data)
    }

    fn write(&mut self, handle: u64, data: &[u8]) -> Answer {
        let outcome = self.plain(handle, Content::Write(data.to_vec()));
        self.tell();
        finish(outcome, |_| Answer::Written(data.len() as u32))
    }

    fn ioctl(&mut self, call: &Ioctl) -> Answer {
        match call.command {
            FUNCTIONS => call
                .lacks(&[], &[call.area(8)])
                .unwrap_or_else(|| Answer::Result(0, ABLE.to_ne_bytes().to_vec())),
            SLAVE | SLAVE_FORCE if call.argument > 0x7f => Answer::Failed(Errno::EINVAL),
            SLAVE | SLAVE_FORCE => {
                self.addresses.insert(call.handle, call.argument as u16);
                Answer::Result(0, Vec::new())
            }
            RETRIES | TIMEOUT => Answer::Result(0, Vec::new()),
            TEN_BITS | PEC if call.argument == 0 => Answer::Result(0, Vec::new()),
            TEN_BITS | PEC => Answer::Failed(Errno::EINVAL),
            READ_WRITE | SMBUS => {
                let answer = match call.command {
                    SMBUS => self.smbus(call),
                    _ => self.read_write(call),
                };
                self.tell();
                answer
            }
            _ => Answer::Failed(Errno::ENOTTY),
        }
    }

    fn order(&mut self, words: &[&str]) -> Result<String, String> {
        match words {
            ["set", chip, register, hex] => {
                let bytes = driver::bytes(hex)?;
                self.bus
                    .set(driver::number(chip)?, driver::number(register)?, &bytes)?;
                Ok(String::new())
            }
            ["get", chip, register, length] => {
                let (chip, register) = (driver::number(chip)?, driver::number(register)?);
                let bytes = self.bus.get(chip, register, driver::number(length)?)?;
                Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
            }
            ["transfers", chip] => self
                .bus
                .transfers(driver::number(chip)?)
                .map(|count| count.to_string()),
            ["fault", place, fault, rest @ ..] if rest.len() < 2 => {
                let place = (*place != "bus")
                    .then(|| driver::number(place))
                    .transpose()?;
                let left = rest
                    .first()
                    .map(|count| driver::number(count))
                    .transpose()?;
                if left == Some(0) {
                    return Err("a fault of no transfers".to_owned());
                }
                self.bus.break_down(Fault::parse(fault)?, place, left);
                Ok(String::new())
            }
            ["tell", chip] => {
                let console = OpenOptions::new().write(true).open("/dev/kmsg");
                self.console = Some(console.map_err(|error| format!("/dev/kmsg: {error}"))?);
                self.bus.watch(driver::number(chip)?);
                Ok(String::new())
            }
            ["heal"] => {
                self.bus.heal();
                Ok(String::new())
            }
            _ => Err(
                "orders: set CHIP REGISTER HEX, get CHIP REGISTER LENGTH, transfers CHIP, \
                      fault CHIP|bus FAULT [TRANSFERS], tell CHIP, heal"
                    .to_owned(),
            ),
        }
    }
}

//! What each kind of device does, and how the words of orders are read.

use nix::errno::Errno;

use super::wire::{Answer, Ioctl};

/// A device. Calls that wait are answered with [`Answer::Later`] and come again after an order.
pub trait Driver {
    /// A program opens the device; the number is in all its later calls.
    fn open(&mut self) -> Result<u64, Errno>;
    /// It has closed it.
    fn release(&mut self, handle: u64);
    /// read(2).
    fn read(&mut self, handle: u64, size: usize) -> Answer;
    /// write(2).
    fn write(&mut self, handle: u64, data: &[u8]) -> Answer;
    /// ioctl(2).
    fn ioctl(&mut self, call: &Ioctl) -> Answer;
    /// A case changes or looks at the device; the answer is for its eyes.
    fn order(&mut self, words: &[&str]) -> Result<String, String>;
}

/// A number, decimal or with 0x, that fits its use.
pub fn number<T: TryFrom<u64>>(word: &str) -> Result<T, String> {
    let parsed = match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => word.parse(),
    };
    let fitting = parsed.ok().and_then(|number| T::try_from(number).ok());
    fitting.ok_or_else(|| format!("{word}: not a number that fits here"))
}

/// Bytes written as hex digits, two each.
pub fn bytes(word: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{word}: not pairs of hex digits");
    let (pairs, rest) = word.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(wrong);
    let byte = |[high, low]: &[u8; 2]| Ok((digit(*high)? << 4 | digit(*low)?) as u8);
    pairs.iter().map(byte).collect()
}

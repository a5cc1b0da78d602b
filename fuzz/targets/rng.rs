//! Decisions of a fuzzer, in the place of chance: as in `tests/sim/rng.rs`, but out of its bytes.

/// Bytes that decide. At their end everything is the least that it can be.
pub struct Rng(std::vec::IntoIter<u8>);

impl Rng {
    pub fn new(bytes: &[u8]) -> Rng {
        Rng(bytes.to_vec().into_iter())
    }

    pub fn is_spent(&self) -> bool {
        self.0.len() == 0
    }

    /// Two bytes are enough for most choices; `range` takes as many as it needs.
    pub fn next(&mut self) -> u64 {
        self.take(2)
    }

    fn take(&mut self, bytes: u32) -> u64 {
        (0..bytes).fold(0, |all, _| all << 8 | u64::from(self.0.next().unwrap_or(0)))
    }

    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        let span = high - low;
        let bytes = 8 - span.leading_zeros() / 8;
        low + self.take(bytes) % span.saturating_add(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.take(1) % 100 < percent
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let at = self.take(1) % of.len() as u64;
        of[usize::try_from(at).unwrap_or(0)].clone()
    }
}

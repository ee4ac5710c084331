//! [`Mark`]: what a store remembers of its former lives.

use std::time::Duration;

use super::disk::Disk;
use super::error::FileError;
use crate::Rank;

const KEY: &str = "mark";

/// What a store remembers of its former lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// No grant was higher.
    pub(super) high: Rank,
    /// None was longer; zero if all were over when it was closed.
    pub(super) longest: Duration,
}

impl Mark {
    pub(super) fn read(disk: &Disk) -> Result<Self, FileError> {
        let Some(bytes) = disk.get(KEY)? else {
            return Ok(Self::default());
        };
        Self::decode(&bytes).ok_or_else(|| FileError::Corrupt {
            path: disk.path().to_owned(),
            what: format!("its mark has {} bytes", bytes.len()),
        })
    }

    pub(super) fn write(self, disk: &Disk) -> Result<(), FileError> {
        disk.put(KEY, &self.encode())
    }

    /// Writes it, and lets the file go.
    pub(super) fn close(self, disk: &Disk) -> Result<(), FileError> {
        disk.close_with(Some((KEY, &self.encode())))
    }

    fn encode(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        let millis = u64::try_from(self.longest.as_millis()).unwrap_or(u64::MAX);
        bytes[..4].copy_from_slice(&self.high.era.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.high.seq.to_be_bytes());
        bytes[12..].copy_from_slice(&millis.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (era, rest) = bytes.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let millis = u64::from_be_bytes(rest.try_into().ok()?);
        Some(Self {
            high: Rank::new(u32::from_be_bytes(*era), u64::from_be_bytes(*seq)),
            longest: Duration::from_millis(millis),
        })
    }
}

/// The least of a few lengths that is no shorter: an eighth too long at most, so that it is seldom to be written anew.
pub(super) fn step(length: Duration) -> Duration {
    let millis = u64::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let unit = (millis.checked_ilog2().map_or(1, |log| 1 << log) / 8_u64).max(1);
    Duration::from_millis(millis.div_ceil(unit).saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let longest = Duration::from_secs(70);
        for high in [Rank::ZERO, Rank::new(3, 1 << 60), Rank::MAX] {
            let mark = Mark { high, longest };
            let bytes = mark.encode();
            assert_eq!(Mark::decode(&bytes), Some(mark));
            for length in 0..bytes.len() {
                assert_eq!(Mark::decode(&bytes[..length]), None);
            }
            assert_eq!(Mark::decode(&[bytes.as_slice(), &[0]].concat()), None);
        }
    }

    #[test]
    fn steps_are_few_and_never_shorter() {
        let mut steps = std::collections::BTreeSet::new();
        for millis in 1..=86_400_u64 {
            let length = Duration::from_millis(millis * 1000);
            let step = step(length);
            assert!(
                step >= length && step <= length * 9 / 8,
                "{length:?}: {step:?}"
            );
            steps.insert(step);
        }
        assert!(steps.len() < 200, "{}", steps.len());
        assert_eq!(step(Duration::ZERO), Duration::ZERO);
        assert_eq!(step(Duration::from_nanos(1)), Duration::from_millis(1));
    }
}

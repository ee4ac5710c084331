//! [`Cut`]: counts what passes of a body, and says where it stops.

use crate::effect::After;

/// The bytes before each message of gRPC: a flag, and the length.
const PREFIX: u8 = 5;

/// How much may still pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Bytes(u64),
    Frames(u64),
    Messages {
        left: u64,
        /// The bytes of the prefix that are here, and the length as far as it is known.
        prefix: u8,
        length: u32,
        /// What is missing of the message whose prefix is whole.
        missing: u32,
    },
}

impl Cut {
    pub(crate) const fn new(after: After) -> Self {
        match after {
            After::Bytes(n) => Self::Bytes(n),
            After::Frames(n) => Self::Frames(n),
            After::Messages(left) => Self::Messages {
                left,
                prefix: 0,
                length: 0,
                missing: 0,
            },
        }
    }

    /// Whether nothing may pass any more.
    pub(crate) const fn is_due(&self) -> bool {
        match self {
            Self::Bytes(left) | Self::Frames(left) | Self::Messages { left, .. } => *left == 0,
        }
    }

    /// Counts a data frame: so many of its bytes pass.
    pub(crate) fn pass(&mut self, data: &[u8]) -> usize {
        match self {
            Self::Bytes(left) => {
                let passes = usize::try_from(*left).map_or(data.len(), |left| left.min(data.len()));
                *left -= passes as u64;
                passes
            }
            Self::Frames(left) => {
                *left = left.saturating_sub(1);
                data.len()
            }
            Self::Messages {
                left,
                prefix,
                length,
                missing,
            } => {
                let mut at = 0;
                while at < data.len() && *left > 0 {
                    if *prefix < PREFIX {
                        // The flag is shifted out again by the four bytes that follow it.
                        *length = *length << 8 | u32::from(data[at]);
                        *prefix += 1;
                        at += 1;
                        *missing = *length;
                    } else {
                        let some = (*missing as usize).min(data.len() - at);
                        *missing -= some as u32;
                        at += some;
                    }
                    if *prefix == PREFIX && *missing == 0 {
                        *left -= 1;
                        (*prefix, *length) = (0, 0);
                    }
                }
                at
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What passes of these frames, as it does in a body.
    fn passes(after: After, frames: &[Vec<u8>]) -> (Vec<u8>, bool) {
        let (mut cut, mut passed) = (Cut::new(after), Vec::new());
        for frame in frames {
            if cut.is_due() {
                break;
            }
            let n = cut.pass(frame);
            passed.extend_from_slice(&frame[..n]);
        }
        (passed, cut.is_due())
    }

    /// Bytes, cut into frames in any way.
    fn chunked(bytes: Vec<u8>) -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
        let most = bytes.len();
        prop::collection::vec(0..=most, 0..8).prop_map(move |mut cuts| {
            cuts.extend([0, most]);
            cuts.sort_unstable();
            let frames = cuts.windows(2).map(|w| bytes[w[0]..w[1]].to_vec());
            (bytes.clone(), frames.collect())
        })
    }

    fn any_body() -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
        prop::collection::vec(any::<u8>(), 0..200).prop_flat_map(chunked)
    }

    fn messages(lengths: &[usize]) -> Vec<u8> {
        let message = |(n, length): (usize, &usize)| {
            let mut message = vec![(n % 2) as u8];
            message.extend((*length as u32).to_be_bytes());
            message.extend(std::iter::repeat_n(n as u8, *length));
            message
        };
        lengths.iter().enumerate().flat_map(message).collect()
    }

    proptest! {
        #[test]
        fn exactly_n_bytes_pass_however_the_body_is_cut((body, frames) in any_body(), n in 0..300u64) {
            let (passed, due) = passes(After::Bytes(n), &frames);
            let most = body.len().min(n as usize);
            prop_assert_eq!(&passed[..], &body[..most]);
            prop_assert_eq!(due, body.len() as u64 >= n);
        }

        #[test]
        fn exactly_n_frames_pass((_, frames) in any_body(), n in 0..12u64) {
            let (passed, due) = passes(After::Frames(n), &frames);
            let most = frames.len().min(n as usize);
            prop_assert_eq!(passed, frames[..most].concat());
            prop_assert_eq!(due, frames.len() as u64 >= n);
        }

        #[test]
        fn exactly_n_messages_pass_however_they_are_framed(
            (lengths, (_, frames)) in prop::collection::vec(0..40usize, 0..6)
                .prop_flat_map(|lengths| (Just(lengths.clone()), chunked(messages(&lengths)))),
            n in 0..8u64,
        ) {
            let (passed, due) = passes(After::Messages(n), &frames);
            let most = lengths.len().min(n as usize);
            prop_assert_eq!(passed, messages(&lengths[..most]));
            prop_assert_eq!(due, lengths.len() as u64 >= n);
        }
    }

    #[test]
    fn a_hostile_length_is_no_reason_to_panic() {
        let (passed, due) = passes(After::Messages(1), &[vec![0xFF; 64]]);
        assert_eq!((passed.len(), due), (64, false));
    }
}

//! One bit that is not what it was.

use murphy_core::Draw;

/// Flips exactly one bit, any of them alike, and says which: bit 0 is the lowest of the first
/// byte. Nothing is done to an empty slice.
///
/// # Examples
///
/// ```
/// use murphy_core::Draw;
/// use murphy_fault::byzantine::flip_bit;
///
/// let mut bytes = [0; 4];
/// assert_eq!(flip_bit(&mut bytes, Draw::from_bits(1 << 63)), Some(16));
/// assert_eq!(bytes, [0, 0, 1, 0]);
/// ```
#[doc(alias = "corrupt")]
#[doc(alias = "cosmic ray")]
pub fn flip_bit(bytes: &mut [u8], draw: Draw) -> Option<usize> {
    let bit = below(draw, bytes.len().checked_mul(8)?)?;
    *bytes.get_mut(bit / 8)? ^= 1 << (bit % 8);
    Some(bit)
}

/// As [`flip_bit`], in whatever is made of bytes: `Vec<u8>`, `Box<[u8]>`, `bytes::Bytes`. A hook as it
/// stands; it copies the message.
///
/// # Examples
///
/// ```
/// use murphy_core::{Probability, Seed};
/// use murphy_fault::{byzantine, Fault, FaultLayer};
/// use std::convert::Infallible;
/// use tower::{service_fn, ServiceBuilder, ServiceExt};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let fault = Fault::altered_request(Probability::ALWAYS);
/// let disk = ServiceBuilder::new()
///     .layer(FaultLayer::seeded(Seed::new(42), "api->disk", fault)
///         .altering_requests(byzantine::flip_bit_in::<Vec<u8>>))
///     .service(service_fn(|page: Vec<u8>| async move { Ok::<_, Infallible>(page) }));
/// let written = disk.oneshot(vec![0; 512]).await.unwrap();
/// assert_eq!(written.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
/// # });
/// ```
pub fn flip_bit_in<B: AsRef<[u8]> + From<Vec<u8>>>(message: &mut B, draw: Draw) {
    let mut bytes = message.as_ref().to_vec();
    if flip_bit(&mut bytes, draw).is_some() {
        *message = bytes.into();
    }
}

/// Flips exactly one bit of those that leave a text a text: of one character another one of the
/// same length. Any of these bits alike; nothing is done to an empty text. A hook as it stands.
///
/// # Examples
///
/// ```
/// use murphy_core::Draw;
/// use murphy_fault::byzantine::flip_bit_in_text;
///
/// let mut text = String::from("£100");
/// flip_bit_in_text(&mut text, Draw::from_bits(u64::MAX / 2));
/// assert_eq!(text, "£500");
/// ```
pub fn flip_bit_in_text(text: &mut String, draw: Draw) {
    let Some(nth) = below(draw, safe_bits(text).count()) else {
        return;
    };
    let Some(bit) = safe_bits(text).nth(nth) else {
        return;
    };
    let mut bytes = std::mem::take(text).into_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    // It is a text: each of its characters is one.
    *text = String::from_utf8_lossy(&bytes).into_owned();
}

/// The bits whose flip makes another character of the same length.
fn safe_bits(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.char_indices().flat_map(|(at, character)| {
        let mut bytes = [0; 4];
        let len = character.encode_utf8(&mut bytes).len();
        (0..8 * len)
            .filter(move |bit| {
                let mut flipped = bytes;
                flipped[bit / 8] ^= 1 << (bit % 8);
                std::str::from_utf8(&flipped[..len]).is_ok()
            })
            .map(move |bit| 8 * at + bit)
    })
}

/// A draw as a number below `n`, all alike; `None` if there is none.
pub(super) fn below(draw: Draw, n: usize) -> Option<usize> {
    (n > 0).then(|| ((u128::from(draw.bits()) * n as u128) >> 64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use murphy_core::{Lane, Point, Seed, Stream};
    use proptest::prelude::*;

    fn draws() -> impl Iterator<Item = Draw> {
        let stream = Stream::new(Seed::new(42), "a->b", "flip", Lane::Alter);
        (0..).map(move |n| stream.at(Point::positional(n)))
    }

    proptest! {
        #[test]
        fn exactly_one_bit_is_flipped(bytes: Vec<u8>, bits: u64) {
            let (mut flipped, draw) = (bytes.clone(), Draw::from_bits(bits));
            let bit = flip_bit(&mut flipped, draw);
            let apart = bytes.iter().zip(&flipped).map(|(a, b)| (a ^ b).count_ones());
            prop_assert_eq!(apart.sum::<u32>(), u32::from(!bytes.is_empty()));
            if let Some(bit) = bit {
                prop_assert_eq!(bytes[bit / 8] ^ flipped[bit / 8], 1 << (bit % 8));
            }
            let mut whole = bytes.clone();
            flip_bit_in(&mut whole, draw);
            prop_assert_eq!(whole, flipped);
        }

        #[test]
        fn a_text_stays_a_text_and_differs_in_one_bit(text: String, bits: u64) {
            let mut flipped = text.clone();
            flip_bit_in_text(&mut flipped, Draw::from_bits(bits));
            prop_assert_eq!(flipped.len(), text.len());
            let apart = text.bytes().zip(flipped.bytes()).map(|(a, b)| (a ^ b).count_ones());
            prop_assert_eq!(apart.sum::<u32>(), u32::from(!text.is_empty()));
        }
    }

    /// Pearson's statistic against all positions alike.
    fn chi_square(counts: &[u32]) -> f64 {
        let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
        let squares = counts.iter().map(|n| (f64::from(*n) - expected).powi(2));
        squares.sum::<f64>() / expected
    }

    #[test]
    fn every_bit_is_as_likely_as_any_other() {
        for bytes in [1, 3, 64] {
            let mut counts = vec![0; 8 * bytes];
            for draw in draws().take(100 * counts.len()) {
                counts[flip_bit(&mut vec![0; bytes], draw).unwrap()] += 1;
            }
            let freedom = counts.len() as f64 - 1.0;
            let most = freedom + 4.0 * (2.0 * freedom).sqrt();
            assert!(chi_square(&counts) < most, "{bytes} bytes: {counts:?}");
        }
    }

    #[test]
    fn every_bit_that_leaves_a_text_is_as_likely_as_any_other() {
        let text = "aé€😀";
        let mut counts = std::collections::BTreeMap::<String, u32>::new();
        let bits = safe_bits(text).count();
        for draw in draws().take(100 * bits) {
            let mut flipped = text.to_owned();
            flip_bit_in_text(&mut flipped, draw);
            *counts.entry(flipped).or_default() += 1;
        }
        assert_eq!(counts.len(), bits);
        let counts: Vec<u32> = counts.into_values().collect();
        let freedom = bits as f64 - 1.0;
        assert!(chi_square(&counts) < freedom + 4.0 * (2.0 * freedom).sqrt());
    }
}

//! `grpc-timeout`, as gRPC over HTTP/2 defines it: one to eight digits and a unit.

use std::time::Duration;

use crate::millis::digits;

/// The most digits of the number, and the largest it can be.
const DIGITS: usize = 8;
const MOST: u128 = 99_999_999;

/// What the header says, if it is one: `[0-9]{1,8}[HMSmun]`, and nothing else.
pub(super) fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, number) = text.split_last()?;
    let number = digits(number, DIGITS)?;
    // Eight digits of hours are 3.6 · 10¹¹ seconds.
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// The header for `left`, in the finest unit that holds it, rounded down: the peer never believes
/// that it has more. What is more than eight digits of hours is that.
pub(super) fn format(left: Duration) -> String {
    let seconds = u128::from(left.as_secs());
    let units = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (seconds, 'S'),
        (seconds / 60, 'M'),
    ];
    let fits = units.into_iter().find(|(number, _)| *number <= MOST);
    let (number, unit) = fits.unwrap_or(((seconds / 3600).min(MOST), 'H'));
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        let seconds = Duration::from_secs;
        for (text, want) in [
            ("0m", seconds(0)),
            ("5S", seconds(5)),
            ("007M", seconds(420)),
            ("1H", seconds(3600)),
            ("250m", Duration::from_millis(250)),
            ("99999999u", Duration::from_micros(99_999_999)),
            ("1n", Duration::from_nanos(1)),
            ("99999999H", seconds(359_999_996_400)),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(want), "{text}");
        }
        for text in [
            "",
            "S",
            "5",
            "5X",
            "+5S",
            "-5S",
            "5 S",
            " 5S",
            "5S ",
            "5.0S",
            "5s",
            "123456789S",
            "５S",
            "5SS",
            "0x5S",
            "5秒",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_finest_unit_that_fits_is_used() {
        for (left, want) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_999), "100000u"),
            (Duration::from_secs(30), "30000000u"),
            (Duration::from_micros(100_000_999), "100000m"),
            (Duration::from_secs(99_999_999), "99999999S"),
            // 10⁸ seconds have nine digits.
            (Duration::from_secs(100_000_000), "1666666M"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(format(left), want, "{left:?}");
        }
    }

    proptest! {
        #[test]
        fn the_peer_never_believes_that_it_has_more(secs in any::<u64>(), nanos in 0_u32..1_000_000_000) {
            let left = Duration::new(secs, nanos);
            let text = format(left);
            prop_assert!(text.len() <= 9);
            prop_assert!(parse(text.as_bytes()).expect("our own") <= left);
        }

        #[test]
        fn little_is_lost(micros in 1_u64..u64::from(u32::MAX)) {
            let left = Duration::from_micros(micros);
            let read = parse(format(left).as_bytes()).expect("our own");
            prop_assert!(left - read <= Duration::from_millis(1));
        }

        #[test]
        fn any_bytes_are_read(text in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Some(read) = parse(&text) {
                prop_assert!(text.len() <= 9 && text[0].is_ascii_digit());
                prop_assert!(read.as_secs() < 1 << 39);
            }
        }
    }
}

//! What a request's header asks for: faults by name, rarer or shorter than they are.
//!
//! What is read here came in over a wire: it is bounded before it is looked at, and what cannot be
//! read is ignored.

use std::time::Duration;

use murphy_core::Probability;

/// The header by which a request asks for faults that are [`requested`](crate::Fault::requested).
pub const REQUESTED_BY: &str = "x-murphy-fault";

/// The longest value, the most values and the most items that are looked at.
const LONGEST: usize = 1024;
const MOST_VALUES: usize = 4;
const MOST_ITEMS: usize = 16;

/// How a request asks for a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) chance: Option<Probability>,
    pub(crate) delay: Option<Duration>,
}

/// What a request's header says of one fault.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Asking {
    pub(crate) wanted: Option<Wanted>,
    /// Some of it could not be read.
    pub(crate) malformed: bool,
}

impl Asking {
    /// Looks for `fault` in the values of the header. The first item of its name counts.
    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "only HTTP has headers")
    )]
    pub(crate) fn read<'a>(values: impl IntoIterator<Item = &'a [u8]>, fault: &str) -> Self {
        let mut asking = Self::default();
        let mut items = 0;
        for (index, value) in values.into_iter().enumerate() {
            let text = std::str::from_utf8(value).ok();
            let Some(text) = text.filter(|t| t.len() <= LONGEST && index < MOST_VALUES) else {
                asking.malformed = true;
                continue;
            };
            for item in text.split(',') {
                items += 1;
                match parse(item) {
                    Some((name, wanted)) if items <= MOST_ITEMS => {
                        if name == fault && asking.wanted.is_none() {
                            asking.wanted = Some(wanted);
                        }
                    }
                    _ => asking.malformed = true,
                }
            }
        }
        asking
    }
}

/// `name`, `name;delay=200ms`, `name;chance=50%;delay=200ms`.
fn parse(item: &str) -> Option<(&str, Wanted)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut wanted = Wanted::default();
    for part in parts {
        let (key, value) = part.split_once('=')?;
        match key.trim() {
            "chance" if wanted.chance.is_none() => wanted.chance = Some(value.trim().parse().ok()?),
            "delay" if wanted.delay.is_none() => {
                wanted.delay = Some(humantime::parse_duration(value.trim()).ok()?);
            }
            _ => return None,
        }
    }
    Some((name, wanted))
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Asking {
        Asking::read(values.iter().map(|v| v.as_bytes()), "slow")
    }

    fn wanted(chance: Option<f64>, delay: Option<u64>) -> Option<Wanted> {
        Some(Wanted {
            chance: chance.map(|p| Probability::try_new(p).unwrap()),
            delay: delay.map(Duration::from_millis),
        })
    }

    #[test]
    fn a_header_asks_by_name_and_may_ask_for_less() {
        let full = ["x,"; MOST_ITEMS].concat();
        for (name, values, want, malformed) in [
            ("by name", &["slow"][..], wanted(None, None), false),
            (
                "among others",
                &["outage, slow "],
                wanted(None, None),
                false,
            ),
            (
                "in a later value",
                &["outage", "slow"],
                wanted(None, None),
                false,
            ),
            (
                "rarer and shorter",
                &["slow; chance=50% ;delay=200ms"],
                wanted(Some(0.5), Some(200)),
                false,
            ),
            (
                "the first of its name",
                &["slow;delay=1ms,slow;delay=2ms"],
                wanted(None, Some(1)),
                false,
            ),
            ("for something else", &["slower"], None, false),
            ("for nothing", &[""], None, true),
            ("for more than certainty", &["slow;chance=2"], None, true),
            ("with a word nobody knows", &["slow;for=ever"], None, true),
            ("twice over", &["slow;delay=1ms;delay=2ms"], None, true),
            ("beside rubbish", &[";;=,slow"], wanted(None, None), true),
            (
                "with too many items",
                &[&(full.clone() + "slow")],
                None,
                true,
            ),
            (
                "too long",
                &[&("slow,".to_owned() + &" ".repeat(LONGEST))],
                None,
                true,
            ),
            ("too late", &["x", "x", "x", "x", "slow"], None, true),
        ] {
            let want = Asking {
                wanted: want,
                malformed,
            };
            assert_eq!(read(values), want, "{name}");
        }
        let bytes = Asking::read([&[b's', 0xFF][..]], "slow");
        assert_eq!((bytes.wanted, bytes.malformed), (None, true));
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(values: Vec<Vec<u8>>, name: String) {
            let _ = Asking::read(values.iter().map(|v| &**v), &name);
        }
    }
}

//! The scripts, what they are given, and what they answer.

use std::time::Duration;

use redis::{Cmd, Script};

use super::super::error::{StoreError, micros};
use crate::{Acquire, Claim, Grant, Holder, LeaseReply, LeaseRequest, Rank, Renew};

/// What a script answers: a code, a rank, the highest rank granted, and microseconds; in one text, which is less work
/// for all than a list is.
pub(super) type Answer = String;

/// One script an operation.
pub(super) struct Scripts {
    acquire: Script,
    renew: Script,
    release: Script,
    observe: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        const ROW: &str = include_str!("row.lua");
        let script = |rest: &str| Script::new(&format!("{ROW}{rest}"));
        Self {
            acquire: script(include_str!("acquire.lua")),
            renew: script(include_str!("renew.lua")),
            release: script(include_str!("release.lua")),
            observe: script(include_str!("observe.lua")),
        }
    }

    /// The call that asks for it, of the row at `key`, and the script that it calls: to be sent where the server does not know it.
    ///
    /// A [`ScriptInvocation`](redis::ScriptInvocation) keeps each argument by itself, and makes the same call of them: that took
    /// a tenth of the time that a request takes here.
    pub(super) fn call(
        &self,
        request: &LeaseRequest,
        key: &str,
        era: u32,
        keep: Duration,
    ) -> (&Script, Cmd) {
        let script = match request {
            LeaseRequest::Acquire(_) => &self.acquire,
            LeaseRequest::Renew(_) => &self.renew,
            LeaseRequest::Release { .. } => &self.release,
            LeaseRequest::Observe { .. } => &self.observe,
        };
        let mut call = Cmd::with_capacity(10, 256);
        call.arg("EVALSHA").arg(script.get_hash()).arg(1).arg(key);
        call.arg(&text(Rank::new(era, 0))[..]);
        let keep = |ttl: Duration| {
            let millis = keep.saturating_add(ttl).as_nanos().div_ceil(1_000_000);
            u64::try_from(millis).unwrap_or(u64::MAX)
        };
        match request {
            LeaseRequest::Acquire(Acquire {
                nonce, ttl, claim, ..
            }) => {
                let (verb, rank) = match claim {
                    Claim::Above(floor) => ("above", *floor),
                    Claim::Exactly(rank) => ("exactly", *rank),
                };
                call.arg(&nonce.hex()[..]).arg(&time(ttl.get())[..]);
                call.arg(keep(ttl.get())).arg(verb).arg(&text(rank)[..]);
            }
            LeaseRequest::Renew(Renew {
                nonce, rank, ttl, ..
            }) => {
                call.arg(&nonce.hex()[..]).arg(&time(ttl.get())[..]);
                call.arg(keep(ttl.get())).arg(&text(*rank)[..]);
            }
            LeaseRequest::Release { nonce, .. } => {
                call.arg(&nonce.hex()[..]);
            }
            LeaseRequest::Observe { .. } => {}
        }
        (script, call)
    }
}

/// What the answer means.
pub(super) fn reply(request: &LeaseRequest, answer: &Answer) -> Result<LeaseReply, StoreError> {
    let nonsense = || StoreError::nonsense(request.verb(), answer);
    let part = |at| answer.get(at).ok_or_else(nonsense);
    let code = part(0..1)?;
    // Read where it is asked for.
    let rank = || rank_of(part(1..32)?).ok_or_else(nonsense);
    let high = || rank_of(part(32..63)?).ok_or_else(nonsense);
    let micros = answer.get(63..).and_then(|micros| micros.parse().ok());
    let time = Duration::from_micros(micros.ok_or_else(nonsense)?);
    let holder = || {
        Ok(Holder {
            rank: rank()?,
            remaining: time,
        })
    };
    Ok(match (request, code) {
        (LeaseRequest::Acquire(_), "0") => LeaseReply::Held(holder()?),
        (LeaseRequest::Acquire(_), "1") => LeaseReply::Granted(Grant {
            rank: rank()?,
            ttl: time,
        }),
        (LeaseRequest::Acquire(_), "2") => LeaseReply::Passed { high: high()? },
        (LeaseRequest::Renew(_), "0") => LeaseReply::NotHolder { high: high()? },
        (LeaseRequest::Renew(_), "1") => LeaseReply::Renewed { ttl: time },
        (LeaseRequest::Release { .. }, "0" | "1") => LeaseReply::Released {
            was_held: code == "1",
        },
        (LeaseRequest::Observe { .. }, "0" | "1") => LeaseReply::Observed {
            high: high()?,
            holder: (code == "1").then(holder).transpose()?,
        },
        _ => return Err(nonsense()),
    })
}

/// Microseconds, of one width.
fn time(time: Duration) -> [u8; 20] {
    digits(micros(time).unsigned_abs())
}

/// Of one width: compared as text is compared as ranks.
fn text(Rank { era, seq }: Rank) -> [u8; 31] {
    let mut text = [b'.'; 31];
    text[..10].copy_from_slice(&digits::<10>(era.into()));
    text[11..].copy_from_slice(&digits::<20>(seq));
    text
}

/// The last so many digits of a number, zeros in front. What the standard library pads, it pads a character at a time:
/// that took half the time that a request takes here.
fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

fn rank_of(text: &str) -> Option<Rank> {
    let (era, seq) = text.as_bytes().split_at_checked(10)?;
    let seq = seq.strip_prefix(b".").filter(|seq| seq.len() == 20)?;
    Some(Rank::new(u32::try_from(number(era)?).ok()?, number(seq)?))
}

/// Digits, and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LockName;
    use proptest::prelude::*;

    fn written<const N: usize>(text: [u8; N]) -> String {
        text.map(char::from).iter().collect()
    }

    proptest! {
        #[test]
        fn ranks_as_text_keep_their_order(a: (u32, u64), b: (u32, u64)) {
            let [a, b] = [a, b].map(|(era, seq)| Rank::new(era, seq));
            prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
            prop_assert_eq!(rank_of(&written(text(a))), Some(a));
            prop_assert_eq!(written(text(a)), format!("{:010}.{:020}", a.era, a.seq));
        }

        #[test]
        fn times_are_microseconds_of_one_width(micros in 0..i64::MAX as u64) {
            let all = Duration::from_micros(micros);
            prop_assert_eq!(written(time(all)), format!("{micros:020}"));
        }

        #[test]
        fn no_answer_panics(code: i64, rank in ".{0,40}", time: i64, high in ".{0,40}") {
            let lock = LockName::try_new("a").unwrap();
            let _ = reply(&LeaseRequest::Observe { lock }, &format!("{code}{rank}{high}{time}"));
        }
    }

    #[test]
    fn an_answer_that_no_script_gives_is_named() {
        let lock = LockName::try_new("orders").unwrap();
        let request = LeaseRequest::Observe { lock };
        let rank = written(text(Rank::new(1, 2)));
        for (code, rank, time) in [
            (7, rank.as_str(), 0_i64),
            (0, "1.2", 0),
            (0, "+000000001.00000000000000000002", 0),
            (0, &rank, -1),
        ] {
            let answer = format!("{code}{rank}{rank}{time}");
            let error = reply(&request, &answer).unwrap_err();
            assert!(matches!(error, StoreError::Nonsense { .. }), "{error}");
        }
        let answer = format!("1{rank}{rank}5");
        let reply = reply(&request, &answer).unwrap();
        let (rank, remaining) = (Rank::new(1, 2), Duration::from_micros(5));
        let (high, holder) = (rank, Some(Holder { rank, remaining }));
        assert_eq!(reply, LeaseReply::Observed { high, holder });
    }
}

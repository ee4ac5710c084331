//! The table beside one that looks at everybody at each millisecond.

use proptest::prelude::*;

use super::*;

/// What one does.
#[derive(Clone, Debug)]
enum Step {
    Acquire { nonce: u8, ttl: u64, wait: u64 },
    Renew { nonce: u8, ttl: u64 },
    Release { nonce: u8 },
    Leave { which: usize },
    Pass { ms: u64 },
}

/// For how long a place is kept, in ms.
const KEPT: u64 = crate::store::PLACE_KEPT.as_millis() as u64;

/// One lock, by brute force, at whole milliseconds.
#[derive(Default)]
struct Naive {
    high: u64,
    /// Nonce, rank, end, and who of those that waited is still there.
    held: Option<(u8, u64, u64, Vec<Caller>)>,
    /// Nonce, lease, each caller with his deadline, and until when the place is kept.
    queue: Vec<(u8, u64, Vec<(Caller, u64)>, u64)>,
    told: Vec<(Caller, Option<u64>)>,
}

impl Naive {
    fn grant(&mut self, nonce: u8, until: u64, unheard: Vec<Caller>) -> u64 {
        self.high += 1;
        self.held = Some((nonce, self.high, until, unheard));
        self.high
    }

    /// What is over ends; the first has it; whose time is up is told so.
    fn tick(&mut self, now: u64) {
        self.held.take_if(|held| held.2 <= now);
        let head = self.queue.iter().position(|place| !place.2.is_empty());
        if self.held.is_none()
            && let Some(head) = head
        {
            let (nonce, ttl, calls, _) = self.queue.remove(head);
            let callers: Vec<_> = calls.into_iter().map(|(caller, _)| caller).collect();
            let rank = self.grant(nonce, now + ttl, callers.clone());
            self.told
                .extend(callers.into_iter().map(|caller| (caller, Some(rank))));
        }
        for (_, _, calls, kept) in &mut self.queue {
            let told = &mut self.told;
            calls.retain(|(caller, deadline)| {
                let waits = *deadline > now;
                if !waits {
                    *kept = (*kept).max(*deadline + KEPT);
                }
                told.extend((!waits).then_some((*caller, None)));
                waits
            });
        }
        self.queue
            .retain(|(_, _, calls, kept)| !calls.is_empty() || *kept > now);
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..5_u8, 1..40_u64, prop_oneof![Just(0), 1..60_u64])
            .prop_map(|(nonce, ttl, wait)| Step::Acquire { nonce, ttl, wait }),
        2 => (0..5_u8, 1..40_u64).prop_map(|(nonce, ttl)| Step::Renew { nonce, ttl }),
        2 => (0..5_u8).prop_map(|nonce| Step::Release { nonce }),
        1 => (0..8_usize).prop_map(|which| Step::Leave { which }),
        4 => prop_oneof![9 => 1..25_u64, 1 => 900..1100_u64].prop_map(|ms| Step::Pass { ms }),
    ];
    prop::collection::vec(step, 1..60)
}

fn seen(reply: &LeaseReply) -> Option<u64> {
    match reply {
        LeaseReply::Granted(grant) => Some(grant.rank.seq),
        LeaseReply::Held(_) => None,
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// Mutual exclusion, ranks that rise, one grant a nonce, first come first served, and nobody who is forgotten: all
    /// that the naive one does, when it does it.
    #[test]
    fn it_does_what_the_naive_one_does(steps in steps()) {
        let (mut bench, mut naive, mut now) = (Bench::new(), Naive::default(), 0);
        for step in steps {
            match step {
                Step::Acquire { nonce, ttl, wait } => {
                    let (caller, reply) = bench.acquire(acquire(nonce, ttl, wait));
                    let queued = naive.queue.iter_mut().find(|place| place.0 == nonce);
                    let want = match (&mut naive.held, queued) {
                        (Some((holder, rank, _, unheard)), _) if *holder == nonce => {
                            unheard.clear();
                            Some(Some(*rank))
                        }
                        (Some(_), _) if wait == 0 => Some(None),
                        (Some(_), Some(place)) => {
                            if place.2.is_empty() {
                                place.1 = ttl;
                            }
                            place.2.push((caller, now + wait));
                            None
                        }
                        (Some(_), None) => {
                            let place = (nonce, ttl, vec![(caller, now + wait)], now);
                            naive.queue.push(place);
                            None
                        }
                        (None, _) => {
                            naive.queue.retain(|place| place.0 != nonce);
                            Some(Some(naive.grant(nonce, now + ttl, vec![])))
                        }
                    };
                    prop_assert_eq!(reply.as_ref().map(seen), want);
                }
                Step::Renew { nonce, ttl } => {
                    let rank = Rank::new(0, naive.high);
                    let (lock, nonce_of) = (lock(), Nonce::from_bits(nonce.into()));
                    let ttl_of = Ttl::try_new(millis(ttl)).unwrap();
                    let asked = Renew { lock, nonce: nonce_of, rank, ttl: ttl_of };
                    let reply = bench.ask(LeaseRequest::Renew(asked)).1.unwrap().unwrap();
                    let want = match &mut naive.held {
                        Some((holder, _, until, unheard)) if *holder == nonce => {
                            unheard.clear();
                            *until = (now + ttl).max(*until);
                            LeaseReply::Renewed { ttl: millis(*until - now) }
                        }
                        _ => LeaseReply::NotHolder { high: rank },
                    };
                    prop_assert_eq!(reply, want);
                }
                Step::Release { nonce } => {
                    let was_held = naive.held.take_if(|held| held.0 == nonce).is_some();
                    let released = naive.queue.iter().position(|place| place.0 == nonce);
                    if let Some(place) = released {
                        let (_, _, calls, _) = naive.queue.remove(place);
                        naive.told.extend(calls.into_iter().map(|(caller, _)| (caller, None)));
                    }
                    naive.tick(now);
                    prop_assert_eq!(bench.release(nonce), was_held);
                }
                Step::Leave { which } => {
                    let Some(caller) = bench.waiting.keys().nth(which).copied() else { continue };
                    bench.leave(caller);
                    naive.queue.retain_mut(|(_, _, calls, _)| {
                        let before = calls.len();
                        calls.retain(|(waits, _)| *waits != caller);
                        before == calls.len() || !calls.is_empty()
                    });
                }
                Step::Pass { ms } => for _ in 0..ms {
                    now += 1;
                    naive.tick(now);
                    bench.advance(1);
                }
            }
            bench.look();
            naive.tick(now);
            let mut told: Vec<_> = bench.told.drain(..).map(|(caller, word)| match word {
                Word::Reply(reply) => (caller, seen(&reply)),
                other => panic!("{other:?}"),
            }).collect();
            told.sort_unstable();
            let mut want = std::mem::take(&mut naive.told);
            want.sort_unstable();
            prop_assert_eq!(told, want);
        }
    }
}

use proptest::prelude::*;

use super::super::Reply;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(10);

fn table(keys: usize, bytes: usize) -> Table<()> {
    Table::new(Bounds {
        keys,
        bytes,
        ttl: SECOND * 60,
    })
}

fn key(name: &str) -> Arc<str> {
    name.into()
}

fn print(n: u128) -> Fingerprint {
    Fingerprint::from_bits(n)
}

fn reply(bytes: usize) -> Outcome {
    let mut reply = Reply::empty(http::StatusCode::OK);
    reply.body = vec![b'x'; bytes].into();
    Outcome::Reply(Arc::new(reply))
}

/// Begins, and expects to be the first.
fn first(table: &mut Table<()>, now: Instant, name: &str) -> u128 {
    match table.begin(now, &key(name), print(0), LEASE) {
        Found::Absent(fence) => fence,
        found => panic!("{name}: {found:?}"),
    }
}

#[test]
fn an_operation_begins_once_and_ends_once() {
    let (mut t, now, k) = (table(8, 1 << 20), Instant::now(), key("k"));
    let fence = first(&mut t, now, "k");
    assert_eq!(t.begin(now, &k, print(0), LEASE), Found::Running(fence));
    assert_eq!(t.begin(now, &k, print(1), LEASE), Found::Mismatch);
    assert!(t.wake("k", fence).is_some() && t.wake("k", fence + 1).is_none());
    assert!(!t.finish(now, &k, fence + 1, reply(1)), "not its fence");
    assert!(t.finish(now, &k, fence, reply(1)));
    assert!(t.wake("k", fence).is_none());
    assert!(!t.finish(now, &k, fence, reply(2)), "done already");
    assert!(!t.release(&k, fence), "done already");
    assert_eq!(t.begin(now, &k, print(0), LEASE), Found::Done(reply(1)));
    assert_eq!(t.begin(now, &k, print(1), LEASE), Found::Mismatch);
}

#[test]
fn what_was_released_begins_again() {
    let (mut t, now) = (table(8, 1 << 20), Instant::now());
    let fence = first(&mut t, now, "k");
    assert!(t.release(&key("k"), fence));
    assert_eq!((t.len(), t.bytes()), (0, 0));
    assert_ne!(first(&mut t, now, "k"), fence);
}

#[test]
fn a_lease_that_is_over_frees_the_key_and_fences_off_the_first() {
    let (mut t, now) = (table(8, 1 << 20), Instant::now());
    let slow = first(&mut t, now, "k");
    let just_before = now + LEASE - Duration::from_nanos(1);
    let found = t.begin(just_before, &key("k"), print(0), LEASE);
    assert_eq!(found, Found::Running(slow));
    let heir = first(&mut t, now + LEASE, "k");
    assert!(!t.finish(now + LEASE, &key("k"), slow, reply(1)));
    assert!(!t.release(&key("k"), slow));
    assert!(t.finish(now + LEASE, &key("k"), heir, reply(2)));
}

#[test]
fn a_lease_ends_also_if_nobody_takes_its_place() {
    let (mut t, now) = (table(8, 1 << 20), Instant::now());
    let slow = first(&mut t, now, "k");
    assert!(!t.finish(now + LEASE, &key("k"), slow, reply(1)));
    assert_eq!(t.len(), 0);
}

#[test]
fn a_reply_is_forgotten_when_its_time_is_over() {
    let (mut t, now) = (table(8, 1 << 20), Instant::now());
    let fence = first(&mut t, now, "k");
    t.finish(now + SECOND, &key("k"), fence, reply(1));
    let found = t.begin(now + SECOND * 60, &key("k"), print(0), LEASE);
    assert_eq!(found, Found::Done(reply(1)));
    first(&mut t, now + SECOND * 61, "k");
    assert_eq!(t.take_evicted(), 0);
}

#[test]
fn the_oldest_reply_makes_room_and_what_runs_does_not() {
    let (mut t, now) = (table(3, 1 << 20), Instant::now());
    let runs = first(&mut t, now, "runs");
    for name in ["old", "young"] {
        let fence = first(&mut t, now, name);
        t.finish(now, &key(name), fence, reply(1));
    }
    first(&mut t, now, "new");
    assert_eq!((t.len(), t.take_evicted()), (3, 1));
    let young = t.begin(now, &key("young"), print(0), LEASE);
    assert_eq!(young, Found::Done(reply(1)), "the older one went");
    let old = t.begin(now, &key("old"), print(0), LEASE);
    assert!(matches!(old, Found::Absent(_)));
    let more = t.begin(now, &key("more"), print(0), LEASE);
    assert_eq!(more, Found::Full, "all that is left runs");
    let still = t.begin(now, &key("runs"), print(0), LEASE);
    assert_eq!(still, Found::Running(runs));
}

#[test]
fn bytes_are_bounded_as_well() {
    let (mut t, now) = (table(100, 6144), Instant::now());
    for name in ["a", "b", "c"] {
        let fence = first(&mut t, now, name);
        t.finish(now, &key(name), fence, reply(1000));
    }
    assert_eq!((t.len(), t.take_evicted()), (3, 0));
    let fence = first(&mut t, now, "d");
    t.finish(now, &key("d"), fence, reply(1000));
    assert_eq!((t.len(), t.take_evicted()), (3, 1));
    // One that fits nowhere makes nothing go.
    let fence = first(&mut t, now, "huge");
    t.take_evicted();
    assert!(t.finish(now, &key("huge"), fence, reply(6000)));
    assert_eq!(t.take_evicted(), 0);
    let huge = t.begin(now, &key("huge"), print(0), LEASE);
    assert_eq!(huge, Found::Done(Outcome::TooLong));
}

#[derive(Clone, Debug)]
enum Step {
    Begin(u8, u8),
    Finish(u8, usize),
    Release(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..12u8, 0..2u8).prop_map(|(key, print)| Step::Begin(key, print)),
        (0..12u8, 0..1500usize).prop_map(|(key, bytes)| Step::Finish(key, bytes)),
        (0..12u8).prop_map(Step::Release),
        (0..20u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever happens: bounds hold, sums are right, and nobody begins what another runs.
    #[test]
    fn bounds_hold_and_one_runs(steps in prop::collection::vec(step(), 0..200)) {
        let (mut t, mut now) = (table(6, 6144), Instant::now());
        let mut runs: HashMap<u8, (u128, Instant)> = HashMap::new();
        for step in steps {
            match step {
                Step::Begin(k, p) => {
                    let found = t.begin(now, &key(&k.to_string()), print(p.into()), LEASE);
                    if let Found::Absent(fence) = found {
                        let before = runs.insert(k, (fence, now + LEASE));
                        prop_assert!(before.is_none_or(|(_, ends)| ends <= now));
                    }
                }
                Step::Finish(k, bytes) => if let Some((fence, ends)) = runs.remove(&k) {
                    let done = t.finish(now, &key(&k.to_string()), fence, reply(bytes));
                    prop_assert_eq!(done, now < ends);
                },
                Step::Release(k) => if let Some((fence, ends)) = runs.remove(&k) {
                    let done = t.release(&key(&k.to_string()), fence);
                    prop_assert!(done || now >= ends);
                },
                Step::Wait(seconds) => now += SECOND * seconds as u32,
            }
            prop_assert!(t.len() <= 6 && t.bytes() <= 6144);
            prop_assert_eq!(t.len(), t.running.len() + t.done.len());
            prop_assert!(t.running_bytes <= t.bytes());
        }
        t.expire(now + SECOND * 1000);
        prop_assert_eq!((t.len(), t.bytes(), t.running_bytes), (0, 0, 0));
    }
}

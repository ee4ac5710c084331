//! Histories of many clients on one key-value store, as `murphy-check` gets them.

use murphy_check::model::key_value::{KeyValue, Reply, Request};
use murphy_check::{OperationOf, Outcome};

/// What is measured is the check of a history of this.
pub type Store = KeyValue<u32, u32>;

/// A history, in a few words.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Its figure is `check.<name>.ms`.
    pub name: &'static str,
    /// Clients, each with one call at a time.
    pub clients: usize,
    /// Calls, all together.
    pub calls: usize,
    /// Keys that they share, all alike.
    pub keys: u64,
    /// Of a thousand replies so many are lost.
    pub lost: u64,
    /// Whether one read, nine tenths on, is stale.
    pub is_stale: bool,
}

/// Those that are measured. With 5 keys there are some 15 calls at a time on each: that is the end of what is decided in
/// seconds.
#[must_use]
pub fn loads() -> Vec<Load> {
    let load = |name, keys, lost, is_stale| Load {
        name,
        clients: 100,
        calls: 10_000,
        keys,
        lost,
        is_stale,
    };
    vec![
        load("kv_100_keys", 100, 0, false),
        load("kv_10_keys", 10, 0, false),
        load("kv_10_keys_lost", 10, 5, false),
        load("kv_5_keys", 5, 0, false),
        load("kv_100_keys_illegal", 100, 0, true),
        load("kv_10_keys_illegal", 10, 0, true),
        load("kv_10_keys_lost_illegal", 10, 5, true),
    ]
}

struct Call {
    called: u64,
    request: Request<u32, u32>,
    reply: Option<Reply<u32>>,
}

/// Half of its calls are reads, and of the others one in five compares and sets; every value is written once. A store does what it is
/// asked at some time during the call, in an order of its own.
#[must_use]
pub fn history(load: &Load) -> Vec<OperationOf<Store>> {
    let mut random = Random(load.keys + load.lost);
    let mut store = vec![None; load.keys as usize];
    let mut before = store.clone();
    let mut running: Vec<Option<Call>> = (0..load.clients).map(|_| None).collect();
    let (mut called, mut event, mut history) = (0, 0, Vec::new());
    let mut is_stale = load.is_stale;
    while history.len() < load.calls {
        let process = random.below(load.clients as u64) as usize;
        event += 1;
        match running[process].take() {
            None if called < load.calls => {
                let request = random.request(called as u32, &store);
                called += 1;
                running[process] = Some(Call {
                    called: event,
                    request,
                    reply: None,
                });
            }
            None => {}
            Some(mut call) if call.reply.is_none() => {
                let due = is_stale && history.len() > load.calls / 10 * 9;
                call.reply = Some(match call.request {
                    Request::Get(key) if due && before[key as usize] != store[key as usize] => {
                        is_stale = false;
                        Reply::Value(before[key as usize])
                    }
                    _ => answer(&mut store, &call.request),
                });
                running[process] = Some(call);
            }
            Some(call) => {
                let reply = call.reply.unwrap_or(Reply::Done);
                let outcome = match random.below(1_000) < load.lost {
                    true => Outcome::Unknown,
                    false => Outcome::Done(reply),
                };
                let (process, end) = (process as u64, Some((event, outcome)));
                let operation =
                    OperationOf::<Store>::try_new(process, call.request, call.called, end);
                history.extend(operation);
            }
        }
        if history.len() == load.calls / 2 {
            before.clone_from(&store);
        }
    }
    history.sort_by_key(OperationOf::<Store>::called);
    history
}

fn answer(store: &mut [Option<u32>], request: &Request<u32, u32>) -> Reply<u32> {
    match *request {
        Request::Get(key) => Reply::Value(store[key as usize]),
        Request::Put(key, value) => {
            store[key as usize] = Some(value);
            Reply::Done
        }
        Request::Delete(key) => {
            store[key as usize] = None;
            Reply::Done
        }
        Request::Cas { key, from, to } => {
            let is = store[key as usize] == from;
            if is {
                store[key as usize] = Some(to);
            }
            Reply::Swapped(is)
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn request(&mut self, value: u32, store: &[Option<u32>]) -> Request<u32, u32> {
        let key = self.below(store.len() as u64) as u32;
        match self.below(10) {
            0..5 => Request::Get(key),
            5 => {
                let from = store[key as usize];
                Request::Cas {
                    key,
                    from,
                    to: value,
                }
            }
            _ => Request::Put(key, value),
        }
    }
}

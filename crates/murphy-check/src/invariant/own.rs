//! [`reads_own_writes`]: nobody reads what was there before its own write.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::key_value::{Reply, Request};
use crate::{Operation, Outcome};

/// A read that misses what its own process wrote before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("process {process} writes at {write}, and reads at {read} what was there before")]
pub struct OwnWriteMissed {
    /// Whose.
    pub process: u64,
    /// The place of its write in the history.
    pub write: usize,
    /// The place of its read.
    pub read: usize,
}

/// Whether each process that reads a key after it has written it reads what it wrote, or what may have
/// been written since: by a write that had not returned when its own was called.
///
/// Weaker than linearizable, and O(n log n). Unknown writes count as what may have been written; a `Cas` that was done
/// is a write. What is written and what is read are told apart by their values: the fewer are alike, the
/// sharper it is.
///
/// # Errors
///
/// [`OwnWriteMissed`], of the first such read by call.
///
/// # Examples
///
/// ```
/// use murphy_check::History;
/// use murphy_check::invariant::reads_own_writes;
/// use murphy_check::model::key_value::{Reply, Request};
///
/// let history = History::new();
/// let put = history.call(1, Request::Put("x", 5))?;
/// history.done(put, Reply::Done)?;
/// let get = history.call(1, Request::Get("x"))?;
/// history.done(get, Reply::Value(None))?; // of a replica that is behind
/// assert!(reads_own_writes(&history.operations()).is_err());
/// # Ok::<(), murphy_check::Misuse>(())
/// ```
pub fn reads_own_writes<K, V>(
    history: &[Operation<Request<K, V>, Reply<V>>],
) -> Result<(), OwnWriteMissed>
where
    K: Clone + Ord + Hash + Debug,
    V: Clone + Ord + Hash + Debug,
{
    // When the last write of a value returned: never, of an unknown one.
    let mut last: BTreeMap<(&K, Option<&V>), u64> = BTreeMap::new();
    for operation in history {
        if let Some((key, value)) = written(operation) {
            let returned = operation.returned().unwrap_or(u64::MAX);
            let latest = last.entry((key, value)).or_insert(0);
            *latest = returned.max(*latest);
        }
    }
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by_key(|&at| history[at].called());
    // By process and key: its last write.
    let mut own: BTreeMap<(u64, &K), (usize, Option<&V>)> = BTreeMap::new();
    for at in order {
        let operation = &history[at];
        let process = operation.process();
        match (operation.request(), operation.outcome()) {
            (Request::Get(key), Outcome::Done(Reply::Value(read))) => {
                let Some(&(write, value)) = own.get(&(process, key)) else {
                    continue;
                };
                let called = history[write].called();
                let is_later = |returned: &u64| *returned > called;
                let read_value = read.as_ref();
                if read_value != value && !last.get(&(key, read_value)).is_some_and(is_later) {
                    let read = at;
                    return Err(OwnWriteMissed {
                        process,
                        write,
                        read,
                    });
                }
            }
            (_, Outcome::Done(_)) => {
                if let Some((key, value)) = written(operation) {
                    own.insert((process, key), (at, value));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is under which key once this has happened, if it has or may have.
fn written<K, V>(operation: &Operation<Request<K, V>, Reply<V>>) -> Option<(&K, Option<&V>)> {
    match (operation.request(), operation.outcome()) {
        (_, Outcome::Failed | Outcome::Done(Reply::Swapped(false))) => None,
        (Request::Get(_), _) => None,
        (Request::Put(key, value), _) => Some((key, Some(value))),
        (Request::Delete(key), _) => Some((key, None)),
        (Request::Cas { key, to, .. }, _) => Some((key, Some(to))),
    }
}

//! Does a run repeat itself? The first point at which two runs of one seed part, and the likely cause.

use std::fmt;

use murphy_fault::Record;

use crate::once::Ended;

/// Two runs of one seed that were not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// How many entries of the traces agree.
    pub after: usize,
    /// What came next in the first run.
    pub first: String,
    /// What came next in the second.
    pub second: String,
    /// Where to look.
    pub cause: &'static str,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            after,
            first,
            second,
            cause,
        } = self;
        write!(
            f,
            "the same seed ran twice and parted after {after} calls: first `{first}`, then `{second}`; likely {cause}"
        )
    }
}

const ORDER: &str = "iteration over a hash map, a `select!` without `biased`, or a thread: the calls are the same, their order is not";
const TIME: &str = "a std clock or a real socket: the calls are the same, their times are not";
const KEY: &str = "an id from entropy (a uuid, a random number) that is used as a key";
const CALLS: &str = "entropy in the test (a random number, a hash map's order, the time of day) or state that runs share";
const VERDICT: &str = "state that runs share (a static), or entropy in the test's own judgement";

/// Where two runs of one seed part, if they do: by calls, fates, times, and the verdict.
pub(crate) fn divergence(one: &Ended, other: &Ended) -> Option<Divergence> {
    let records = |ended: &Ended| -> Vec<Record> {
        let transcript = ended.transcript.as_ref();
        transcript.map_or(Vec::new(), |t| t.records.clone())
    };
    let (a, b) = (records(one), records(other));
    let after = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    if let Some((first, second)) = match (a.get(after), b.get(after)) {
        (None, None) => None,
        pair => Some(pair),
    } {
        let told = |record: Option<&Record>| record.map_or("the end".to_owned(), tell);
        return Some(Divergence {
            after,
            first: told(first),
            second: told(second),
            cause: cause(first, second, &a[after..], &b[after..]),
        });
    }
    let verdict = |ended: &Ended| {
        let violation = ended.violation.as_ref().map(|v| (v.fingerprint(), v.at));
        format!("{violation:?}, {:?}, {:?}", ended.took, ended.marks)
    };
    (verdict(one) != verdict(other)).then(|| Divergence {
        after,
        first: verdict(one),
        second: verdict(other),
        cause: if one.took == other.took {
            VERDICT
        } else {
            TIME
        },
    })
}

fn cause(
    first: Option<&Record>,
    second: Option<&Record>,
    a: &[Record],
    b: &[Record],
) -> &'static str {
    let (Some(first), Some(second)) = (first, second) else {
        return CALLS;
    };
    let id = |r: &Record| (r.site.clone(), r.fault.clone(), r.key, r.occurrence);
    if id(first) == id(second) {
        return TIME;
    }
    let sorted = |records: &[Record]| {
        let mut ids: Vec<_> = records.iter().map(id).collect();
        ids.sort();
        ids
    };
    if sorted(a) == sorted(b) {
        return ORDER;
    }
    if first.site == second.site && first.keyed && second.keyed {
        return KEY;
    }
    CALLS
}

fn tell(record: &Record) -> String {
    let Record {
        site,
        key,
        occurrence,
        at,
        finding,
        ..
    } = record;
    format!(
        "{site}, key {key}, passage {occurrence}, at {}, {finding:?}",
        humantime::format_duration(*at)
    )
}

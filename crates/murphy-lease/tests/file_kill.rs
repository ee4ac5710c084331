//! The store in a file, under `kill -9`: this program runs itself as the store's process, and kills it.

#![cfg(feature = "file")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{ManualClock, mix};
use murphy_lease::{
    Acquire, Claim, FileError, FileOptions, LeaseReply, LeaseRequest, LockName, Nonce, Rank,
    Restart, Ttl,
};
use tokio::time::Instant;
use tower::Service;

/// The file, for the child.
const FILE: &str = "MURPHY_TEST_LEASE_FILE";
const LOCKS: [&str; 3] = ["a", "b", "c"];
const LIVES: u64 = 200;

/// Grants and releases until it is killed; each grant is printed before the next.
#[test]
fn a_child_grants_if_it_is_told_to() {
    if let Ok(path) = std::env::var(FILE) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        runtime.block_on(grant_for_ever(Path::new(&path)));
    }
}

async fn grant_for_ever(path: &Path) {
    // Small blocks: many writes to be killed in. By this clock it is always 1970: only what is on the disk can keep the
    // numbers from beginning anew.
    let mut store = FileOptions::new()
        .restart(Restart::FenceOnly)
        .block(8)
        .clock(Arc::new(ManualClock::new()))
        .open(path)
        .unwrap();
    let mut out = std::io::stdout().lock();
    for (n, lock) in (1_u128..).zip(LOCKS.iter().cycle()) {
        let lock: LockName = lock.parse().unwrap();
        let nonce = Nonce::from_bits(n);
        let asked = LeaseRequest::Acquire(Acquire {
            lock: lock.clone(),
            nonce,
            ttl: Ttl::from_secs(10),
            claim: Claim::Above(Rank::ZERO),
            wait: Duration::ZERO,
        });
        let reply = store.call(asked).await.unwrap();
        let LeaseReply::Granted(grant) = reply else {
            panic!("{reply:?}")
        };
        writeln!(out, "grant {lock} {} {}", grant.rank.era, grant.rank.seq).unwrap();
        out.flush().unwrap();
        let release = LeaseRequest::Release { lock, nonce };
        store.call(release).await.unwrap();
    }
}

/// A child, and what it prints.
fn start(path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_grants_if_it_is_told_to", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// What was seen of all lives.
#[derive(Default)]
struct Seen {
    highest: Rank,
    grants: BTreeMap<Rank, String>,
}

impl Seen {
    /// Reads a line; `None` at the end. Whether it is a grant. A torn one is none.
    fn read(&mut self, out: &mut impl BufRead) -> Option<bool> {
        let mut line = String::new();
        if out.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let Some((_, grant)) = line.split_once("grant ").filter(|_| line.ends_with('\n')) else {
            return Some(false);
        };
        let words: Vec<_> = grant.split_whitespace().collect();
        let [lock, era, seq] = words[..] else {
            panic!("{line}")
        };
        let rank = Rank::new(era.parse().unwrap(), seq.parse().unwrap());
        // All locks of a file share one count: each number is above all before it.
        let highest = std::mem::replace(&mut self.highest, rank);
        assert!(rank > highest, "{lock}: {rank} after {highest}");
        assert_eq!(self.grants.insert(rank, lock.into()), None, "{rank} twice");
        Some(true)
    }
}

#[test]
fn killed_at_random_points_it_repeats_and_lowers_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases");
    let mut seen = Seen::default();
    for life in 0..LIVES {
        let (mut child, mut out) = start(&path);
        // After so many grants (or before it has begun), and within so many microseconds of what it does next.
        let chance = mix(life);
        let (grants, micros) = (chance % 40, chance >> 8 & 0x7FF);
        for _ in 0..grants {
            while !seen.read(&mut out).expect("it ended by itself") {}
        }
        let moment = Instant::now() + Duration::from_micros(micros);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while seen.read(&mut out).is_some() {}
    }
    let least = usize::try_from(LIVES * 10).unwrap();
    assert!(seen.grants.len() > least, "{}", seen.grants.len());
}

#[test]
fn a_second_process_is_told_who_has_it_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases");
    let (mut child, mut out) = start(&path);
    let mut seen = Seen::default();
    while !seen.read(&mut out).expect("it ended by itself") {}
    let refused = FileOptions::new().open(&path).unwrap_err();
    assert!(matches!(&refused, FileError::InUse { path: named } if *named == path));
    let said = refused.to_string();
    assert!(
        said.contains("FileClient") && said.contains(path.to_str().unwrap()),
        "{said}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    FileOptions::new().open(&path).unwrap();
}

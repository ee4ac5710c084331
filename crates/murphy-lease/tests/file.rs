//! The store in a file: its lives, and files that are none.

#![cfg(feature = "file")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{acquire, ask, asked, granted, held, observe, release, renew, secs};
use murphy_core::{ManualClock, mix};
use murphy_lease::{
    Acquire, Claim, FileError, FileOptions, FileStore, LeaseReply, LeaseRequest, Rank, Restart, Ttl,
};
use redb::{Database, TableDefinition};
use tokio::time::sleep;

const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("murphy-lease");
const NOW: Duration = Duration::ZERO;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("leases")
    }
}

/// By this clock it is 1970 in each life: only the file keeps the numbers from beginning anew.
fn dateless() -> FileOptions {
    FileOptions::new().clock(Arc::new(ManualClock::new()))
}

async fn one_grant(store: &FileStore) -> Rank {
    let rank = granted(acquire(store, 1, NOW).await).rank;
    assert!(release(store, 1).await);
    rank
}

#[tokio::test]
async fn opened_anew_it_goes_on_above() {
    let folder = Folder::new();
    let mut last = Rank::ZERO;
    for life in 0..20 {
        let store = dateless().block(4).open(folder.file()).unwrap();
        for _ in 0..life {
            let rank = one_grant(&store).await;
            assert!(rank > last, "{rank} after {last}");
            last = rank;
        }
    }
    // What it observes before its first grant is no lower.
    let store = dateless().open(folder.file()).unwrap();
    let LeaseReply::Observed { high, holder: None } = observe(&store).await else {
        panic!()
    };
    assert!(high >= last);
}

#[tokio::test]
async fn a_file_that_was_removed_begins_above_the_old_one() {
    let folder = Folder::new();
    let store = FileStore::open(folder.file()).unwrap();
    let mut last = Rank::ZERO;
    for _ in 0..3000 {
        last = one_grant(&store).await;
    }
    drop(store);
    std::fs::remove_file(folder.file()).unwrap();
    assert!(one_grant(&FileStore::open(folder.file()).unwrap()).await > last);
}

#[tokio::test(start_paused = true)]
async fn leases_of_a_former_life_are_waited_out() {
    for (restart, at_least, at_most) in [
        (Restart::WaitOut, secs(10), secs(12)),
        (Restart::WaitFor(secs(3)), secs(3), secs(3)),
        (Restart::WaitFor(secs(3600)), secs(10), secs(12)),
        (Restart::FenceOnly, secs(0), secs(0)),
    ] {
        let folder = Folder::new();
        let store = FileStore::open(folder.file()).unwrap();
        let former = granted(acquire(&store, 1, NOW).await).rank;
        drop(store);
        let store = FileOptions::new()
            .restart(restart)
            .open(folder.file())
            .unwrap();
        let refused = renew(&store, 1, former, 10).await;
        assert!(matches!(refused, LeaseReply::NotHolder { high } if high >= former));
        if at_least > NOW {
            let left = held(acquire(&store, 2, NOW).await);
            assert!(left >= at_least && left <= at_most, "{restart:?}: {left:?}");
        }
        let start = tokio::time::Instant::now();
        assert!(granted(acquire(&store, 2, secs(60)).await).rank > former);
        let waited = start.elapsed();
        assert!(
            waited >= at_least && waited <= at_most,
            "{restart:?}: {waited:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_lease_counts_and_a_long_renewal_as_well() {
    let folder = Folder::new();
    let store = FileStore::open(folder.file()).unwrap();
    let rank = granted(acquire(&store, 1, NOW).await).rank;
    // What is not on the disk yet is not promised.
    let LeaseReply::Renewed { ttl } = renew(&store, 1, rank, 100).await else {
        panic!()
    };
    assert!(ttl >= secs(10) && ttl < secs(12), "{ttl:?}");
    let start = tokio::time::Instant::now();
    while renew(&store, 1, rank, 100).await != (LeaseReply::Renewed { ttl: secs(100) }) {
        sleep(Duration::from_millis(1)).await;
        assert!(start.elapsed() < secs(10), "it is never written");
    }
    drop(store);
    let store = FileStore::open(folder.file()).unwrap();
    assert!(held(acquire(&store, 2, NOW).await) >= secs(100));
    // A short life in between grants nothing, and shortens nothing.
    drop(store);
    let store = FileStore::open(folder.file()).unwrap();
    assert!(held(acquire(&store, 2, NOW).await) >= secs(100));
}

#[tokio::test(start_paused = true)]
async fn who_closes_it_when_nothing_runs_has_nothing_to_wait_for() {
    let folder = Folder::new();
    for over in [true, false, true] {
        let store = FileStore::open(folder.file()).unwrap();
        granted(acquire(&store, 1, NOW).await);
        match over {
            true => assert!(release(&store, 1).await),
            false => sleep(secs(10)).await,
        }
    }
    // But leases of the life before that may still run.
    let store = FileStore::open(folder.file()).unwrap();
    granted(acquire(&store, 1, NOW).await);
    drop(store);
    let fenced = FileOptions::new().restart(Restart::FenceOnly);
    one_grant(&fenced.open(folder.file()).unwrap()).await;
    let store = FileStore::open(folder.file()).unwrap();
    held(acquire(&store, 1, NOW).await);
}

#[tokio::test]
async fn the_higher_era_wins_the_recorded_or_the_given() {
    let folder = Folder::new();
    let mut last = Rank::ZERO;
    for (given, want) in [(0, 0), (2, 2), (1, 2), (0, 2), (3, 3)] {
        let store = dateless().era(given).open(folder.file()).unwrap();
        let rank = one_grant(&store).await;
        assert!(rank > last && rank.era == want, "{given}: {rank}");
        last = rank;
    }
}

#[tokio::test]
async fn a_floor_and_an_exact_rank_survive_as_well() {
    let folder = Folder::new();
    let far = Rank::new(5, 1 << 60);
    for claim in [Claim::Above(far), Claim::Exactly(Rank::new(6, 9))] {
        let store = dateless().open(folder.file()).unwrap();
        let asked = Acquire {
            claim,
            ..asked(1, NOW)
        };
        let rank = granted(ask(&store, LeaseRequest::Acquire(asked)).await).rank;
        release(&store, 1).await;
        drop(store);
        let store = dateless().open(folder.file()).unwrap();
        assert!(one_grant(&store).await > rank);
    }
}

#[tokio::test]
async fn at_the_end_of_all_numbers_nothing_is_granted() {
    let folder = Folder::new();
    for claim in [Claim::Exactly(Rank::MAX), Claim::Above(Rank::ZERO)] {
        let store = dateless().open(folder.file()).unwrap();
        let asked = |bits| Acquire {
            claim,
            ..asked(bits, NOW)
        };
        if claim == Claim::Exactly(Rank::MAX) {
            granted(ask(&store, LeaseRequest::Acquire(asked(1))).await);
            release(&store, 1).await;
        }
        let passed = ask(&store, LeaseRequest::Acquire(asked(2))).await;
        assert_eq!(passed, LeaseReply::Passed { high: Rank::MAX });
    }
}

#[tokio::test]
async fn the_file_is_free_as_soon_as_the_store_is_dropped() {
    let folder = Folder::new();
    for _ in 0..50 {
        // The first grant is on its way to the disk.
        let mut store = dateless().open(folder.file()).unwrap();
        let request = LeaseRequest::Acquire(asked(1, NOW));
        let call = tower::Service::call(&mut store, request);
        drop(store);
        assert!(matches!(
            FileStore::open(folder.file()),
            Err(FileError::InUse { .. })
        ));
        drop(call);
    }
}

#[test]
fn without_a_runtime_it_writes_on_the_spot() {
    let folder = Folder::new();
    let mut store = dateless().open(folder.file()).unwrap();
    let request = LeaseRequest::Acquire(asked(1, NOW));
    let mut call = tokio_test::task::spawn(tower::Service::call(&mut store, request));
    granted(tokio_test::assert_ready_ok!(call.poll()));
}

#[test]
fn a_runtime_that_stops_leaves_nobody_waiting() {
    let folder = Folder::new();
    let mut store = dateless().open(folder.file()).unwrap();
    for bits in 1..20 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        // What is wanted is written whatever becomes of the runtime.
        let ttl = Ttl::from_secs(u32::try_from(bits).unwrap() * 100);
        let asked = Acquire {
            ttl,
            ..asked(bits, NOW)
        };
        let call = runtime
            .block_on(async { tower::Service::call(&mut store, LeaseRequest::Acquire(asked)) });
        drop(runtime);
        let mut call = tokio_test::task::spawn(call);
        granted(tokio_test::assert_ready_ok!(call.poll()));
        let (lock, nonce) = (common::lock(common::LOCK), common::nonce(bits));
        let release = LeaseRequest::Release { lock, nonce };
        drop(tower::Service::call(&mut store, release));
    }
}

#[test]
fn what_cannot_be_opened_says_why_and_what_to_do() {
    let folder = Folder::new();
    let file = folder.file();
    let told = |path: &Path| FileStore::open(path).unwrap_err();

    let error = told(&folder.0.path().join("no/such/leases"));
    assert!(matches!(error, FileError::NoFolder { .. }), "{error:?}");
    assert!(error.to_string().contains("no/such first"), "{error}");

    let error = told(folder.0.path());
    assert!(matches!(error, FileError::Foreign { .. }), "{error:?}");

    for (bytes, says) in [
        (b"".as_slice(), "it is empty"),
        (b"x", "Not a redb database"),
        (
            b"this is a text and no store of leases, and longer than a header"
                .repeat(99)
                .as_slice(),
            "Not a redb database",
        ),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let error = told(&file);
        assert!(error.to_string().contains(says), "{error}");
        assert!(
            error.to_string().contains(file.to_str().unwrap()),
            "{error}"
        );
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "it is left as it is");
        std::fs::remove_file(&file).unwrap();
    }

    // Nobody may write there, whoever he is.
    for path in ["/sys/kernel/uevent_seqnum", "/sys/kernel/no-leases"] {
        let error = told(Path::new(path));
        assert!(matches!(error, FileError::ReadOnly { .. }), "{error:?}");
    }

    let _open = FileStore::open(&file).unwrap();
    let error = told(&file);
    assert!(matches!(error, FileError::InUse { .. }), "{error:?}");
}

#[test]
fn a_later_format_and_another_database_are_refused() {
    let folder = Folder::new();
    let database = Database::create(folder.file()).unwrap();
    drop(database);
    let error = FileStore::open(folder.file()).unwrap_err();
    assert!(matches!(error, FileError::Foreign { .. }), "{error:?}");

    for (key, value, says) in [
        ("other", vec![], "its format is not said"),
        ("format", vec![1, 2], "its format is no number"),
        (
            "format",
            vec![0, 0, 0, 2],
            "format 2, and this version knows 1",
        ),
        ("format", vec![0, 0, 0, 1], ""),
        ("mark", vec![1, 2, 3], "its mark has 3 bytes"),
    ] {
        let database = Database::create(folder.file()).unwrap();
        let write = database.begin_write().unwrap();
        write
            .open_table(RECORDS)
            .unwrap()
            .insert(key, value.as_slice())
            .unwrap();
        write.commit().unwrap();
        drop(database);
        match FileStore::open(folder.file()) {
            Ok(_) => assert_eq!(says, ""),
            Err(error) => assert!(says != "" && error.to_string().contains(says), "{error}"),
        }
    }
}

/// Whatever is wrong with the file: it is refused, or its numbers rise.
#[tokio::test]
async fn a_damaged_file_is_refused_or_goes_on_above() {
    let folder = Folder::new();
    let store = dateless().open(folder.file()).unwrap();
    let last = one_grant(&store).await;
    drop(store);
    let whole = std::fs::read(folder.file()).unwrap();
    let mut refused = 0;
    for n in 0..300_u64 {
        let chance = mix(n);
        let mut bytes = whole.clone();
        // The beginning is where the most is.
        let range = [320, 20_000, whole.len() as u64][n as usize % 3];
        let at = (chance % range) as usize;
        match n % 4 {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at..].fill(0),
            _ => bytes[at] ^= 1 << (chance >> 40 & 7),
        }
        std::fs::write(folder.file(), bytes).unwrap();
        match dateless().restart(Restart::FenceOnly).open(folder.file()) {
            Ok(store) => assert!(one_grant(&store).await > last, "{n}: byte {at}"),
            Err(FileError::Corrupt { .. } | FileError::Foreign { .. }) => refused += 1,
            Err(other) => panic!("{n}: {other:?}"),
        }
    }
    assert!(refused > 100, "{refused}");
}

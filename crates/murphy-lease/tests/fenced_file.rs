//! The fenced store in a file: what it keeps, and what it says of files that it cannot use.

#![cfg(feature = "file")]

use std::fs;
use std::path::PathBuf;

use murphy_lease::FencingToken;
use murphy_lease::fence::{FencedFileError, FencedStore, FencedStoreError, FileFenced, Refused};

fn token(seq: u64) -> FencingToken {
    let text = format!("orders;era=0;seq={seq};nonce={seq:x}");
    text.parse().unwrap()
}

/// A directory that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("murphy-fenced-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("fenced.redb")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn fences_and_values_outlive_the_process() {
    let folder = Folder::new("outlive");
    let own = token(7);
    {
        let store = FileFenced::open(folder.file()).unwrap();
        let done = store.write_once("alice", &own, 3, b"100".to_vec()).await;
        done.unwrap();
    }
    let store = FileFenced::open(folder.file()).unwrap();
    let late = store.write("alice", &token(6), b"0".to_vec()).await;
    let current = own.rank();
    let refused = late.unwrap_err();
    assert_eq!(refused.refused(), Some(&Refused::Stale { current }));
    let again = store.write_once("alice", &own, 3, b"50".to_vec()).await;
    let refused = again.unwrap_err();
    let repeated = Refused::Repeated { op: 3, last: 3 };
    assert_eq!(refused.refused(), Some(&repeated));
    let sealed = store.seal("alice", &token(8)).await.unwrap();
    assert_eq!((sealed.value, sealed.op), (Some(b"100".to_vec()), None));
}

#[tokio::test]
async fn a_second_one_is_told_that_the_file_is_taken() {
    let folder = Folder::new("taken");
    let _first = FileFenced::open(folder.file()).unwrap();
    let said = FileFenced::open(folder.file()).unwrap_err().to_string();
    let path = folder.file().display().to_string();
    assert!(said.contains(&path), "{said}");
    assert!(said.contains("one process has it at a time"), "{said}");
}

#[test]
fn files_that_it_cannot_use_are_told_apart() {
    let folder = Folder::new("odd");
    let missing = folder.0.join("no/such/folder/fenced.redb");
    let empty = folder.0.join("empty");
    fs::write(&empty, b"").unwrap();
    let text = folder.0.join("text");
    fs::write(&text, "this is no database".repeat(1000)).unwrap();
    let open = |path: &PathBuf| FileFenced::open(path).unwrap_err();
    assert!(matches!(open(&missing), FencedFileError::Open { .. }));
    assert!(matches!(open(&empty), FencedFileError::Empty { .. }));
    assert!(matches!(open(&text), FencedFileError::Open { .. }));
    assert!(matches!(open(&folder.0), FencedFileError::Open { .. }));
    assert_eq!(fs::read(&empty).unwrap(), b"", "it was left as it is");
}

#[test]
fn a_file_of_a_later_version_is_refused() {
    let folder = Folder::new("later");
    drop(FileFenced::open(folder.file()).unwrap());
    {
        let database = redb::Database::create(folder.file()).unwrap();
        let writes = database.begin_write().unwrap();
        let meta = redb::TableDefinition::<&str, u64>::new("fenced-meta");
        writes
            .open_table(meta)
            .unwrap()
            .insert("version", 2)
            .unwrap();
        writes.commit().unwrap();
    }
    assert!(matches!(
        FileFenced::open(folder.file()),
        Err(FencedFileError::Version { version: 2, .. })
    ));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_admits_nobody() {
    let folder = Folder::new("torn");
    drop(FileFenced::open(folder.file()).unwrap());
    {
        let database = redb::Database::create(folder.file()).unwrap();
        let writes = database.begin_write().unwrap();
        let rows = redb::TableDefinition::<&str, &[u8]>::new("fenced");
        let torn: &[u8] = b"torn";
        writes
            .open_table(rows)
            .unwrap()
            .insert("alice", torn)
            .unwrap();
        writes.commit().unwrap();
    }
    let store = FileFenced::open(folder.file()).unwrap();
    let sealed = store.seal("alice", &token(u64::MAX)).await;
    assert!(matches!(
        sealed,
        Err(FencedStoreError::Store(FencedFileError::Corrupt { .. }))
    ));
    assert!(store.seal("bob", &token(1)).await.is_ok());
}

#[tokio::test]
async fn the_bound_is_said_and_old_resources_go_on() {
    let folder = Folder::new("bound");
    let store = FileFenced::open(folder.file()).unwrap().resources(1);
    store.seal("alice", &token(1)).await.unwrap();
    let full = store.seal("bob", &token(1)).await;
    assert!(matches!(full, Err(FencedStoreError::Full { limit: 1 })));
    store.seal("alice", &token(2)).await.unwrap();
}

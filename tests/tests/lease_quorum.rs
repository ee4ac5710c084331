//! What every store of leases promises, of a majority of stores: in memory, and in files that are closed and opened again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_lease::{FileStore, LeaseRequest, MemoryStore, QuorumStore};
use tests::lease::{Act, BoxStore, QUORUM, boxed, holds, one_member_may_be_lost};
use tests::ms;
use tokio::time::{sleep, timeout};
use tower::{BoxError, ServiceExt, service_fn};

/// A file that can be closed: whoever asks it then is refused.
struct File {
    path: PathBuf,
    store: Arc<Mutex<Option<FileStore>>>,
}

impl File {
    fn closed(path: PathBuf) -> Self {
        let store = Arc::default();
        Self { path, store }
    }

    fn close(&self) {
        self.store.lock().unwrap().take();
    }

    /// Once the calls are over that hold it open. What was granted before is waited out.
    async fn open(&self) {
        let opened = async {
            loop {
                match FileStore::open(&self.path) {
                    Ok(store) => return store,
                    Err(_) => sleep(ms(10)).await,
                }
            }
        };
        let opened = timeout(Duration::from_secs(60), opened).await;
        *self.store.lock().unwrap() = Some(opened.expect("it is let go"));
    }

    fn member(&self) -> BoxStore {
        let store = Arc::clone(&self.store);
        boxed(service_fn(move |request: LeaseRequest| {
            let store = store.lock().unwrap().clone();
            async move {
                let Some(store) = store else {
                    // Not before the others have answered: a majority that cannot be had any more is not waited for.
                    sleep(ms(20)).await;
                    return Err(BoxError::from("it is closed"));
                };
                store.oneshot(request).await.map_err(BoxError::from)
            }
        }))
    }
}

async fn files(folder: &tempfile::TempDir) -> [File; 3] {
    let files = ["a", "b", "c"].map(|name| File::closed(folder.path().join(name)));
    for file in &files {
        file.open().await;
    }
    files
}

fn of(files: &[File]) -> QuorumStore<BoxStore> {
    let members = files
        .iter()
        .map(|file| (file.path.display().to_string(), file.member()));
    QuorumStore::try_new(members).unwrap()
}

#[tokio::test]
async fn the_contract_holds_over_three_in_memory() {
    let members = ["a", "b", "c"].map(|name| (name, MemoryStore::new()));
    holds(&QuorumStore::try_new(members).unwrap(), QUORUM).await;
}

#[tokio::test]
async fn the_contract_holds_over_three_files_and_over_two_that_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder).await;
    let store = of(&files);
    holds(&store, QUORUM).await;
    files[1].close();
    holds(&of(&files), QUORUM).await;
}

#[tokio::test]
async fn one_of_three_files_may_be_lost_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder).await;
    let act = async |act| match act {
        Act::Kill(n) => files[n].close(),
        Act::Restart(n) => files[n].open().await,
    };
    one_member_may_be_lost(&of(&files), ms(1000), act).await;
}

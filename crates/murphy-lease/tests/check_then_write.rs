//! The textbook's `write_with_token` asks for the current token, compares, and then writes: a writer that pauses in between
//! writes over its successor, token and all. A fenced store takes both steps at once, and refuses it.

use std::sync::Mutex;

use murphy_lease::FencingToken;
use murphy_lease::fence::{FencedStore, FencedStoreError, MemoryFenced, Refused};
use tokio::sync::Barrier;

fn token(seq: u64) -> FencingToken {
    let text = format!("account;era=0;seq={seq};nonce={seq:x}");
    text.parse().unwrap()
}

/// The database of the chapter: each of its operations is atomic, and no two together are.
#[derive(Default)]
struct Database(Mutex<(u64, &'static str)>);

impl Database {
    fn current_token(&self) -> u64 {
        self.0.lock().unwrap().0
    }

    fn write(&self, data: &'static str, token: u64) {
        *self.0.lock().unwrap() = (token, data);
    }

    fn data(&self) -> &'static str {
        self.0.lock().unwrap().1
    }

    /// The chapter's, with a pause where any process may pause.
    async fn write_with_token(
        &self,
        data: &'static str,
        token: u64,
        pause: impl Future<Output = ()>,
    ) -> Result<(), String> {
        let current = self.current_token();
        if token < current {
            return Err(format!("Token {token} is stale (current: {current})"));
        }
        pause.await;
        self.write(data, token);
        Ok(())
    }
}

/// The older writer pauses until the newer one is done.
#[tokio::test]
async fn a_check_and_then_a_write_lets_the_older_one_win() {
    let (database, checked, written) = (Database::default(), Barrier::new(2), Barrier::new(2));
    let older = database.write_with_token("old", 33, async {
        checked.wait().await;
        written.wait().await;
    });
    let newer = async {
        checked.wait().await;
        let done = database.write_with_token("new", 34, async {}).await;
        written.wait().await;
        done
    };
    let (older, newer) = tokio::join!(older, newer);
    assert_eq!((older, newer), (Ok(()), Ok(())), "both passed the check");
    assert_eq!(database.data(), "old", "and the newer one's write is lost");
    assert_eq!(
        database.write_with_token("late", 32, async {}).await,
        Err("Token 32 is stale (current: 33)".to_owned()),
        "though it does refuse whom it sees in time"
    );
}

#[tokio::test]
async fn the_fenced_store_refuses_the_older_one() {
    let (store, looked, written) = (MemoryFenced::new(), Barrier::new(2), Barrier::new(2));
    let older = async {
        let sealed = store.seal("account", &token(33)).await;
        looked.wait().await;
        written.wait().await;
        let late = store.write("account", &token(33), "old").await;
        (sealed.map(|sealed| sealed.value), late)
    };
    let newer = async {
        looked.wait().await;
        let done = store.write("account", &token(34), "new").await;
        written.wait().await;
        done
    };
    let ((sealed, late), newer) = tokio::join!(older, newer);
    assert_eq!(sealed, Ok(None));
    assert!(newer.is_ok());
    let current = token(34).rank();
    assert_eq!(
        late,
        Err(FencedStoreError::Refused(Refused::Stale { current }))
    );
    let value = store.read_fenced("account", &token(34)).await;
    assert_eq!(value, Ok(Some("new")));
}

/// The new holder reads, and then the old one's write arrives, late: without a seal the new holder writes on from what it read.
#[tokio::test]
async fn without_a_seal_an_update_is_lost_and_with_one_it_is_refused() {
    for seals in [false, true] {
        let store = MemoryFenced::new();
        store.write("account", &token(33), 100).await.unwrap();
        let read = if seals {
            store.seal("account", &token(34)).await.unwrap().value
        } else {
            // A read that the fence does not hear of.
            store.read_fenced("account", &token(33)).await.unwrap()
        };
        let late = store.write("account", &token(33), 150).await;
        let sum = read.unwrap() + 1;
        store.write("account", &token(34), sum).await.unwrap();
        // Either the deposit of 50 was refused, or it was admitted and is gone.
        assert_eq!(late.is_err(), seals);
        assert_eq!(sum, 101);
    }
}

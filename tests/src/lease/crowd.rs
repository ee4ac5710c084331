//! [`crowd`]: many that want one lock.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use murphy_lease::{Acquire, LeaseReply, LeaseRequest, Rank};
use tokio::time::sleep;
use tower::Service;

use super::ask::Ask;
use crate::ms;

const TTL: Duration = Duration::from_secs(60);

/// So many clients, each of which has one lock so many times: never two at once, and each time with a higher rank.
///
/// # Panics
///
/// If two have it at once, or a rank does not rise.
pub async fn crowd<S>(store: &S, clients: u128, times: u128, waits: bool)
where
    S: Service<LeaseRequest, Response = LeaseReply, Error: fmt::Debug> + Clone,
{
    let lock = Ask::fresh(store);
    let ranks = Mutex::new(Vec::<Rank>::new());
    let holder = tokio::sync::Mutex::new(());
    let wait = if waits { TTL } else { Duration::ZERO };
    let crowd = (0..clients).map(|client| {
        let (lock, ranks, holder) = (&lock, &ranks, &holder);
        async move {
            for turn in 0..times {
                let nonce = client * times + turn;
                let wish = lock.wish(nonce, TTL);
                let grant = loop {
                    match lock
                        .wishes(Acquire {
                            wait,
                            ..wish.clone()
                        })
                        .await
                    {
                        LeaseReply::Granted(grant) => break grant,
                        LeaseReply::Held(_) => sleep(ms(5)).await,
                        other => panic!("to an acquire: {other:?}"),
                    }
                };
                let alone = holder.try_lock().expect("nobody else has it");
                ranks.lock().expect("the list").push(grant.rank);
                tokio::task::yield_now().await;
                drop(alone);
                assert!(lock.release(nonce).await);
            }
        }
    });
    futures_util::future::join_all(crowd).await;
    let ranks = ranks.into_inner().expect("the list");
    assert_eq!(ranks.len() as u128, clients * times);
    assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
}

//! Who is asked first is who is quick now.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_quorum::{HedgeAfter, Plan, Quorum, Threshold};
use tokio::time::sleep;
use tower::{Service, ServiceExt};

const MS: Duration = Duration::from_millis(1);

/// One that answers after so long, which may change.
fn timed(
    after: &Arc<Mutex<Result<u32, u32>>>,
    asked: &Arc<Mutex<u32>>,
) -> impl Service<
    (),
    Response = (),
    Error = &'static str,
    Future = impl Future<Output = Result<(), &'static str>>,
> + Clone {
    let (after, asked) = (Arc::clone(after), Arc::clone(asked));
    tower::service_fn(move |()| {
        let after = *after.lock().unwrap();
        *asked.lock().unwrap() += 1;
        async move {
            sleep(MS * after.unwrap_or_else(|e| e)).await;
            after.map(drop).map_err(|_| "reset")
        }
    })
}

#[tokio::test(start_paused = true)]
async fn the_quickest_are_found_again_after_they_were_slow() {
    let after = [5, 10, 2000].map(|ms| Arc::new(Mutex::new(Ok(ms))));
    let asked = [(); 3].map(|()| Arc::new(Mutex::new(0)));
    let all = after
        .iter()
        .zip(&asked)
        .map(|(after, asked)| timed(after, asked));
    let rule = Threshold::any(3).unwrap();
    let quorum = Quorum::try_new(all.enumerate(), rule).unwrap();
    let quorum = quorum.plan(Plan::Quickest(HedgeAfter::Delay(MS * 50)));
    let ask = async |times: u32| {
        asked.iter().for_each(|n| *n.lock().unwrap() = 0);
        let mut took = Duration::ZERO;
        for _ in 0..times {
            took += quorum.clone().oneshot(()).await.unwrap().elapsed();
        }
        (asked.clone().map(|n| *n.lock().unwrap()), took)
    };
    ask(20).await;
    let (counts, took) = ask(480).await;
    // One more is asked by every sixteenth question, in turn, and nobody waits for it.
    assert_eq!((counts, took), ([480, 10, 10], MS * 5 * 480));
    *after[2].lock().unwrap() = Ok(1);
    ask(100).await;
    let (counts, took) = ask(48).await;
    assert_eq!((counts[2], took), (48, MS * 48), "it is asked again");
}

#[tokio::test(start_paused = true)]
async fn who_fails_at_once_is_not_quick() {
    let after = [Err(0), Ok(5)].map(|does| Arc::new(Mutex::new(does)));
    let asked = [(); 2].map(|()| Arc::new(Mutex::new(0)));
    let all = after
        .iter()
        .zip(&asked)
        .map(|(after, asked)| timed(after, asked));
    let quorum = Quorum::try_new(all.enumerate(), Threshold::any(2).unwrap()).unwrap();
    let quorum = quorum.plan(Plan::Quickest(HedgeAfter::Delay(MS * 50)));
    for _ in 0..160 {
        quorum.clone().oneshot(()).await.unwrap();
    }
    let failed = *asked[0].lock().unwrap();
    assert!(failed <= 6, "{failed}");
}

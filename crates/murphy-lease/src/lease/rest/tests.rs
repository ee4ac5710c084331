//! Who rests where, until when, and who is called.

use murphy_core::TokioClock;
use tokio::time::sleep;
use tokio_test::task::spawn;
use tokio_test::{assert_pending, assert_ready};

use super::*;

fn here(rests: &Arc<Rests>) -> Arc<Rest> {
    rests.of(Handle::current())
}

#[tokio::test(start_paused = true)]
async fn whose_time_came_leaves_no_other_that_rests_where_it_did() {
    let rests = Rests::new(Arc::new(TokioClock));
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let mut first = Waiting::new(&rests, here(&rests), now + second);
    (&mut first).await;
    assert_eq!(Instant::now(), now + second);
    let mut other = spawn(Waiting::new(&rests, here(&rests), now + second * 3));
    assert_pending!(other.poll());
    assert_eq!(other.at().unwrap(), first.at().unwrap());
    drop(first);
    sleep(second).await;
    assert_pending!(other.poll());
    sleep(second + Duration::from_millis(1)).await;
    assert!(other.is_woken());
    assert_ready!(other.poll());
}

#[tokio::test(start_paused = true)]
async fn who_came_and_went_before_the_task_looked_has_it_called_once() {
    let rests = Rests::new(Arc::new(TokioClock));
    let rest = here(&rests);
    let (now, ms) = (Instant::now(), Duration::from_millis(1));
    let due = || Due::Call(Waker::noop().clone());
    let (_far, call) = rest.lay(now + 1000 * ms, due());
    assert!(matches!(call, Call::Begin));
    for n in 0..10 {
        let (near, call) = rest.lay(now + (10 + n) * ms, due());
        assert!(matches!((n, call), (0, Call::Sooner) | (1.., Call::None)));
        rest.lift(near);
        assert_eq!(rest.wake(now + n * ms), Some(now + 10 * ms));
    }
    assert_eq!(rest.wake(now + 10 * ms), Some(now + 1000 * ms));
}

#[tokio::test(start_paused = true)]
async fn one_task_wakes_them_in_the_order_of_their_times_and_ends() {
    let rests = Rests::new(Arc::new(TokioClock));
    let (now, woken) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
    let tasks: Vec<_> = [30, 10, 20, 10, 1000, 0]
        .map(|ms| {
            let until = now + Duration::from_millis(ms);
            let (rests, woken) = (Arc::clone(&rests), Arc::clone(&woken));
            tokio::spawn(async move {
                Waiting::new(&rests, here(&rests), until).await;
                woken.lock().unwrap().push(ms);
            })
        })
        .into();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*woken.lock().unwrap(), [0, 10, 10, 20, 30, 1000]);
    sleep(Duration::from_millis(1)).await;
    assert!(rests.lock().is_empty(), "nobody is waited for");
}

#[tokio::test(start_paused = true)]
async fn after_all_were_abandoned_none_is_taken_for_one_of_those() {
    let rests = Rests::new(Arc::new(TokioClock));
    let rest = here(&rests);
    let until = Instant::now() + Duration::from_secs(1);
    let due = || Due::Call(Waker::noop().clone());
    let (first, call) = rest.lay(until, due());
    rest.call(call);
    rest.abandon();
    let (other, call) = rest.lay(until, due());
    rest.call(call);
    rest.lift(first);
    assert!(rest.wakes(other, Waker::noop()));
}

/// A waker that owns its task, which rests in the same place.
struct Owns(Arc<Rest>);

impl std::task::Wake for Owns {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Owns {
    fn drop(&mut self) {
        self.0.lift((0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_is_the_last_of_its_task_may_take_along_others_that_rest() {
    let rests = Rests::new(Arc::new(TokioClock));
    let rest = here(&rests);
    let waker = || Waker::from(Arc::new(Owns(Arc::clone(&rest))));
    let (place, _call) = rest.lay(Instant::now(), Due::Call(waker()));
    for _ in 0..3 {
        assert!(rest.wakes(place, &waker()));
    }
    rest.lift(place);
}

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn queue_of(ticket: &Ticket) -> std::sync::Weak<Queue> {
    Arc::downgrade(ticket.queue.as_ref().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_forgotten_is_gone_with_the_last_who_waits() {
    let cx = Context::from_waker(Waker::noop());
    let (stays, leaves) = (Ticket::take(HOUR, &cx), Ticket::take(HOUR * 2, &cx));
    let (long, short) = (queue_of(&stays), queue_of(&leaves));
    drop(leaves);
    assert!(short.upgrade().is_some(), "others may join it");
    for more in 1..=known::REMEMBERED as u32 {
        drop(Ticket::take(HOUR + Duration::from_secs(1) * more, &cx));
    }
    assert!(short.upgrade().is_none());
    assert!(long.upgrade().is_some());
    tokio::time::advance(HOUR).await;
    assert_eq!(stays.poll(&cx), Poll::Ready(Told::Elapsed));
    drop(stays);
    assert!(long.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_ends_leaves_no_timer_behind() {
    let runtime = Handle::current();
    let there = std::thread::spawn(move || {
        let _within = runtime.enter();
        let cx = Context::from_waker(Waker::noop());
        queue_of(&Ticket::take(HOUR, &cx))
    });
    assert!(there.join().unwrap().upgrade().is_none());
}

/// A waker that counts those who hold it.
struct Counted;

impl Wake for Counted {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test(start_paused = true)]
async fn the_last_who_left_is_held_until_the_timer_goes_off_and_no_longer() {
    let counted = Arc::new(Counted);
    let waker = Waker::from(Arc::clone(&counted));
    let cx = Context::from_waker(&waker);
    for _ in 0..3 {
        drop(Ticket::take(HOUR, &cx));
        assert_eq!(
            Arc::strong_count(&counted),
            3,
            "ours, the waker's, the queue's"
        );
    }
    // Another leaves: the first is let go.
    drop(Ticket::take(HOUR, &Context::from_waker(Waker::noop())));
    assert_eq!(Arc::strong_count(&counted), 2);
    drop(Ticket::take(HOUR, &cx));
    tokio::time::sleep(HOUR).await;
    assert_eq!(Arc::strong_count(&counted), 2);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_with_another_waker_is_woken_by_that_one() {
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let wakers = [&first, &second].map(|woken| Waker::from(Arc::clone(woken)));
    drop(Ticket::take(HOUR, &Context::from_waker(&wakers[0])));
    let _stays = Ticket::take(HOUR, &Context::from_waker(&wakers[1]));
    tokio::time::sleep(HOUR).await;
    assert_eq!([first, second].map(|woken| woken.0.load(Relaxed)), [0, 1]);
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// One task blocks on two runtimes in turn, of which only one's timers run at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_blocks_on_other_runtimes_waits_in_the_one_that_it_blocks_on() {
    let there = tokio::task::spawn_blocking(|| {
        let runtimes = [(); 2].map(|()| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().start_paused(true).build().unwrap()
        });
        // Armed there, and never driven again while the other runs.
        let cx = Context::from_waker(Waker::noop());
        let _waits = runtimes[0].block_on(async { Ticket::take(HOUR, &cx) });
        let told = |at: usize| {
            runtimes[at].block_on(async {
                assert!(tokio::task::try_id().is_some(), "it is in a task");
                let mut ticket = None;
                let waits = std::future::poll_fn(|cx| {
                    ticket
                        .get_or_insert_with(|| Ticket::take(HOUR, cx))
                        .poll(cx)
                });
                tokio::time::timeout(HOUR * 2, waits).await.ok()
            })
        };
        [1, 0, 1, 0].map(told)
    });
    // In the wrong runtime it would wait for ever: nobody runs its timers.
    assert_eq!(there.await.unwrap(), [Some(Told::Elapsed); 4]);
}

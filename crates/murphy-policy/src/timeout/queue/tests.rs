use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn queue_of(ticket: &Ticket) -> std::sync::Weak<Queue> {
    Arc::downgrade(&ticket.queue)
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_forgotten_is_gone_with_the_last_who_waits() {
    let cx = Context::from_waker(Waker::noop());
    let (stays, leaves) = (Ticket::take(HOUR, &cx), Ticket::take(HOUR * 2, &cx));
    let (long, short) = (queue_of(&stays), queue_of(&leaves));
    drop(leaves);
    assert!(short.upgrade().is_some(), "others may join it");
    for more in 1..=REMEMBERED as u32 {
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

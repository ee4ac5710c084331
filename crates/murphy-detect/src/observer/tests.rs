//! What is not seen from outside.

use super::*;

#[tokio::test(start_paused = true)]
async fn watches_that_nobody_holds_are_swept_out() {
    let observer = Observer::spawn("peers", Adaptive::default());
    let kept = observer.watch(&0);
    for node in 1..10_000 {
        drop(observer.watch(&node));
        assert!(observer.shared.lock().watched.len() <= 32);
    }
    assert!(kept.has_changed().is_ok(), "it is held, and not swept out");
}

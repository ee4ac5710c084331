//! The day of tokio's clock is the system's, whoever asks first. Alone here: a process asks first once.

use std::time::Duration;

use murphy_core::{Clock, SystemClock, TokioClock};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

#[tokio::test(start_paused = true)]
async fn who_asks_first_from_a_virtual_year_ahead_is_a_year_ahead() {
    tokio::time::advance(YEAR).await;
    let ahead = TokioClock.wall() - SystemClock::new().wall();
    assert!(
        ahead.abs().abs_diff(YEAR) < Duration::from_secs(3600),
        "{ahead}"
    );
    assert!(!ahead.is_negative());
}

//! As many things at once as there are processors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// `work` of each number below `n`, in order.
///
/// # Panics
///
/// If one of them does.
pub fn each<T: Send>(n: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(n)));
    let worker = || {
        loop {
            let nth = next.fetch_add(1, Relaxed);
            if nth >= n {
                return;
            }
            let result = work(nth);
            done.lock().expect("no worker panicked").push((nth, result));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(n) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().expect("no worker panicked");
    done.sort_unstable_by_key(|(nth, _)| *nth);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_come_in_order() {
        let squares = super::each(100, |n| n * n);
        assert!(
            squares
                .iter()
                .enumerate()
                .all(|(n, square)| n * n == *square)
        );
    }
}

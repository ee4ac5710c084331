//! The same promises, with threads that race. Real time, and no timing.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};

use murphy_fault::Node;

use super::node;

/// Who is in the node's code at this moment, how often anybody was, and what is left of them.
#[derive(Debug, Default)]
struct Watch {
    inside: AtomicU64,
    polls: AtomicU64,
    drops: AtomicU64,
    stop: AtomicBool,
}

/// Never done: wakes itself, and stays in each poll for a little while.
struct Busy(Arc<Watch>);

impl Future for Busy {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.inside.fetch_add(1, SeqCst);
        self.0.polls.fetch_add(1, SeqCst);
        for _ in 0..200 {
            std::hint::spin_loop();
        }
        cx.waker().wake_by_ref();
        self.0.inside.fetch_sub(1, SeqCst);
        if self.0.stop.load(SeqCst) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // Long enough for a crash to return meanwhile, if it did not wait.
        for _ in 0..20 {
            std::thread::yield_now();
        }
        self.0.drops.fetch_add(1, SeqCst);
    }
}

/// Does nothing for as long as others can do a good deal.
fn spin(watch: &Watch) -> u64 {
    let polls = watch.polls.load(SeqCst);
    for _ in 0..50 {
        assert_eq!(watch.inside.load(SeqCst), 0, "code of the node runs");
        std::thread::yield_now();
    }
    polls
}

fn busy(node: &Node, watch: &Arc<Watch>, n: usize) -> Vec<tokio::task::JoinHandle<bool>> {
    (0..n)
        .map(|_| {
            let work = node.spawn(Busy(Arc::clone(watch)));
            tokio::spawn(async move { work.await.unwrap().is_err() })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_thread_polls_between_pause_and_resume() {
    let (_chaos, node, _armed) = node();
    let watch = Arc::new(Watch::default());
    let works = busy(&node, &watch, 8);
    let outside = node.clone();
    let observed = Arc::clone(&watch);
    // A plain thread: wakers fire on the workers, and from here.
    let rounds = std::thread::spawn(move || {
        for _ in 0..100 {
            let before = observed.polls.load(SeqCst);
            let pause = outside.pause().unwrap();
            let polls = spin(&observed);
            assert_eq!(observed.polls.load(SeqCst), polls);
            drop(pause);
            while observed.polls.load(SeqCst) == before {
                std::thread::yield_now();
            }
        }
    });
    tokio::task::spawn_blocking(move || rounds.join().unwrap())
        .await
        .unwrap();
    watch.stop.store(true, SeqCst);
    for work in works {
        assert!(!work.await.unwrap());
    }
    assert_eq!(watch.drops.load(SeqCst), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_thread_polls_after_a_crash_and_each_work_is_dropped_once() {
    let (_chaos, node, _armed) = node();
    for round in 1..=60 {
        let watch = Arc::new(Watch::default());
        let works = busy(&node, &watch, 8);
        let (outside, observed) = (node.clone(), Arc::clone(&watch));
        tokio::task::spawn_blocking(move || {
            while observed.polls.load(SeqCst) < 20 {
                std::thread::yield_now();
            }
            let down = outside.crash().unwrap();
            assert_eq!(observed.drops.load(SeqCst), 8, "by the time it returns");
            let polls = spin(&observed);
            drop(down);
            assert_eq!(observed.polls.load(SeqCst), polls);
        })
        .await
        .unwrap();
        for work in works {
            assert!(work.await.unwrap());
        }
        assert_eq!(watch.drops.load(SeqCst), 8);
        assert_eq!((node.living(), node.incarnation()), (0, round));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_however_pauses_and_wakers_race() {
    let (_chaos, node, _armed) = node();
    let done = Arc::new(AtomicBool::new(false));
    let (pausing, until) = (node.clone(), Arc::clone(&done));
    let pauser = std::thread::spawn(move || {
        while !until.load(SeqCst) {
            drop(pausing.pause().unwrap());
        }
    });
    // A ball that goes to and fro: one lost wake-up, and it lies there for ever.
    let (to, mut from_left) = tokio::sync::mpsc::channel::<u64>(1);
    let (back, mut from_right) = tokio::sync::mpsc::channel::<u64>(1);
    let right = node.spawn(async move {
        while let Some(n) = from_left.recv().await {
            if back.send(n + 1).await.is_err() {
                return;
            }
        }
    });
    let left = node.spawn(async move {
        let mut n = 0;
        while n < 20_000 {
            to.send(n).await.unwrap();
            n = from_right.recv().await.unwrap();
        }
        n
    });
    assert_eq!(left.await.unwrap(), Ok(20_000));
    right.await.unwrap().unwrap();
    done.store(true, SeqCst);
    tokio::task::spawn_blocking(move || pauser.join().unwrap())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_crash_each_other_do_not_wait_for_each_other() {
    let (chaos, a, _armed) = node();
    let b = chaos.node("b");
    for _ in 0..200 {
        let met = Arc::new(std::sync::Barrier::new(2));
        let fights: Vec<_> = [(&a, &b), (&b, &a)]
            .map(|(from, to)| {
                let (met, to) = (Arc::clone(&met), to.clone());
                let work = from.run(async move {
                    met.wait();
                    to.crash().unwrap().keep();
                    poll_fn(|_| Poll::<()>::Pending).await
                });
                // A thread each: of two workers, one may hold both tasks and block in the first.
                let runtime = tokio::runtime::Handle::current();
                tokio::task::spawn_blocking(move || runtime.block_on(work))
            })
            .into();
        for fight in fights {
            assert!(fight.await.unwrap().is_err());
        }
        a.restart().unwrap();
        b.restart().unwrap();
    }
}

//! A register on replicas that are slow, silent or behind.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_quorum::Cause;
use murphy_quorum::register::{Ask, Register, Repair, Stored, Version, Versioned};
use tokio::time::sleep;
use tower::Service;

const MS: Duration = Duration::from_millis(1);
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A replica on a slow line; `None`, a line that is cut.
#[derive(Clone, Debug, Default)]
struct Replica {
    stored: Arc<Mutex<Stored<char>>>,
    line: Arc<Mutex<Option<u32>>>,
}

impl Service<Ask<char>> for Replica {
    type Response = Versioned<char>;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<Versioned<char>, &'static str>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask<char>) -> Self::Future {
        let (line, stored) = (*self.line.lock().unwrap(), Arc::clone(&self.stored));
        Box::pin(async move {
            let Some(slow) = line else {
                return pending().await;
            };
            sleep(MS * slow).await;
            let told = stored.lock().unwrap().on(ask);
            Ok(told)
        })
    }
}

fn replicas(lines: [Option<u32>; 3]) -> [Replica; 3] {
    lines.map(|line| Replica {
        line: Arc::new(Mutex::new(line)),
        ..Replica::default()
    })
}

fn register(replicas: &[Replica; 3], writer: u64) -> Register<&'static str, Replica> {
    let named = NAMES.into_iter().zip(replicas.clone());
    Register::try_new(named, writer).unwrap().patience(MS * 100)
}

fn has(replica: &Replica) -> Option<char> {
    replica.stored.lock().unwrap().on(Ask::Read).value
}

#[tokio::test(start_paused = true)]
async fn what_a_majority_has_is_read_and_brought_to_those_who_lack_it() {
    let all = replicas([Some(1), Some(2), None]);
    let mut one = register(&all, 1);
    assert_eq!(one.read().await.unwrap().value(), None);
    assert_eq!(one.write('x').await.unwrap().counter, 1);
    // Those who missed it, with one who has it.
    *all[0].line.lock().unwrap() = None;
    *all[2].line.lock().unwrap() = Some(1);
    let mut other = register(&all, 2);
    let read = other.read().await.unwrap();
    assert_eq!((read.value(), read.laggards()), (Some(&'x'), &["c"][..]));
    assert_eq!(has(&all[2]), Some('x'));
    let read = other.read().await.unwrap();
    assert_eq!(read.laggards(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_nothing_is_read_and_nothing_written() {
    let all = replicas([Some(1), None, None]);
    let mut register = register(&all, 1);
    let e = register.read().await.unwrap_err();
    assert!(
        e.to_string()
            .starts_with("impossible: 2 of 3 needed, 1 reachable"),
        "{e}"
    );
    register.write('x').await.unwrap_err();
    assert_eq!(
        has(&all[0]),
        None,
        "no version was learned, so nothing was sent"
    );
}

#[tokio::test(start_paused = true)]
async fn a_repair_in_the_background_is_not_waited_for() {
    let all = replicas([Some(1), Some(1), None]);
    register(&all, 1).write('x').await.unwrap();
    *all[0].line.lock().unwrap() = None;
    *all[2].line.lock().unwrap() = Some(50);
    let began = tokio::time::Instant::now();
    let read = register(&all, 2)
        .repair(Repair::Background)
        .read()
        .await
        .unwrap();
    assert_eq!((read.value(), began.elapsed()), (Some(&'x'), MS * 50));
    assert_eq!(has(&all[2]), None);
    sleep(MS * 60).await;
    assert_eq!(has(&all[2]), Some('x'));
}

#[tokio::test(start_paused = true)]
async fn two_who_write_at_once_are_told_apart_by_their_numbers() {
    let all = replicas([Some(1), Some(2), Some(3)]);
    let (mut one, mut other) = (register(&all, 1), register(&all, 2));
    let (a, b) = tokio::join!(one.write('a'), other.write('b'));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.counter, b.counter), (1, 1));
    sleep(MS * 10).await;
    assert!(a < b && all.iter().all(|replica| has(replica) == Some('b')));
}

#[test]
fn an_old_write_and_a_copy_change_nothing() {
    let mut stored = Stored::default();
    let write = |counter, value| {
        let version = Version { counter, writer: 1 };
        Ask::Write(Versioned {
            version,
            value: Some(value),
        })
    };
    assert_eq!(stored.on(write(2, 'b')).value, Some('b'));
    assert_eq!(stored.on(write(1, 'a')).value, Some('b'));
    assert_eq!(stored.on(write(2, 'c')).value, Some('b'));
}

/// Found by a hundred thousand random schedules as well (`tests/tests/quorum.rs`, seeds 29419 and 72117).
#[tokio::test(start_paused = true)]
async fn a_write_that_failed_leaves_its_version_to_nobody_else() {
    // What was written first reached one replica, of which nothing is heard while the next is written.
    let all = replicas([Some(1), Some(1), Some(1)]);
    let mut one = register(&all, 1);
    let lines = |up: [bool; 3]| {
        for (replica, up) in all.iter().zip(up) {
            *replica.line.lock().unwrap() = up.then_some(1);
        }
    };
    let first = one.write('a');
    let cut = async {
        sleep(MS).await;
        lines([true, false, false]);
    };
    let (first, ()) = tokio::join!(first, cut);
    first.unwrap_err();
    lines([false, true, true]);
    let second = one.write('b').await.unwrap();
    assert_eq!(second.counter, 2);
    for up in [
        [true, true, false],
        [false, true, true],
        [true, false, true],
    ] {
        lines(up);
        let read = register(&all, 2).read().await.unwrap();
        assert_eq!(read.into_value(), Some('b'), "{up:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clones_that_write_at_once_never_share_a_version() {
    let all = replicas([Some(1), Some(2), Some(3)]);
    let one = register(&all, 1);
    let (mut a, mut b) = (one.clone(), one);
    let (a, b) = tokio::join!(a.write('a'), b.write('b'));
    assert_ne!(a.unwrap(), b.unwrap());
}

#[tokio::test(start_paused = true)]
async fn above_the_highest_version_nothing_is_written_and_that_is_said() {
    let all = replicas([Some(1), Some(1), Some(1)]);
    let version = Version {
        counter: u64::MAX,
        writer: 1,
    };
    let value = Some('z');
    let poison = Ask::Write(Versioned { version, value });
    all[0].stored.lock().unwrap().on(poison);
    let mut one = register(&all, 1);
    let e = one.write('x').await.unwrap_err();
    assert_eq!(e.why().cause, Cause::NoVersion);
    assert_eq!(
        e.to_string(),
        "impossible: no version is left above 18446744073709551615, after 1ms; yes: \"a\", \"b\"; not heard: \"c\""
    );
    assert_eq!(one.read().await.unwrap().into_value(), Some('z'));
}

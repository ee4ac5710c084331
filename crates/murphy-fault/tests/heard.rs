//! Who listens to events may do to the chaos what it likes. In a process of its own: who listens
//! is decided once a process.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_core::Seed;
use murphy_core::clock::Clock;
use murphy_fault::{Bend, Chaos, Plan, TimeLimit};

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Does something when the first event comes that has this word.
#[derive(Clone)]
struct Ear(&'static str, Hook);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if String::from_utf8_lossy(bytes).contains(self.0) {
            let hook = self.1.lock().unwrap().take();
            hook.into_iter().for_each(|act| act());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `script` while `act` waits for an event; whether both came to their end.
fn hears(
    word: &'static str,
    act: impl FnOnce() + Send + 'static,
    script: impl FnOnce() + Send + 'static,
) -> bool {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let hook: Hook = Arc::new(Mutex::new(Some(Box::new(act))));
        let ear = Ear(word, Arc::clone(&hook));
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || ear.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, script);
        done.send(hook.lock().unwrap().is_none()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(20)).unwrap_or(false)
}

#[test]
fn whoever_hears_of_a_run_may_ask_for_it_and_end_it() {
    for word in ["chaos.armed", "world.changed", "chaos.disarmed"] {
        let chaos = Chaos::new(Seed::new(42));
        let node = chaos.node("a");
        chaos.network().nodes(["a", "b"]).unwrap();
        let told = chaos.clone();
        let act = move || {
            let _ = (told.is_armed(), told.ledger(), told.site("a->b"));
            told.disarm();
        };
        let over = hears(word, act, move || {
            let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
            let _pause = node.pause();
            let _cut = chaos.network().isolate("b");
            chaos.disarm();
            assert!(!chaos.is_armed() && !node.is_paused());
        });
        assert!(over, "{word}");
    }
}

#[test]
fn a_bend_of_one_run_bends_no_clock_of_the_next() {
    let chaos = Chaos::new(Seed::new(42));
    let clock = chaos.node("a").clock();
    let told = chaos.clone();
    let act = move || {
        told.disarm();
        told.arm(&Plan::new(), TimeLimit::None).unwrap().keep();
    };
    let over = hears("world.changed", act, move || {
        let _armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
        let _bent = chaos.node("a").bend(Bend::Freeze);
        let before = clock.now();
        let moves = (0..1_000_000).any(|_| clock.now() > before);
        assert!(moves, "frozen in a run in which nothing happened");
    });
    assert!(over);
}

//! [`Counting`]: two clients that add to one number under a lock, and are paused between their look at the clock and their write.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use murphy_lease::fence::{FencedStore, MemoryFenced, Refused};
use murphy_lease::{FencingToken, LeaseStore, Locks, Rank, Renewal, Ttl};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::ms;

/// How long the clients, or one of them, may take for what they have to do by themselves.
const LONG: Duration = Duration::from_secs(60);

/// The number that both add to.
const NUMBER: &str = "number";

/// Between a client's read and its write, where it is not paused.
const WORK: Duration = ms(5);

/// Two clients, each in a loop: acquire, seal, read, write one more. Each writes to a fenced number, and to a twin of it that takes any
/// write.
///
/// On one thread, so that nothing comes between a write and its entry in the book.
#[derive(Debug)]
pub struct Counting {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    fenced: MemoryFenced<u64>,
    book: Mutex<Book>,
    scene: watch::Sender<Scene>,
}

/// What was written.
#[derive(Debug, Default)]
struct Book {
    /// The twin without a fence.
    plain: u64,
    /// How often it was written.
    tried: u64,
    /// The ranks of the writes that the fence admitted, in their order.
    admitted: Vec<Rank>,
    /// How many fresh grants the fence did not know as the newest.
    overtaken: u64,
}

/// Who does what.
#[derive(Clone, Copy, Debug, Default)]
struct Scene {
    /// How many writes of each were admitted.
    counts: [u64; 2],
    pause: Pause,
    is_over: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pause {
    #[default]
    None,
    /// The next to begin a round is to be paused in it.
    Wanted,
    /// This one is: it has read, and has not written.
    Of(usize),
    /// It may go on as soon as its lease is over and the other has written.
    Ends(usize),
}

impl Counting {
    /// Each client over a store of its own, and all over one server.
    pub fn start<S: LeaseStore<Error: fmt::Display>>(stores: [S; 2], ttl: Ttl) -> Self {
        let shared = Arc::new(Shared {
            fenced: MemoryFenced::new(),
            book: Mutex::default(),
            scene: watch::Sender::default(),
        });
        let mut clients = JoinSet::new();
        for (me, store) in stores.into_iter().enumerate() {
            let (shared, locks) = (Arc::clone(&shared), Locks::new(store).ttl(ttl));
            clients.spawn(async move { shared.count(me, locks, ttl).await });
        }
        Self { shared, clients }
    }

    /// Waits until a client holds the lock, has read the number, and is paused: it does not look at the clock again before it writes.
    ///
    /// # Panics
    ///
    /// If that takes longer than a minute.
    pub async fn one_is_paused(&self) {
        let scene = &self.shared.scene;
        scene.send_modify(|scene| scene.pause = Pause::Wanted);
        let paused = self.until(|scene| matches!(scene.pause, Pause::Of(_)));
        paused.await.expect("one of them gets the lock");
    }

    /// Ends the pause, once the lease is over and the other has written, and waits until both have written twice more.
    ///
    /// # Panics
    ///
    /// If they do not within a minute, or if the late write took no update of the other's from the number that has no fence.
    pub async fn both_go_on(&self, after: &str) {
        let lost = self.shared.lost();
        self.shared.scene.send_modify(|scene| {
            if let Pause::Of(client) = scene.pause {
                scene.pause = Pause::Ends(client);
            }
        });
        let woken = self.until(|scene| scene.pause == Pause::None).await;
        woken.unwrap_or_else(|| panic!("after {after} the other does not get the lock"));
        assert!(self.shared.lost() > lost, "{after}: nothing was lost");
        self.both_write(after).await;
    }

    /// Waits until both have written twice more.
    ///
    /// # Panics
    ///
    /// If they do not within a minute.
    pub async fn both_write(&self, after: &str) {
        let before = self.shared.scene.borrow().counts;
        let more = |scene: &Scene| (0..2).all(|n| scene.counts[n] >= before[n] + 2);
        let went_on = self.until(more).await;
        went_on.unwrap_or_else(|| panic!("not both go on after {after}"));
    }

    /// Ends it: no write was admitted after one of a higher token, and each that was admitted counts; without the fence some are lost.
    ///
    /// # Panics
    ///
    /// If not.
    pub async fn finish(mut self) {
        self.shared.scene.send_modify(|scene| scene.is_over = true);
        while let Some(ended) = timeout(LONG, self.clients.join_next())
            .await
            .expect("they end")
        {
            ended.expect("a client");
        }
        let last = "number;era=4294967295;seq=1;nonce=1".parse();
        let last: FencingToken = last.expect("a token");
        let sealed = self.shared.fenced.seal(NUMBER, &last);
        let number = sealed.await.expect("the highest").value;
        let lost = self.shared.lost();
        let book = self.shared.book();
        let admitted = &book.admitted;
        assert!(admitted.is_sorted_by(|a, b| a < b), "{admitted:?}");
        assert_eq!(number, Some(admitted.len() as u64), "an update was lost");
        assert!(lost > 0, "without the fence some are lost");
        // One that was on its way while the server forgot it may be: few are, and a server whose ranks begin anew makes hundreds.
        assert!(book.overtaken < 10, "{} grants are lower", book.overtaken);
    }

    /// `None` after a minute.
    async fn until(&self, seen: impl FnMut(&Scene) -> bool) -> Option<()> {
        let mut scenes = self.shared.scene.subscribe();
        let seen = timeout(LONG, scenes.wait_for(seen)).await;
        seen.ok().map(|scene| drop(scene.expect("it is kept")))
    }
}

impl Shared {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many updates the number without a fence has lost.
    fn lost(&self) -> u64 {
        let book = self.book();
        book.tried - book.plain
    }

    async fn count<S: LeaseStore<Error: fmt::Display>>(
        &self,
        me: usize,
        locks: Locks<S>,
        ttl: Ttl,
    ) {
        while !self.scene.borrow().is_over {
            let is_paused = self.scene.borrow().pause == Pause::Wanted;
            // Who is paused renews nothing: his whole process stands still.
            let renewal = if is_paused {
                Renewal::Never
            } else {
                Renewal::Auto
            };
            let lease = locks.acquire(NUMBER).renewing(renewal).deadline(LONG / 20);
            let Ok(lease) = lease.await else { continue };
            // His last look at the clock.
            let Ok(token) = lease.token().cloned() else {
                continue;
            };
            let Ok(sealed) = self.fenced.seal(NUMBER, &token).await else {
                self.book().overtaken += 1;
                continue;
            };
            let (seen, plain) = (sealed.value.unwrap_or(0), self.book().plain);
            if is_paused && self.begins_pause(me) {
                self.pauses(me, ttl).await;
                let late = self.writes(me, &token, (seen, plain)).await;
                let is_stale = matches!(late, Err(Refused::Stale { .. }));
                assert!(is_stale, "it was paused past its lease: {late:?}");
                self.scene.send_modify(|scene| scene.pause = Pause::None);
            } else {
                sleep(WORK).await;
                // It may be lost by now, and then that is said.
                let _ = self.writes(me, &token, (seen, plain)).await;
            }
            let _ = lease.release().await;
        }
    }

    /// Unless the other was quicker.
    fn begins_pause(&self, me: usize) -> bool {
        self.scene.send_if_modified(|scene| {
            let is_wanted = scene.pause == Pause::Wanted;
            if is_wanted {
                scene.pause = Pause::Of(me);
            }
            is_wanted
        })
    }

    async fn pauses(&self, me: usize, ttl: Ttl) {
        let other = 1 - me;
        let before = self.scene.borrow().counts[other];
        sleep(ttl.get() * 3 / 2).await;
        let mut scenes = self.scene.subscribe();
        let ends =
            |scene: &Scene| scene.pause == Pause::Ends(me) && scene.counts[other] > before + 1;
        let _ = scenes.wait_for(ends).await;
    }

    /// To both numbers. The same operation arrives once more, and is done once.
    async fn writes(
        &self,
        me: usize,
        token: &FencingToken,
        (seen, plain): (u64, u64),
    ) -> Result<(), Refused> {
        let mut written = Ok(());
        for copy in 0..2 {
            let write = self.fenced.write_once(NUMBER, token, 1, seen + 1).await;
            let write = write.map_err(|e| e.refused().cloned().expect("a refusal"));
            if copy == 0 {
                written = write.map(drop);
                let mut book = self.book();
                (book.plain, book.tried) = (plain + 1, book.tried + 1);
                if written.is_ok() {
                    book.admitted.push(token.rank());
                    self.scene.send_modify(|scene| scene.counts[me] += 1);
                }
            } else {
                assert!(write.is_err(), "a copy is admitted");
            }
        }
        written
    }
}

//! [`Station`]: a client on a thread of its own, so that it can be paused with all that it runs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::{Client, Offer, Rig, Verdict, Wire};

/// How long anything may take that should take a few ttls.
const FOREVER: u32 = 20;

/// A client on a thread of its own.
pub(super) struct Station {
    orders: mpsc::Sender<Order>,
    pub(super) wire: Wire,
    ttl: Duration,
}

/// A lock that a station holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold(usize);

/// What a lock says of itself.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) token: Offer<Result<u128, String>>,
    pub(super) believes: Offer<bool>,
    pub(super) lost: Offer<bool>,
}

enum Order {
    Acquire {
        lock: String,
        patience: Duration,
        reply: oneshot::Sender<Result<Hold, String>>,
    },
    Ask {
        hold: Hold,
        reply: oneshot::Sender<State>,
    },
    Release {
        hold: Hold,
        reply: oneshot::Sender<Result<(), String>>,
    },
    Drop(Hold),
    Pause(blocking::Receiver<()>),
}

/// Ends a pause when it is dropped.
pub(super) struct Paused(
    #[expect(dead_code, reason = "its drop is what matters")] blocking::Sender<()>,
);

impl Station {
    /// A client of the rig, and the wire that it is connected through.
    pub(super) async fn of<R: Rig>(rig: &Arc<R>) -> Result<Self, Verdict> {
        let wire = Wire::whole();
        let (orders, received) = mpsc::channel(64);
        let (ready, connected) = oneshot::channel();
        let (made, ttl) = ((Arc::clone(rig), wire.clone()), rig.ttl());
        std::thread::Builder::new()
            .name("station".into())
            .spawn(move || run(made, received, ready))
            .map_err(|e| Verdict::Unable(format!("no thread: {e}")))?;
        match connected.await {
            Ok(Ok(())) => Ok(Self { orders, wire, ttl }),
            Ok(Err(e)) => Err(Verdict::Unable(format!("it did not connect: {e}"))),
            Err(_) => Err(Verdict::Unable("its thread ended".into())),
        }
    }

    /// Waits for the lock; `Err` is what the client said.
    pub(super) async fn acquire(
        &self,
        lock: &str,
        patience: Duration,
    ) -> Result<Result<Hold, String>, Verdict> {
        let lock = lock.to_owned();
        self.ask(|reply| Order::Acquire {
            lock,
            patience,
            reply,
        })
        .await
    }

    /// The same, where it has to succeed for anything else to be seen.
    pub(super) async fn must_acquire(
        &self,
        lock: &str,
        patience: Duration,
    ) -> Result<Hold, Verdict> {
        let got = self.acquire(lock, patience).await?;
        got.map_err(|e| Verdict::Broken(format!("it could not be acquired at all: {e}")))
    }

    pub(super) async fn state(&self, hold: Hold) -> Result<State, Verdict> {
        self.ask(|reply| Order::Ask { hold, reply }).await
    }

    /// Its token.
    pub(super) async fn token(&self, hold: Hold) -> Result<u128, Verdict> {
        match self.state(hold).await?.token {
            Offer::Says(Ok(token)) => Ok(token),
            Offer::Says(Err(e)) => Err(Verdict::Broken(format!("no token though it is held: {e}"))),
            Offer::Nothing => Err(Verdict::Missing("it has no token")),
        }
    }

    pub(super) async fn release(&self, hold: Hold) -> Result<Result<(), String>, Verdict> {
        self.ask(|reply| Order::Release { hold, reply }).await
    }

    pub(super) async fn drop_guard(&self, hold: Hold) -> Result<(), Verdict> {
        self.send(Order::Drop(hold)).await
    }

    /// Nothing of the client runs from now on, until what is returned is dropped.
    pub(super) async fn pause(&self) -> Result<Paused, Verdict> {
        let (resume, paused) = blocking::channel();
        self.send(Order::Pause(paused)).await?;
        Ok(Paused(resume))
    }

    async fn send(&self, order: Order) -> Result<(), Verdict> {
        let sent = self.orders.send(order).await;
        sent.map_err(|_| Verdict::Unable("its thread ended".into()))
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Verdict> {
        let (reply, answer) = oneshot::channel();
        self.send(order(reply)).await?;
        match tokio::time::timeout(self.ttl * FOREVER, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Verdict::Unable("its thread ended".into())),
            Err(_) => Err(Verdict::Broken(format!(
                "it hung for {FOREVER} times its ttl"
            ))),
        }
    }
}

impl State {
    /// Whether it says, in any way that it has, that it is lost; `None` if it has none.
    pub(super) fn says_lost(&self) -> Option<bool> {
        let signs = [
            said(&self.believes, |believes| !believes),
            self.says_no_token(),
            said(&self.lost, |lost| *lost),
        ];
        signs.into_iter().flatten().reduce(|a, b| a || b)
    }

    /// The same, of what it says when it is asked.
    pub(super) fn says_lost_when_asked(&self) -> Option<bool> {
        let signs = [
            said(&self.believes, |believes| !believes),
            self.says_no_token(),
        ];
        signs.into_iter().flatten().reduce(|a, b| a || b)
    }

    /// To have a token is no claim that it is held: it may be a mere number.
    fn says_no_token(&self) -> Option<bool> {
        said(&self.token, |token| token.is_err()).filter(|lost| *lost)
    }
}

fn said<T>(offer: &Offer<T>, is_lost: impl FnOnce(&T) -> bool) -> Option<bool> {
    match offer {
        Offer::Says(what) => Some(is_lost(what)),
        Offer::Nothing => None,
    }
}

/// What is held on the thread of a station.
struct Desk<C: Client> {
    client: C,
    held: RefCell<BTreeMap<usize, Kept<C>>>,
    next: Cell<usize>,
    ttl: Duration,
}

struct Kept<C: Client> {
    held: C::Held,
    /// When it said by itself that it is lost, if it ever does.
    lost: Offer<Rc<Cell<Option<Instant>>>>,
}

type Ready = oneshot::Sender<Result<(), String>>;

fn run<R: Rig>((rig, wire): (Arc<R>, Wire), orders: mpsc::Receiver<Order>, ready: Ready) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => return drop(ready.send(Err(e.to_string()))),
    };
    LocalSet::new().block_on(&runtime, async move {
        match rig.connect(wire).await {
            Err(e) => drop(ready.send(Err(e.to_string()))),
            Ok(client) => {
                let (held, next, ttl) = (RefCell::default(), Cell::new(0), rig.ttl());
                let _ = ready.send(Ok(()));
                serve(
                    Rc::new(Desk {
                        client,
                        held,
                        next,
                        ttl,
                    }),
                    orders,
                )
                .await;
            }
        }
    });
}

async fn serve<C: Client>(desk: Rc<Desk<C>>, mut orders: mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        let desk = Rc::clone(&desk);
        match order {
            Order::Acquire {
                lock,
                patience,
                reply,
            } => {
                tokio::task::spawn_local(async move {
                    let got = desk.client.acquire(&lock, desk.ttl, patience).await;
                    let _ = reply.send(got.map(|held| desk.keep(held)).map_err(|e| e.to_string()));
                });
            }
            Order::Ask { hold, reply } => {
                if let Some(state) = desk.state(hold) {
                    let _ = reply.send(state);
                }
            }
            Order::Release { hold, reply } => {
                let kept = desk.held.borrow_mut().remove(&hold.0);
                tokio::task::spawn_local(async move {
                    if let Some(kept) = kept {
                        let released = desk.client.release(kept.held).await;
                        let _ = reply.send(released.map_err(|e| e.to_string()));
                    }
                });
            }
            Order::Drop(hold) => drop(desk.held.borrow_mut().remove(&hold.0)),
            // The whole thread stands still, as for a garbage collector.
            Order::Pause(until) => drop(until.recv_timeout(desk.ttl * FOREVER)),
        }
    }
}

impl<C: Client> Desk<C> {
    fn keep(&self, held: C::Held) -> Hold {
        let hold = self.next.get();
        self.next.set(hold + 1);
        let lost = match self.client.lost(&held) {
            None => Offer::Nothing,
            Some(lost) => {
                let when = Rc::new(Cell::new(None));
                let told = Rc::clone(&when);
                tokio::task::spawn_local(async move {
                    lost.await;
                    told.set(Some(Instant::now()));
                });
                Offer::Says(when)
            }
        };
        self.held.borrow_mut().insert(hold, Kept { held, lost });
        Hold(hold)
    }

    fn state(&self, hold: Hold) -> Option<State> {
        let held = self.held.borrow();
        let kept = held.get(&hold.0)?;
        Some(State {
            token: match self.client.token(&kept.held) {
                Offer::Says(token) => Offer::Says(token.map_err(|e| e.to_string())),
                Offer::Nothing => Offer::Nothing,
            },
            believes: self.client.believes(&kept.held),
            lost: match &kept.lost {
                Offer::Says(when) => Offer::Says(when.get().is_some()),
                Offer::Nothing => Offer::Nothing,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_have_a_token_is_no_claim_and_to_be_refused_one_is() {
        let nothing = State {
            token: Offer::Nothing,
            believes: Offer::Nothing,
            lost: Offer::Nothing,
        };
        let token = |token| State {
            token: Offer::Says(token),
            ..nothing.clone()
        };
        let believes = |believes| State {
            believes: Offer::Says(believes),
            ..token(Ok(7))
        };
        for (name, state, want) in [
            ("it says nothing", nothing.clone(), None),
            ("a number", token(Ok(7)), None),
            (
                "a token that is refused",
                token(Err("lost".into())),
                Some(true),
            ),
            ("it believes", believes(true), Some(false)),
            ("it does not", believes(false), Some(true)),
        ] {
            assert_eq!(state.says_lost(), want, "{name}");
            assert_eq!(state.says_lost_when_asked(), want, "{name}, when asked");
        }
    }
}

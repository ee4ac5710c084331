//! [`Station`]: a client on a thread of its own, so that it can be paused with all that it runs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

use super::signs::State;
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

enum Order {
    Acquire {
        lock: String,
        patience: Duration,
        reply: oneshot::Sender<Result<Hold, String>>,
    },
    Ask {
        hold: Hold,
        /// For how long `lost` may still end.
        grace: Duration,
        reply: oneshot::Sender<State>,
    },
    Release {
        hold: Hold,
        reply: oneshot::Sender<Result<(), String>>,
    },
    Drop(Hold),
    Pause(blocking::Receiver<()>),
}

/// How a station's clock runs.
#[derive(Clone, Copy, Debug)]
enum Pace {
    True,
    Slow,
}

/// Ends a pause when it is dropped.
pub(super) struct Paused(
    #[expect(dead_code, reason = "its drop is what matters")] blocking::Sender<()>,
);

impl Station {
    /// A client of the rig, and the wire that it is connected through.
    pub(super) async fn of<R: Rig>(rig: &Arc<R>) -> Result<Self, Verdict> {
        Self::with(rig, Pace::True).await
    }

    /// One whose clock is slow.
    pub(super) async fn slow<R: Rig>(rig: &Arc<R>) -> Result<Self, Verdict> {
        Self::with(rig, Pace::Slow).await
    }

    async fn with<R: Rig>(rig: &Arc<R>, pace: Pace) -> Result<Self, Verdict> {
        let wire = Wire::whole();
        let (orders, received) = mpsc::channel(64);
        let (ready, connected) = oneshot::channel();
        let (made, ttl) = ((Arc::clone(rig), wire.clone(), pace), rig.ttl());
        std::thread::Builder::new()
            .name("station".into())
            .spawn(move || run(made, received, ready))
            .map_err(|e| Verdict::Unable(format!("no thread: {e}")))?;
        match connected.await {
            Ok(Ok(())) => Ok(Self { orders, wire, ttl }),
            Ok(Err(e)) => Err(Verdict::Unable(match pace {
                Pace::True => format!("it did not connect: {e}"),
                Pace::Slow => e,
            })),
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

    /// What it says as soon as it is asked.
    pub(super) async fn state(&self, hold: Hold) -> Result<State, Verdict> {
        self.told(hold, Duration::ZERO).await
    }

    /// The same; but `lost`, which nobody asks, has some `grace` to end: its task has to come to its turn.
    pub(super) async fn told(&self, hold: Hold, grace: Duration) -> Result<State, Verdict> {
        self.ask(|reply| Order::Ask { hold, grace, reply }).await
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

/// What is held on the thread of a station.
struct Desk<C: Client> {
    client: C,
    held: RefCell<BTreeMap<usize, Kept<C>>>,
    next: Cell<usize>,
    ttl: Duration,
}

struct Kept<C: Client> {
    held: C::Held,
    /// Whether it said by itself that it is lost, if it ever does.
    lost: Option<watch::Receiver<bool>>,
}

type Ready = oneshot::Sender<Result<(), String>>;

fn run<R: Rig>(
    (rig, wire, pace): (Arc<R>, Wire, Pace),
    orders: mpsc::Receiver<Order>,
    ready: Ready,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => return drop(ready.send(Err(e.to_string()))),
    };
    LocalSet::new().block_on(&runtime, async move {
        let client = match pace {
            Pace::True => rig.connect(wire).await,
            Pace::Slow => rig.connect_slow(wire).await,
        };
        match client {
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
            Order::Ask { hold, grace, reply } => {
                // Asked at once: after a pause, before anything else of the client's runs.
                if let Some((state, lost)) = desk.state(hold) {
                    tokio::task::spawn_local(answer(state, lost, grace, reply));
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

/// Answers when `lost` has ended, or its grace is over.
async fn answer(
    mut state: State,
    lost: Option<watch::Receiver<bool>>,
    grace: Duration,
    reply: oneshot::Sender<State>,
) {
    if let Some(mut lost) = lost {
        let ends = lost.wait_for(|ended| *ended);
        let has_ended = matches!(tokio::time::timeout(grace, ends).await, Ok(Ok(_)));
        state.lost = Offer::Says(has_ended);
    }
    let _ = reply.send(state);
}

impl<C: Client> Desk<C> {
    fn keep(&self, held: C::Held) -> Hold {
        let hold = self.next.get();
        self.next.set(hold + 1);
        let lost = self.client.lost(&held).map(|lost| {
            let (told, ended) = watch::channel(false);
            tokio::task::spawn_local(async move {
                lost.await;
                told.send_replace(true);
            });
            ended
        });
        self.held.borrow_mut().insert(hold, Kept { held, lost });
        Hold(hold)
    }

    fn state(&self, hold: Hold) -> Option<(State, Option<watch::Receiver<bool>>)> {
        let held = self.held.borrow();
        let kept = held.get(&hold.0)?;
        let state = State {
            token: match self.client.token(&kept.held) {
                Offer::Says(token) => Offer::Says(token.map_err(|e| e.to_string())),
                Offer::Nothing => Offer::Nothing,
            },
            believes: self.client.believes(&kept.held),
            lost: Offer::Nothing,
        };
        Some((state, kept.lost.clone()))
    }
}

//! [`Quorum`]: one request to many services, and one answer.
//!
//! ```text
//!            ┌─▶ ready ─▶ call ─▶ outcome ─┐
//!  request ──┼─▶ ready ─▶ call ─▶ outcome ─┼─▶ Round ── decided ───▶ Answer
//!            └─▶ ready ─▶ call ─▶ outcome ─┘     └───── impossible ─▶ QuorumError
//!                                  who is left ─▶ Stragglers: cancelled, detached, compensated
//! ```
//!
//! A member is readied inside its own future, so that one that is never ready holds up nobody. The answer comes
//! with the last outcome that it takes, the error with the first after which none can come.

mod answer;
mod compensate;
mod event;
mod future;
mod judge;
mod latency;
mod member;
mod plan;
mod straggle;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tower_service::Service;

pub use self::answer::{Answer, Outcomes, QuorumError};
pub use self::compensate::Compensate;
pub use self::future::ResponseFuture;
pub use self::judge::{Heard, Judge};
use self::latency::Latencies;
pub use self::plan::{HedgeAfter, Plan};
pub use self::straggle::{Cancel, Detach, Leftover, Stragglers};
use crate::{BadQuorum, Members, Panel, Rule};

/// Many services as one, by a [`Rule`]. See the [module](self).
///
/// Clones share the members' names and what was seen of their latencies; each has its own clone of each service.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use murphy_quorum::{Quorum, Threshold};
/// use tower::{ServiceExt, service_fn};
///
/// let replica = |stored: u32| service_fn(move |add: u32| async move { Ok::<_, String>(stored + add) });
/// let replicas = [("a", replica(1)), ("b", replica(1)), ("c", replica(1))];
/// let quorum = Quorum::try_new(replicas, Threshold::majority(3)?)?;
/// let answer = quorum.oneshot(41).await?;
/// assert_eq!(*answer.value(), 42);
/// assert_eq!(answer.by().collect::<Vec<_>>(), [&"a", &"b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Changing members
///
/// A `Quorum` keeps its members; others are another `Quorum`. From the one to the other it takes three, one after another:
/// by the old configuration, by both at once ([`Joint`](crate::Joint)), by the new one.
///
/// ```
/// use murphy_quorum::{Joint, Quorum, Threshold};
/// # let dial = |_: &str| tower::service_fn(|()| async { Ok::<_, String>(()) });
///
/// let old = Quorum::try_new(["a", "b", "c"].map(|n| (n, dial(n))), Threshold::majority(3)?)?;
/// let (joint, all) = Joint::majorities(["a", "b", "c"], ["c", "d", "e"])?;
/// let both = Quorum::try_new(all.into_names().into_iter().map(|n| (n, dial(n))), joint)?;
/// let new = Quorum::try_new(["c", "d", "e"].map(|n| (n, dial(n))), Threshold::majority(3)?)?;
/// # drop((old, both, new));
/// # Ok::<(), murphy_quorum::BadQuorum>(())
/// ```
///
/// Who is one step behind the others decides nothing apart from them; who is two steps behind may. So nobody goes on to the new
/// one while anybody asks by the old one: that all have left it is for the caller to know, there is no replicated log
/// here that says so. What the members keep has to be with a quorum of the new ones before anybody asks by them alone:
/// of a [`Register`](crate::Register) [over](crate::Register::over) both, one read carries it over. One step is enough where each old quorum
/// meets each new one ([`System::intersects`](crate::System::intersects)), as when one member is added to three.
#[doc(alias = "scatter-gather")]
#[doc(alias = "fan-out")]
#[derive(Clone)]
pub struct Quorum<N, S, U, J = Heard, T = Cancel> {
    names: Arc<Members<N>>,
    replicas: Vec<S>,
    rule: U,
    judge: J,
    stragglers: T,
    plan: Plan,
    patience: Option<Duration>,
    site: Arc<str>,
    is_quiet: bool,
    latencies: Arc<Latencies>,
}

impl<N: PartialEq + fmt::Debug, S, U: Panel> Quorum<N, S, U> {
    /// These services, by name, in the order of the rule's positions.
    ///
    /// All are asked at once, an error is [`Outcome::Unknown`](crate::Outcome::Unknown), and who is left when it is
    /// decided is dropped.
    ///
    /// # Errors
    ///
    /// [`BadQuorum`]: nobody, more than 64, a name twice, or not as many as the rule has positions.
    pub fn try_new(replicas: impl IntoIterator<Item = (N, S)>, rule: U) -> Result<Self, BadQuorum> {
        let (names, replicas): (Vec<N>, Vec<S>) =
            replicas.into_iter().take(crate::Set::MOST + 1).unzip();
        let names = Members::try_new(names)?;
        let (named, placed) = (names.len(), rule.members());
        if placed != crate::Set::first(named) {
            let placed = placed.len();
            return Err(BadQuorum::Misplaced { named, placed });
        }
        Ok(Self {
            names: Arc::new(names),
            replicas,
            rule,
            judge: Heard,
            stragglers: Cancel,
            plan: Plan::Broadcast,
            patience: None,
            site: "quorum".into(),
            is_quiet: false,
            latencies: Arc::new(Latencies::new(named)),
        })
    }
}

impl<N, S, U, J, T> Quorum<N, S, U, J, T> {
    /// What a reply and an error mean. Else a reply is a yes and an error unknown.
    pub fn judge<K>(self, judge: K) -> Quorum<N, S, U, K, T> {
        Quorum {
            names: self.names,
            replicas: self.replicas,
            rule: self.rule,
            judge,
            stragglers: self.stragglers,
            plan: self.plan,
            patience: self.patience,
            site: self.site,
            is_quiet: self.is_quiet,
            latencies: self.latencies,
        }
    }

    /// What becomes of those who have not answered when it is over. [`Cancel`] unless set.
    pub fn stragglers<K>(self, stragglers: K) -> Quorum<N, S, U, J, K> {
        Quorum {
            names: self.names,
            replicas: self.replicas,
            rule: self.rule,
            judge: self.judge,
            stragglers,
            plan: self.plan,
            patience: self.patience,
            site: self.site,
            is_quiet: self.is_quiet,
            latencies: self.latencies,
        }
    }

    /// Whom to ask, and when. [`Plan::Broadcast`] unless set.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// After so long, who has not answered counts as unknown. Unless set, it is the members' own
    /// stacks that give up.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Its name in events and counters; `quorum` unless set.
    #[must_use]
    pub fn named(mut self, site: impl Into<Arc<str>>) -> Self {
        self.site = site.into();
        self
    }

    /// That there will be no quorum is said at the level debug, and not as a warning: for whoever asks what is often refused, as who
    /// tries a lock does. It is counted, and answered, as without.
    #[must_use]
    pub const fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }
}

impl<N, S, U, J, T, Req> Service<Req> for Quorum<N, S, U, J, T>
where
    S: Service<Req> + Clone,
    Req: Clone,
    J: Judge<S::Response, S::Error> + Clone,
    U: Rule<J::Vote> + Clone,
    T: Stragglers<S, Req> + Clone,
{
    type Response = Answer<N, S::Response, S::Error>;
    type Error = QuorumError<N, S::Error>;
    type Future = ResponseFuture<N, S, Req, U, J, T>;

    /// Always ready: a member's readiness is that member's affair.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        ResponseFuture::new(self, request)
    }
}

impl<N: fmt::Debug, S, U: fmt::Debug, J, T> fmt::Debug for Quorum<N, S, U, J, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quorum")
            .field("members", &self.names)
            .field("rule", &self.rule)
            .field("plan", &self.plan)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

//! [`IdempotencyLayer`]: the knobs of a server.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use tower_layer::Layer;

use super::{Idempotency, MemoryStore, Reply};
use crate::BadKnob;

/// Serves each operation once, however often its request arrives. See the [module](super).
#[derive(Clone)]
pub struct IdempotencyLayer<St = MemoryStore> {
    pub(super) rules: Arc<Rules>,
    pub(super) store: St,
}

type Per = Arc<dyn Fn(&Parts) -> String + Send + Sync>;
type Keeps = Arc<dyn Fn(&Reply) -> bool + Send + Sync>;

/// What all services of a layer share.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) site: Cow<'static, str>,
    pub(super) required: bool,
    pub(super) every_method: bool,
    pub(super) patience: Duration,
    pub(super) again: Duration,
    pub(super) lease: Duration,
    pub(super) longest_request: usize,
    pub(super) longest_reply: usize,
    pub(super) per: Option<Per>,
    pub(super) keeps: Keeps,
}

impl IdempotencyLayer {
    /// Keys are remembered in this process: see [`MemoryStore`].
    #[must_use]
    pub fn new() -> Self {
        Self::with(MemoryStore::new())
    }
}

impl Default for IdempotencyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<St> IdempotencyLayer<St> {
    /// Keys are remembered in `store`.
    #[must_use]
    pub fn with(store: St) -> Self {
        let rules = Rules {
            site: Cow::Borrowed("server"),
            required: false,
            every_method: false,
            patience: Duration::from_secs(10),
            again: Duration::from_secs(1),
            lease: Duration::from_secs(60),
            longest_request: 1 << 20,
            longest_reply: 1 << 18,
            per: None,
            keeps: Arc::new(Reply::is_final),
        };
        let rules = Arc::new(rules);
        Self { rules, store }
    }

    /// Names the server in events and counters; `server` unless set.
    #[must_use]
    pub fn named(self, site: impl Into<Cow<'static, str>>) -> Self {
        let site = site.into();
        self.set(|rules| rules.site = site)
    }

    /// A request without a key gets 400. Unless this is set, it is served as if we were not there.
    #[must_use]
    pub fn required(self) -> Self {
        self.set(|rules| rules.required = true)
    }

    /// Looks at the keys of all requests. Unless this is set, those whose method is idempotent (RFC
    /// 9110, section 9.2.2) are served as if we were not there.
    #[must_use]
    pub fn every_method(self) -> Self {
        self.set(|rules| rules.every_method = true)
    }

    /// Whose key it is: two callers who use one key do not meet. It is to come from what the caller
    /// has proved to be (an account, a tenant). 255 bytes at most.
    ///
    /// Without it a caller who learns or guesses the key of another gets his reply; set it wherever
    /// callers do not trust each other.
    #[must_use]
    pub fn per(self, caller: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.set(|rules| rules.per = Some(Arc::new(caller)))
    }

    /// Which replies end an operation, so that repeats get them too; [`Reply::is_final`] unless
    /// set. Any other is given to whom it is for, and the next repeat runs the handler again.
    ///
    /// A handler that panics or fails counts as a 500, and one that outlives its lease as a 504.
    #[must_use]
    pub fn keeps(self, is_final: impl Fn(&Reply) -> bool + Send + Sync + 'static) -> Self {
        self.set(|rules| rules.keeps = Arc::new(is_final))
    }

    /// How long a repeat waits for the first where its caller has no deadline; 10 s unless set.
    #[must_use]
    pub fn patience(self, longest: Duration) -> Self {
        self.set(|rules| rules.patience = longest)
    }

    /// What `Retry-After` says, rounded up to a second; 1 s unless set.
    #[must_use]
    pub fn ask_again_after(self, wait: Duration) -> Self {
        self.set(|rules| rules.again = wait)
    }

    /// How long a handler may take, its reply's body included; 60 s unless set. One that takes
    /// longer is ended: after that its key is nobody's.
    ///
    /// # Errors
    ///
    /// [`BadKnob`]: less than a millisecond, or more than a day.
    pub fn lease(self, longest: Duration) -> Result<Self, BadKnob> {
        let day = Duration::from_secs(86_400);
        if longest < Duration::from_millis(1) || longest > day {
            let remedy = "between 1ms and 24h, longer than any handler takes";
            return Err(BadKnob::new("lease", format_args!("{longest:?}"), remedy));
        }
        Ok(self.set(|rules| rules.lease = longest))
    }

    /// How long a body may be of a request that has a key, in bytes; 1 MiB unless set. It is read
    /// whole before the handler is called; a longer one gets 413.
    #[must_use]
    pub fn longest_request(self, bytes: usize) -> Self {
        self.set(|rules| rules.longest_request = bytes)
    }

    /// How long a body is kept of a reply, in bytes; 256 KiB unless set. A longer one is given to
    /// whom it is for, and repeats get 409 without `Retry-After`: done, and nobody can say how.
    #[must_use]
    pub fn longest_reply(self, bytes: usize) -> Self {
        self.set(|rules| rules.longest_reply = bytes)
    }

    fn set(mut self, set: impl FnOnce(&mut Rules)) -> Self {
        set(Arc::make_mut(&mut self.rules));
        self
    }
}

impl<S, St: Clone> Layer<S> for IdempotencyLayer<St> {
    type Service = Idempotency<S, St>;

    fn layer(&self, inner: S) -> Self::Service {
        Idempotency::new(inner, self.clone())
    }
}

impl<St: fmt::Debug> fmt::Debug for IdempotencyLayer<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyLayer")
            .field("rules", &self.rules)
            .field("store", &self.store)
            .finish()
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("site", &self.site)
            .field("required", &self.required)
            .field("every_method", &self.every_method)
            .field("patience", &self.patience)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

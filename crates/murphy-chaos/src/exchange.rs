//! [`Exchange`]: what a client asked and was told in a run, in the words of its protocol, for whoever looks at it later.
//!
//! The ledger knows what was done to a call; this is what the call was. Only runs that are kept are noted: it costs the
//! others nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(any(feature = "http", test))]
use tokio::time::Instant;

/// The most exchanges of one run that are noted; later ones are calls without words.
#[cfg(any(feature = "http", test))]
const MOST: usize = 1 << 15;

/// What a client asked, and was told.
///
/// Of a [`Client`](crate::Client) only: other calls are not in anybody's words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// The site that it passed, `client->pay`.
    pub site: String,
    /// When, after the run began.
    pub at: Duration,
    /// `POST /charge`.
    pub asked: String,
    /// When it ended and how, if it did.
    pub end: Option<(Duration, Answer)>,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The caller was told this: a status, or an error.
    Told(String),
    /// The caller heard nothing, and waits no longer.
    GaveUp,
}

/// The exchanges of one run. Clones are one list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchanges {
    list: Arc<Mutex<Option<Vec<Exchange>>>>,
}

/// An exchange under way. Dropped before it was told anything, its caller gave up.
#[cfg(any(feature = "http", test))]
#[derive(Debug)]
pub(crate) struct UnderWay {
    all: Exchanges,
    began: Instant,
    at: Option<usize>,
}

impl Exchanges {
    /// From here on they are noted.
    pub(crate) fn keep(&self) {
        self.list().get_or_insert_default();
    }

    /// A call leaves now: its site, and what it asks. `began`: when the run did.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn begin(
        &self,
        began: Instant,
        what: impl FnOnce() -> (String, String),
    ) -> UnderWay {
        let mut list = self.list();
        let at = list.as_mut().filter(|list| list.len() < MOST).map(|list| {
            let (site, asked) = what();
            list.push(Exchange {
                site,
                at: began.elapsed(),
                asked,
                end: None,
            });
            list.len() - 1
        });
        drop(list);
        UnderWay {
            all: self.clone(),
            began,
            at,
        }
    }

    /// All that were noted, in the order in which they began. No more are noted.
    pub(crate) fn take(&self) -> Vec<Exchange> {
        self.list().take().unwrap_or_default()
    }

    fn list(&self) -> MutexGuard<'_, Option<Vec<Exchange>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(any(feature = "http", test))]
impl UnderWay {
    /// It was told this.
    pub(crate) fn told(mut self, words: impl FnOnce() -> String) {
        if self.at.is_some() {
            self.end(Answer::Told(words()));
        }
    }

    fn end(&mut self, end: Answer) {
        let Some(at) = self.at.take() else { return };
        if let Some(exchange) = self.all.list().as_mut().and_then(|list| list.get_mut(at)) {
            exchange.end = Some((self.began.elapsed(), end));
        }
    }
}

#[cfg(any(feature = "http", test))]
impl Drop for UnderWay {
    fn drop(&mut self) {
        self.end(Answer::GaveUp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_exchange_is_told_given_up_or_under_way() {
        let began = Instant::now();
        let all = Exchanges::default();
        let words = || panic!("nobody keeps it");
        all.begin(began, words).told(|| panic!("nor this"));
        all.keep();
        let asks = |asked: &str| all.begin(began, || ("api->pay".into(), asked.into()));
        let [told, left, under_way] = ["a", "b", "c"].map(asks);
        tokio::time::sleep(Duration::from_secs(5)).await;
        told.told(|| "200 OK".into());
        drop(left);
        let ends: Vec<_> = all.take().into_iter().map(|e| (e.asked, e.end)).collect();
        let after = Duration::from_secs(5);
        let want = [
            ("a".into(), Some((after, Answer::Told("200 OK".into())))),
            ("b".into(), Some((after, Answer::GaveUp))),
            ("c".into(), None),
        ];
        assert_eq!(ends, want);
        drop(under_way);
        assert!(all.take().is_empty(), "the run is over");
    }
}

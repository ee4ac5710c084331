//! [`Link`]: a client whose connection is made anew when nothing is answered on it any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::Client;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::store::event;

/// A client of etcd, and whether it is any use. All clones of a store have the same.
///
/// A connection that broke is replaced by the client itself, one that is silent only after eight seconds: etcd takes it amiss to
/// be asked for signs of life more often. So calls that wait in vain, and nothing else, are what has it dialled anew before.
pub(super) struct Link {
    client: Client,
    /// To where; none, and it is never dialled anew, where the client is somebody else's.
    endpoints: Vec<String>,
    silence: Mutex<Silence>,
    is_dialling: AtomicBool,
    dialled: watch::Sender<u64>,
}

/// Changes when a link was dialled anew.
pub(super) type Dialled = watch::Receiver<u64>;

impl Link {
    pub(super) fn new(client: Client, endpoints: Vec<String>) -> Self {
        Self {
            client,
            endpoints,
            silence: Mutex::default(),
            is_dialling: AtomicBool::new(false),
            dialled: watch::Sender::new(0),
        }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Changes when it was dialled anew: nothing will come on what was opened before.
    pub(super) fn dialled(&self) -> Dialled {
        self.dialled.subscribe()
    }

    /// A call leaves. `patience` is how long an answer to one is waited for.
    pub(super) fn ask(self: &Arc<Self>, patience: Duration) -> Asked {
        Asked {
            link: Arc::clone(self),
            patience,
            answers: self.silence().answers,
            at: Instant::now(),
            is_answered: false,
        }
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn redial(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.endpoints.is_empty() || self.is_dialling.swap(true, Ordering::AcqRel) {
            return;
        }
        let link = Arc::clone(self);
        runtime.spawn(async move {
            for endpoint in &link.endpoints {
                // What fails here is a bad address: it was a good one before.
                let _ = link.client.remove_endpoint(endpoint).await;
                let _ = link.client.add_endpoint(endpoint).await;
            }
            event::redialled("etcd");
            link.is_dialling.store(false, Ordering::Release);
            link.dialled.send_modify(|number| *number += 1);
        });
    }
}

/// A call on its way. Dropped without an answer, it waited in vain.
pub(super) struct Asked {
    link: Arc<Link>,
    patience: Duration,
    answers: u64,
    at: Instant,
    is_answered: bool,
}

impl Asked {
    pub(super) fn answered(mut self) {
        self.is_answered = true;
        self.link.silence().answered();
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let (now, limit) = (Instant::now(), self.patience / 2);
        let is_dead = (self.link.silence()).in_vain(self.answers, self.at, now, limit);
        if is_dead {
            self.link.redial();
        }
    }
}

/// For how long nothing was answered that was waited for. What nobody waits for does not count: then nothing is to be heard.
#[derive(Debug, Default)]
struct Silence {
    answers: u64,
    since: Option<Instant>,
    waited: Duration,
}

impl Silence {
    fn answered(&mut self) {
        self.answers += 1;
        (self.since, self.waited) = (None, Duration::ZERO);
    }

    /// A call left at `at`, when there had been so many answers, and was given up now: whether the connection is dead.
    fn in_vain(&mut self, answers: u64, at: Instant, now: Instant, limit: Duration) -> bool {
        if answers != self.answers {
            return false;
        }
        let since = *self.since.get_or_insert(at);
        self.waited += now.saturating_duration_since(at);
        let is_dead = self.waited >= limit && now.saturating_duration_since(since) >= limit;
        if is_dead {
            (self.since, self.waited) = (None, Duration::ZERO);
        }
        is_dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_dead_when_calls_have_waited_in_vain_for_long_enough() {
        let start = Instant::now();
        for (name, calls, want) in [
            ("one that waited long", &[(0, 1000)][..], true),
            ("one that left early", &[(0, 999)], false),
            (
                "short ones add up",
                &[(0, 400), (5000, 5400), (9000, 9200)],
                true,
            ),
            (
                "many at once wait no longer than one",
                &[(0, 300), (0, 300), (0, 300), (0, 300)],
                false,
            ),
            (
                "what nobody waits for is no silence",
                &[(0, 1), (60_000, 60_001)],
                false,
            ),
        ] {
            let mut silence = Silence::default();
            let mut is_dead = false;
            for (from, to) in calls {
                is_dead = silence.in_vain(0, start + ms(*from), start + ms(*to), LIMIT);
            }
            assert_eq!(is_dead, want, "{name}");
        }
    }

    #[test]
    fn a_connection_of_no_use_is_told() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let told = |name: &str| name == "lease.redialled";
        crate::heard::is_told(crate::heard::STORES, told, || {
            runtime.block_on(async {
                let endpoint = "http://127.0.0.1:1".to_owned();
                let client = Client::connect([&endpoint], None).await.unwrap();
                let link = Arc::new(Link::new(client, vec![endpoint]));
                let mut dialled = link.dialled();
                drop(link.ask(Duration::ZERO));
                dialled.changed().await.unwrap();
            });
        });
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_anybody_is_a_sign_of_life() {
        let start = Instant::now();
        let mut silence = Silence::default();
        assert!(!silence.in_vain(0, start, start + ms(900), LIMIT));
        silence.answered();
        assert!(!silence.in_vain(0, start, start + ms(5000), LIMIT));
        assert!(!silence.in_vain(1, start, start + ms(900), LIMIT), "anew");
        assert!(silence.in_vain(1, start, start + ms(1000), LIMIT));
        assert!(!silence.in_vain(1, start, start + ms(10), LIMIT), "once");
    }
}

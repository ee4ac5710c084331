//! [`Link`]: a client whose connection is made anew when nothing is answered on it any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::Client;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::store::event;
use crate::store::silence::Silence;

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
            answers: self.silence().answers(),
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
        let dialling = Dialling(Arc::clone(self));
        runtime.spawn(async move {
            let link = &dialling.0;
            for endpoint in &link.endpoints {
                // What fails here is a bad address: it was a good one before.
                let _ = link.client.remove_endpoint(endpoint).await;
                let _ = link.client.add_endpoint(endpoint).await;
            }
            event::redialled("etcd");
            let link = Arc::clone(link);
            drop(dialling);
            link.dialled.send_modify(|number| *number += 1);
        });
    }
}

/// One at a time. Its runtime may end first: then whoever waits in vain next begins it again.
struct Dialling(Arc<Link>);

impl Drop for Dialling {
    fn drop(&mut self) {
        self.0.is_dialling.store(false, Ordering::Release);
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_ends_with_its_runtime_is_dialled_anew_in_another() {
        let runtime = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap()
        };
        let lasts = runtime();
        let endpoint = "http://127.0.0.1:1".to_owned();
        let client = lasts.block_on(Client::connect([&endpoint], None)).unwrap();
        let link = Arc::new(Link::new(client, vec![endpoint]));
        let mut dialled = link.dialled();
        runtime().block_on(async { drop(link.ask(Duration::ZERO)) });
        assert!(!dialled.has_changed().unwrap(), "it was not run");
        lasts.block_on(async {
            drop(link.ask(Duration::ZERO));
            let limit = Duration::from_secs(60);
            let dialled = tokio::time::timeout(limit, dialled.changed()).await;
            dialled.unwrap().unwrap();
        });
    }
}

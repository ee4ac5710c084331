//! [`Ears`]: who waits hears of releases.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, StreamExt, poll_fn};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Error, Socket};

/// How many releases a waiter may fall behind. One who missed some asks anew.
const BEHIND: usize = 1024;

/// How long a connection on which nobody listens is kept.
const IDLE: Duration = Duration::from_secs(30);

/// How long the first to wait waits for the connection.
const START: Duration = Duration::from_secs(1);

type Messages = Pin<Box<dyn Stream<Item = Result<AsyncMessage, Error>> + Send>>;
type Dial = Arc<dyn Fn() -> BoxFuture<'static, Result<(Client, Messages), Error>> + Send + Sync>;

/// One connection of a store that hears of the releases of all locks, while somebody waits for one. What is missed, for
/// the connection was lost or a pooler swallowed it, is found by asking now and then.
pub(super) struct Ears {
    dial: Dial,
    listen: String,
    task: Mutex<Option<JoinHandle<()>>>,
    heard: broadcast::Sender<Arc<str>>,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Up,
    Down,
}

impl Ears {
    pub(super) fn new<T>(config: Config, tls: T, listen: String) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let dial: Dial = Arc::new(move || {
            let (config, tls) = (config.clone(), tls.clone());
            Box::pin(async move {
                let (client, mut connection) = config.connect(tls).await?;
                let messages: Messages = Box::pin(poll_fn(move |cx| connection.poll_message(cx)));
                Ok((client, messages))
            })
        });
        Self::dialling(dial, listen)
    }

    fn dialling(dial: Dial, listen: String) -> Self {
        let (heard, _) = broadcast::channel(BEHIND);
        let (state, _) = watch::channel(State::Starting);
        Self {
            dial,
            listen,
            task: Mutex::default(),
            heard,
            state,
        }
    }

    /// The same, of another table.
    pub(super) fn of(&self, listen: String) -> Self {
        Self::dialling(Arc::clone(&self.dial), listen)
    }

    /// Hears of every release from now on; of an empty name where any may have been missed.
    pub(super) async fn listen(self: &Arc<Self>) -> broadcast::Receiver<Arc<str>> {
        let heard = {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if task.as_ref().is_none_or(JoinHandle::is_finished) {
                self.state.send_replace(State::Starting);
                *task = Some(tokio::spawn(hear(Arc::downgrade(self))));
            }
            self.heard.subscribe()
        };
        let mut state = self.state.subscribe();
        let _ = timeout(START, state.wait_for(|state| *state != State::Starting)).await;
        heard
    }

    /// Whether nobody listens any more: then the task ends, and the next to listen starts another.
    fn is_idle(&self) -> bool {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = self.heard.receiver_count() == 0;
        if is_idle {
            *task = None;
        }
        is_idle
    }

    /// Nobody is there to hear: no matter.
    fn tell(&self, lock: &str) {
        let _ = self.heard.send(lock.into());
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

async fn hear(ears: Weak<Ears>) {
    let mut pause = Duration::from_millis(50);
    loop {
        let Some((dial, listen)) = ears
            .upgrade()
            .map(|ears| ((ears.dial)(), ears.listen.clone()))
        else {
            return;
        };
        if let Ok(Ok((client, messages))) = timeout(START, dial).await {
            pause = Duration::from_millis(50);
            if hear_on(&ears, &client, &listen, messages).await {
                return;
            }
        }
        let Some(left) = ears.upgrade() else { return };
        left.state.send_replace(State::Down);
        if left.is_idle() {
            return;
        }
        drop(left);
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Until the connection is lost, or (`true`) nobody listens.
async fn hear_on(ears: &Weak<Ears>, client: &Client, listen: &str, messages: Messages) -> bool {
    // The statement is answered only while its connection is polled.
    let asked =
        futures_util::stream::once(client.batch_execute(listen)).map(|done| done.map(|()| None));
    let messages = messages.map(|message| message.map(Some));
    let mut both = std::pin::pin!(futures_util::stream::select(asked, messages));
    loop {
        let next = timeout(IDLE, both.next()).await;
        let Some(ears) = ears.upgrade() else {
            return true;
        };
        match next {
            Ok(Some(Ok(None))) => {
                ears.state.send_replace(State::Up);
                ears.tell("");
            }
            Ok(Some(Ok(Some(AsyncMessage::Notification(release))))) => {
                ears.tell(release.payload());
            }
            Ok(Some(Ok(Some(_)))) => {}
            Ok(Some(Err(_)) | None) => return false,
            Err(_) if ears.is_idle() => return true,
            Err(_) => {}
        }
    }
}

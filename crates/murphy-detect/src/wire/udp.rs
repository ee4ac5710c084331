//! Beats over UDP: one datagram each, and one back for those who want to hear.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{SinkExt, StreamExt};
use tokio::net::UdpSocket;
use tokio_util::udp::UdpFramed;
use tower_service::Service;

use super::{BadMessage, LONGEST, Message, WireCodec, WireError, put_beat, read};
use crate::event;
use crate::{Heartbeat, HeartbeatAck};

/// A socket that fails so often in a row is given up.
const PATIENCE: u32 = 100;

/// Gives every beat that arrives at `socket` to `service`, and sends its acknowledgement back.
///
/// Runs until it is dropped. A datagram that is no beat is counted, told of by `wire.dropped`, and dropped unanswered; so is
/// a reply that cannot be sent. An acknowledgement is shorter than a beat: nobody gets more than was sent in his name.
///
/// # Errors
///
/// When the socket failed 100 times in a row, the last of the errors; and what `service` fails with, which
/// [`HeartbeatService`](crate::HeartbeatService) never does.
///
/// # Cancel safety
///
/// Safe: what was received was given to the service.
pub async fn serve<S>(
    socket: UdpSocket,
    site: &str,
    mut service: S,
) -> Result<(), ServeError<S::Error>>
where
    S: Service<Heartbeat, Response = HeartbeatAck>,
{
    let mut framed = UdpFramed::new(socket, WireCodec);
    let mut failures = 0;
    loop {
        let next = framed.next().await;
        if !matches!(next, Some(Err(WireError::Io(_)))) {
            failures = 0;
        }
        let (beat, from) = match next {
            Some(Ok((Message::Beat(beat), from))) => (beat, from),
            Some(Ok((Message::Ack(_), _))) => {
                event::dropped(site, &BadMessage::Kind(super::ACK));
                continue;
            }
            Some(Err(WireError::Bad(why))) => {
                event::dropped(site, &why);
                continue;
            }
            Some(Err(WireError::Io(error))) if failures < PATIENCE => {
                failures += 1;
                event::socket_failed(site, &error);
                continue;
            }
            Some(Err(WireError::Io(error))) => return Err(ServeError::Socket(error)),
            None => return Ok(()),
        };
        poll_fn(|cx| service.poll_ready(cx))
            .await
            .map_err(ServeError::Service)?;
        let ack = service.call(beat).await.map_err(ServeError::Service)?;
        if let Err(error) = framed.send((ack, from)).await {
            event::socket_failed(site, &error);
        }
    }
}

/// Why [`serve`] ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError<E> {
    /// The socket fails all the time.
    #[error("the socket of the heartbeats: {0}")]
    Socket(#[source] io::Error),
    /// The service failed.
    #[error("the service of the heartbeats: {0}")]
    Service(E),
}

/// Sends beats to one observer. Is always ready.
#[derive(Clone, Debug)]
pub struct UdpClient {
    socket: Arc<UdpSocket>,
    observer: SocketAddr,
    listens: bool,
}

impl UdpClient {
    /// Sends and asks nothing: the reply is `None`, as soon as the datagram has left.
    ///
    /// Whoever does not listen does not hear that it was forgotten, and should begin a new life: see
    /// [`Verdict::Renew`](crate::Verdict::Renew).
    #[must_use]
    pub const fn new(socket: Arc<UdpSocket>, observer: SocketAddr) -> Self {
        Self {
            socket,
            observer,
            listens: false,
        }
    }

    /// Waits for the acknowledgement of each beat, without a bound of its own. The socket is to be used for nothing else.
    #[must_use]
    pub fn listening(self) -> Self {
        Self {
            listens: true,
            ..self
        }
    }
}

impl Service<Heartbeat> for UdpClient {
    type Response = Option<HeartbeatAck>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Option<HeartbeatAck>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, beat: Heartbeat) -> Self::Future {
        let Self {
            socket,
            observer,
            listens,
        } = self.clone();
        Box::pin(async move {
            let mut datagram = Vec::with_capacity(LONGEST);
            put_beat(&beat, &mut datagram);
            socket.send_to(&datagram, observer).await?;
            if !listens {
                return Ok(None);
            }
            loop {
                let mut datagram = [0; LONGEST + 1];
                let (length, from) = socket.recv_from(&mut datagram).await?;
                match read(&datagram[..length]) {
                    Ok(Message::Ack(ack)) if from == observer && ack.echo == beat.sent => {
                        return Ok(Some(ack));
                    }
                    // Others are late, or not for us.
                    _ => {}
                }
            }
        })
    }
}

//! A server that says what it is told to, and hears.

use tempfile::TempDir;
use tokio::net::UnixListener;

use std::pin::Pin;

use super::*;
use crate::{Acquire, Grant, Holder, Rank, Ttl};
use futures_util::FutureExt;

type Socket = Framed<UnixStream, LengthDelimitedCodec>;

const GRANTED: LeaseReply = LeaseReply::Granted(Grant {
    rank: Rank::new(0, 1),
    ttl: Duration::from_secs(2),
});

struct Server {
    socket: Socket,
    _folder: TempDir,
}

impl Server {
    async fn and_link() -> (Self, Link) {
        let folder = TempDir::new().unwrap();
        let path: Arc<Path> = folder.path().join("socket").into();
        let listener = UnixListener::bind(&path).unwrap();
        let accepted = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = Framed::new(stream, frames());
            let hello = ToClient::Hello {
                murphy_lease: FORMAT,
            };
            socket.send(encoded(&hello)).await.unwrap();
            socket
        };
        let (socket, link) = tokio::join!(accepted, Link::new(&path));
        let server = Self {
            socket,
            _folder: folder,
        };
        (server, link.unwrap())
    }

    /// What it hears next, but for who leaves.
    async fn hears(&mut self) -> Option<(u64, &'static str)> {
        loop {
            let frame = self.socket.next().await?.unwrap();
            if let ToServer::Ask { call, request } = serde_json::from_slice(&frame).unwrap() {
                return Some((call, request.verb()));
            }
        }
    }

    async fn says(&mut self, call: u64, reply: LeaseReply) {
        let reply = ToClient::Reply { call, reply };
        self.socket.send(encoded(&reply)).await.unwrap();
    }
}

fn acquire() -> LeaseRequest {
    LeaseRequest::Acquire(Acquire {
        lock: "orders".parse().unwrap(),
        nonce: Nonce::from_bits(1),
        ttl: Ttl::from_secs(2),
        claim: crate::Claim::Above(Rank::ZERO),
        wait: Duration::ZERO,
    })
}

type Asked = Pin<Box<dyn Future<Output = Option<Answer>>>>;

/// Asks, and is under way.
async fn asks(link: &Link, server: &mut Server) -> (Asked, u64) {
    let link = link.clone();
    let mut asked: Asked = Box::pin(async move { link.ask(acquire()).await });
    assert!((&mut asked).now_or_never().is_none());
    let (call, verb) = server.hears().await.unwrap();
    assert_eq!(verb, "acquire");
    (asked, call)
}

/// For one grant, both under way.
async fn asks_twice(link: &Link, server: &mut Server) -> [(Asked, u64); 2] {
    [asks(link, server).await, asks(link, server).await]
}

#[tokio::test]
async fn a_late_grant_of_what_was_asked_again_is_not_given_back() {
    let (mut server, link) = Server::and_link().await;
    let (first, one) = asks(&link, &mut server).await;
    drop(first);
    let (second, two) = asks(&link, &mut server).await;
    // As a server does that stood still: all at once.
    server.says(one, GRANTED).await;
    server.says(two, GRANTED).await;
    assert_eq!(second.await.unwrap().unwrap(), GRANTED);
    drop(link);
    assert_eq!(server.hears().await, None, "and it hangs up");
}

#[tokio::test]
async fn who_asked_last_gives_back_what_nobody_takes() {
    for is_heard in [false, true] {
        let (mut server, link) = Server::and_link().await;
        let (first, one) = asks(&link, &mut server).await;
        drop(first);
        let (second, two) = asks(&link, &mut server).await;
        server.says(one, GRANTED).await;
        if is_heard {
            // What is asked now is asked after it was heard.
            let (third, three) = asks(&link, &mut server).await;
            drop(third);
            server.says(three, GRANTED).await;
        }
        drop(second);
        server.says(two, GRANTED).await;
        drop(link);
        let heard = server.hears().await;
        assert_eq!(heard.map(|(_, verb)| verb), Some("release"), "{is_heard}");
    }
}

#[tokio::test]
async fn what_one_of_two_takes_the_other_does_not_give_back() {
    let (mut server, link) = Server::and_link().await;
    let [(first, one), (second, two)] = asks_twice(&link, &mut server).await;
    server.says(one, GRANTED).await;
    assert_eq!(first.await.unwrap().unwrap(), GRANTED);
    drop(second);
    server.says(two, GRANTED).await;
    drop(link);
    assert_eq!(server.hears().await, None);
}

#[tokio::test]
async fn a_grant_that_is_dropped_while_it_is_asked_for_again_is_left_to_that() {
    let (mut server, link) = Server::and_link().await;
    let [(first, one), (second, two)] = asks_twice(&link, &mut server).await;
    server.says(one, GRANTED).await;
    // It is there for it, unless the link has not heard it yet: it is left then, and the other answers for it.
    drop(first);
    server.says(two, GRANTED).await;
    assert_eq!(second.await.unwrap().unwrap(), GRANTED);
    drop(link);
    assert_eq!(server.hears().await, None);
}

fn held() -> LeaseReply {
    LeaseReply::Held(Holder {
        rank: Rank::new(0, 7),
        remaining: Duration::from_secs(1),
    })
}

/// Whatever is at hand for the link, it has taken.
async fn settled() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_one_took_is_not_given_back_by_another_that_was_answered_before() {
    let (mut server, link) = Server::and_link().await;
    let [(first, one), (second, two)] = asks_twice(&link, &mut server).await;
    server.says(one, GRANTED).await;
    server.says(two, GRANTED).await;
    assert_eq!(second.await.unwrap().unwrap(), GRANTED);
    drop(first);
    drop(link);
    assert_eq!(server.hears().await, None);
}

#[tokio::test]
async fn what_a_hedge_asks_again_and_leaves_is_not_given_back() {
    let (mut server, link) = Server::and_link().await;
    let (first, one) = asks(&link, &mut server).await;
    server.says(one, GRANTED).await;
    settled().await;
    let (second, two) = asks(&link, &mut server).await;
    assert_eq!(first.await.unwrap().unwrap(), GRANTED);
    drop(second);
    server.says(two, GRANTED).await;
    drop(link);
    assert_eq!(server.hears().await, None);
}

#[tokio::test]
async fn a_refused_repeat_leaves_the_first_to_give_back() {
    let (mut server, link) = Server::and_link().await;
    let [(first, one), (second, two)] = asks_twice(&link, &mut server).await;
    server.says(two, held()).await;
    assert_eq!(second.await.unwrap().unwrap(), held());
    drop(first);
    server.says(one, GRANTED).await;
    drop(link);
    let heard = server.hears().await;
    assert_eq!(heard.map(|(_, verb)| verb), Some("release"));
}

#[tokio::test]
async fn what_nobody_took_is_given_back_after_the_last_call_for_it_failed() {
    let (mut server, link) = Server::and_link().await;
    let [(first, one), (second, two)] = asks_twice(&link, &mut server).await;
    drop(second);
    server.says(one, GRANTED).await;
    settled().await;
    drop(first);
    settled().await;
    let why = "it was left".into();
    let failed = ToClient::Failed { call: two, why };
    server.socket.send(encoded(&failed)).await.unwrap();
    drop(link);
    let heard = server.hears().await;
    assert_eq!(heard.map(|(_, verb)| verb), Some("release"));
}

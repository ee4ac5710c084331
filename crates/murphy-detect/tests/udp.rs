//! Beats over UDP, on loopback.
#![cfg(feature = "udp")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{fixed, ms};
use murphy_core::order::NodeId;
use murphy_detect::wire::put_beat;
use murphy_detect::wire::udp::{UdpClient, serve};
use murphy_detect::{Event, Heartbeat, Heartbeater, Moment, Observer, Verdict};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use tower::{Service, ServiceExt};

const LONG: Duration = Duration::from_secs(30);

async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

fn beat(incarnation: u64, seq: u64) -> Heartbeat {
    Heartbeat {
        node: NodeId::try_new("db-1").unwrap(),
        incarnation,
        seq,
        sent: Moment::from_nanos(seq),
        interval: Duration::from_secs(1),
    }
}

#[tokio::test]
async fn a_beat_is_acknowledged_and_nonsense_is_not() {
    let observer = Observer::spawn("peers", fixed(30_000));
    let at = socket().await;
    let to = at.local_addr().unwrap();
    let service = observer.service();
    tokio::spawn(async move { serve(at, "peers", service).await });

    let socket = Arc::new(socket().await);
    for nonsense in [&b""[..], b"Mb", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 1400]] {
        socket.send_to(nonsense, to).await.unwrap();
    }
    let mut client = UdpClient::new(Arc::clone(&socket), to).listening();
    for (beat, want) in [
        (beat(7, 0), Verdict::Alive),
        (beat(7, 0), Verdict::Duplicate),
        (beat(6, 0), Verdict::Renew { known: 7 }),
        (beat(7, 1), Verdict::Alive),
    ] {
        let client = client.ready().await.unwrap();
        let ack = timeout(LONG, client.call(beat)).await.unwrap().unwrap();
        assert_eq!(ack.unwrap().verdict, want);
    }
    assert_eq!(observer.snapshot().len(), 1);
}

#[tokio::test]
async fn ten_thousand_hostile_datagrams_are_nothing_to_a_node() {
    let observer = Observer::spawn("peers", fixed(30_000));
    let at = socket().await;
    let to = at.local_addr().unwrap();
    let service = observer.service();
    tokio::spawn(async move { serve(at, "peers", service).await });

    let socket = Arc::new(socket().await);
    let mut client = UdpClient::new(Arc::clone(&socket), to).listening();
    let mut good = Vec::new();
    put_beat(&beat(7, u64::MAX), &mut good);
    for round in 0..100 {
        // A beat of ours with one bit that is another, at every place there is.
        for n in 0..100 {
            let (mut bad, bit) = (good.clone(), (round * 100 + n) % (good.len() * 8));
            bad[bit / 8] ^= 1 << (bit % 8);
            socket.send_to(&bad, to).await.unwrap();
        }
        let call = client.ready().await.unwrap().call(beat(7, round as u64));
        let ack = timeout(LONG, call).await.unwrap().unwrap();
        assert_eq!(ack.unwrap().verdict, Verdict::Alive, "{round}");
    }
    assert_eq!(observer.snapshot().len(), 1);
}

#[tokio::test]
async fn a_node_beats_over_udp() {
    let observer = Observer::spawn("peers", fixed(600));
    let mut events = observer.events();
    let at = socket().await;
    let to = at.local_addr().unwrap();
    let service = observer.service();
    tokio::spawn(async move { serve(at, "peers", service).await });

    let node = NodeId::try_new("db-1").unwrap();
    let client = UdpClient::new(Arc::new(socket().await), to);
    let beating = Heartbeater::new(node, ms(20)).unwrap().spawn(client);
    let up = timeout(LONG, events.next()).await.unwrap();
    assert!(matches!(up, Some(Ok(Event::Up { node: up, .. })) if up == node));
    drop(beating);
    loop {
        let event = timeout(LONG, events.next()).await.unwrap();
        if matches!(event, Some(Ok(Event::Down { .. }))) {
            break;
        }
    }
}

//! The stamp layer keeps tower's contract and its stack's types; over real HTTP it is tested in `tests`.

use std::io;

use murphy_core::ManualClock;
use murphy_core::clock::{Offset, Wall};
use murphy_core::order::{
    BadStamp, Hybrid, HybridStamp, Lamport, LamportStamp, LogicalClock, NodeId,
};
use murphy_core::stamp::{Carrier, Dropped, Stamp, StampLayer};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

/// A message is its stamp's text; an empty one has none.
#[derive(Clone, Copy, Debug)]
struct Text;

impl<T: ToString + std::str::FromStr<Err = BadStamp>> Carrier<String, T> for Text {
    fn get(&self, message: &String) -> Option<Result<T, BadStamp>> {
        (!message.is_empty()).then(|| message.parse())
    }

    fn set(&self, message: &mut String, stamp: T) {
        *message = stamp.to_string();
    }
}

fn node(name: &str) -> NodeId {
    name.parse().expect("a name")
}

fn dropped(unreadable: u64, refused: u64) -> Dropped {
    Dropped {
        unreadable,
        refused,
    }
}

#[tokio::test]
async fn a_client_stamps_its_request_and_observes_the_reply() {
    let clock = Lamport::new(node("web"));
    let layer = StampLayer::client(clock.clone(), Text);
    let (mut service, mut handle) = mock::spawn_layer::<String, String, _>(layer);
    assert_ready_ok!(service.poll_ready());
    let mut call = tokio_test::task::spawn(service.call(String::new()));
    let (request, reply) =
        assert_ready!(tokio_test::task::spawn(handle.next_request()).poll()).expect("a call");
    assert_eq!(request, "1@web");
    assert_pending!(call.poll());
    reply.send_response("7@bank".into());
    assert_eq!(assert_ready_ok!(call.poll()), "7@bank");
    assert_eq!(clock.tick(), LamportStamp::new(9, node("web")));
}

#[tokio::test]
async fn a_server_observes_the_request_and_stamps_its_reply() {
    let clock = Lamport::new(node("bank"));
    let layer = StampLayer::server(clock.clone(), Text);
    let (mut service, mut handle) = mock::spawn_layer::<String, String, _>(layer);
    assert_ready_ok!(service.poll_ready());
    let mut call = tokio_test::task::spawn(service.call("7@web".into()));
    let (request, reply) =
        assert_ready!(tokio_test::task::spawn(handle.next_request()).poll()).expect("a call");
    assert_eq!(request, "7@web", "as it came");
    assert_eq!(
        clock.tick().to_string(),
        "9@bank",
        "observed before the service runs"
    );
    reply.send_response(String::new());
    assert_eq!(
        assert_ready_ok!(call.poll()),
        "10@bank",
        "stamped after it ran"
    );
}

#[tokio::test]
async fn readiness_and_errors_are_the_inner_services() {
    let clock = Lamport::new(node("web"));
    let layer = StampLayer::client(clock.clone(), Text);
    let (mut service, mut handle) = mock::spawn_layer::<String, String, _>(layer);
    handle.allow(0);
    assert_pending!(service.poll_ready());
    assert_eq!(clock.tick().count(), 1, "waiting is no event");
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    let mut call = tokio_test::task::spawn(service.call(String::new()));
    let (_, reply) = handle.next_request().await.expect("a call");
    reply.send_error(io::Error::other("down"));
    let error = assert_ready_err!(call.poll());
    assert!(error.is::<io::Error>(), "{error}");
    assert_eq!(clock.tick().count(), 3, "an error brings no stamp");
    handle.send_error(io::Error::other("closed"));
    assert!(
        assert_ready_err!(service.poll_ready())
            .to_string()
            .contains("closed")
    );
}

#[tokio::test]
async fn the_instance_that_calls_is_the_one_that_was_readied() {
    /// Not ready before it was polled so, and never ready twice.
    #[derive(Debug)]
    struct Once(bool);
    impl Service<String> for Once {
        type Response = String;
        type Error = std::convert::Infallible;
        type Future = std::future::Ready<Result<String, Self::Error>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Self::Error>> {
            self.0 = true;
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: String) -> Self::Future {
            assert!(std::mem::take(&mut self.0), "not readied");
            std::future::ready(Ok(request))
        }
    }
    // Neither the service nor its clock can be cloned, and nobody asks for it.
    let mut stack: Stamp<Once, _, _> =
        StampLayer::server(Lamport::new(node("a")), Text).layer(Once(false));
    for _ in 0..3 {
        stack
            .ready()
            .await
            .expect("ready")
            .call(String::new())
            .await
            .expect("no error");
    }
}

#[tokio::test]
async fn what_cannot_be_believed_is_dropped_and_counted_and_the_call_goes_on() {
    let machine = ManualClock::new();
    let clock = Hybrid::over(machine.clone(), node("bank"));
    let layer = StampLayer::server(clock.clone(), Text);
    let echo = service_fn(|request: String| async { Ok::<_, io::Error>(request) });
    let service = layer.layer(echo);
    let second = Offset::from_nanos(1_000_000_000);
    let far = HybridStamp::new(Wall::EPOCH + second, 0, node("web"));
    for (request, want) in [
        (String::new(), dropped(0, 0)),
        ("1@web".into(), dropped(1, 0)),
        ("9".repeat(10_000), dropped(2, 0)),
        (far.to_string(), dropped(2, 1)),
        (
            HybridStamp::new(Wall::MAX, u32::MAX, node("web")).to_string(),
            dropped(2, 2),
        ),
    ] {
        let reply = service
            .clone()
            .oneshot(request)
            .await
            .expect("the call goes on");
        assert!(reply.ends_with("@bank"), "{reply}");
        assert_eq!(layer.clone().dropped(), want);
    }
    assert_eq!(clock.tick().wall(), Wall::EPOCH, "not moved");
    machine.jump(second);
    service.oneshot(far.to_string()).await.expect("no error");
    assert_eq!(
        (layer.dropped(), clock.tick().wall()),
        (dropped(2, 2), Wall::EPOCH + second)
    );
}

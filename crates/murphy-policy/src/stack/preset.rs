//! Stacks that fit most clients.

use std::time::Duration;

use tower_layer::Identity;

use super::{Sound, Stack};
use crate::{BreakerLayer, DeadlineLayer, IoClassify, RetryLayer, TimeoutLayer};
#[cfg(feature = "grpc")]
use crate::{
    Hints,
    grpc::{GrpcClassify, PeekTrailersLayer, PreviousAttempts},
};
#[cfg(feature = "http")]
use crate::{
    IdempotencyKeyLayer, SendDeadlineLayer,
    http::{AttemptHeader, HttpClassify, Recorded, ReplayBodyLayer},
    idempotency::KeyHeader,
    retry::Stamped,
};

/// How long a call through a preset may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long an attempt through a preset may take.
const ATTEMPT: Duration = Duration::from_secs(3);

/// How much of a request's body is kept to be sent again.
#[cfg(feature = "http")]
const MOST_BYTES: usize = 64 * 1024;

/// `Deadline > Retry > Breaker > Timeout`.
pub type Recommended = Sound<
    tower_layer::Stack<
        TimeoutLayer,
        tower_layer::Stack<
            BreakerLayer<IoClassify>,
            tower_layer::Stack<RetryLayer<IoClassify>, tower_layer::Stack<DeadlineLayer, Identity>>,
        >,
    >,
>;

impl Stack {
    /// For requests of any kind that can be cloned and may be repeated: ten seconds for a call; three
    /// attempts of three seconds, full jitter from 50 ms, a budget of a fifth; a breaker that opens at
    /// five failures in a row. Errors are judged by [`IoClassify`]; a request that must not be repeated
    /// needs another stack.
    ///
    /// One stack for each peer: its breaker and its budget are the peer's, and a client for several hosts beneath one
    /// stack loses all of them to the first that fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// use murphy_policy::{BoxError, Stack};
    /// use tower::{ServiceExt, service_fn};
    ///
    /// let stack = Stack::recommended();
    /// println!("{}", stack.report());
    /// let client = stack.service(service_fn(async |n: u32| Ok::<_, BoxError>(n + 1)));
    /// assert_eq!(client.oneshot(1).await.unwrap(), 2);
    /// # });
    /// ```
    #[must_use]
    pub fn recommended() -> Recommended {
        let stack = Self::new()
            .layer(DeadlineLayer::new(DEADLINE))
            .layer(RetryLayer::new().classify(IoClassify))
            .layer(BreakerLayer::new().classify(IoClassify))
            .layer(TimeoutLayer::new(ATTEMPT));
        stack.sound()
    }
}

/// `Deadline > ReplayBody > Retry > Breaker > Timeout > PeekTrailers > SendDeadline`.
#[cfg(feature = "grpc")]
pub type Grpc = Sound<
    tower_layer::Stack<
        SendDeadlineLayer,
        tower_layer::Stack<
            PeekTrailersLayer,
            tower_layer::Stack<
                TimeoutLayer,
                tower_layer::Stack<
                    BreakerLayer<GrpcClassify>,
                    tower_layer::Stack<
                        RetryLayer<GrpcClassify, Stamped<Recorded, PreviousAttempts>>,
                        tower_layer::Stack<
                            ReplayBodyLayer,
                            tower_layer::Stack<DeadlineLayer, Identity>,
                        >,
                    >,
                >,
            >,
        >,
    >,
>;

/// `Deadline > IdempotencyKey > ReplayBody > Retry > Breaker > Timeout > SendDeadline`.
#[cfg(feature = "http")]
pub type Http = Sound<
    tower_layer::Stack<
        SendDeadlineLayer,
        tower_layer::Stack<
            TimeoutLayer,
            tower_layer::Stack<
                BreakerLayer<HttpClassify>,
                tower_layer::Stack<
                    RetryLayer<HttpClassify, Stamped<Recorded, AttemptHeader>>,
                    tower_layer::Stack<
                        ReplayBodyLayer,
                        tower_layer::Stack<
                            IdempotencyKeyLayer<KeyHeader>,
                            tower_layer::Stack<DeadlineLayer, Identity>,
                        >,
                    >,
                >,
            >,
        >,
    >,
>;

/// With the `http` feature.
#[cfg(feature = "http")]
impl Stack {
    /// For an HTTP client: [`recommended`](Self::recommended), with replies judged by method and
    /// status, `Retry-After`, bodies of up to 64 KiB that are sent again, the number of the attempt in
    /// `x-envoy-attempt-count`, and what is left of the deadline.
    ///
    /// Its requests have a [`ReplayBody`](crate::http::ReplayBody): a client that is there already, for
    /// another type of body, wants `.map_request(|r: http::Request<_>| r.map(Body::new))` beneath it.
    ///
    /// One stack for each host, as [`recommended`](Self::recommended) says.
    ///
    /// Requests whose method is not idempotent get an `Idempotency-Key`, and are repeated: use it only
    /// with servers that know the key, such as those beneath an
    /// [`IdempotencyLayer`](crate::IdempotencyLayer).
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_policy::Stack;
    ///
    /// let stack = Stack::http();
    /// assert!(stack.report().to_string().starts_with(
    ///     "Deadline > IdempotencyKey > ReplayBody > Retry > Breaker > Timeout > SendDeadline"
    /// ));
    /// ```
    #[must_use]
    pub fn http() -> Http {
        let retry = RetryLayer::new()
            .classify(HttpClassify::new())
            .replay(Recorded)
            .stamping(AttemptHeader::envoy());
        let stack = Self::new()
            .layer(DeadlineLayer::new(DEADLINE))
            .layer(IdempotencyKeyLayer::new())
            .other("ReplayBody", ReplayBodyLayer::new(MOST_BYTES))
            .layer(retry)
            .layer(BreakerLayer::new().classify(HttpClassify::new()))
            .layer(TimeoutLayer::new(ATTEMPT))
            .other("SendDeadline", SendDeadlineLayer::new());
        stack.sound()
    }
}

/// With the `grpc` feature.
#[cfg(feature = "grpc")]
impl Stack {
    /// For a gRPC channel, beneath generated clients: [`recommended`](Self::recommended), with the
    /// status of replies wherever it is, pushback, bodies of up to 64 KiB that are sent again,
    /// `grpc-previous-rpc-attempts`, and `grpc-timeout` with what is left of the deadline.
    ///
    /// Its requests have a [`ReplayBody`](crate::http::ReplayBody): beneath it a channel wants
    /// `.map_request(|r: http::Request<_>| r.map(tonic::body::Body::new))`, and above it a generated
    /// client `.map_response(|r: http::Response<_>| r.map(tonic::body::Body::new))`.
    ///
    /// Repeats what was not done, and nothing else: it does not know which methods are safe to repeat. Say
    /// which with [`grpc_judged_by`](Self::grpc_judged_by), or give requests an `idempotency-key`; these are repeated as
    /// well when they were unavailable, lost their connection or timed out.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_policy::Stack;
    ///
    /// let stack = Stack::grpc();
    /// assert!(stack.report().to_string().starts_with(
    ///     "Deadline > ReplayBody > Retry > Breaker > Timeout > PeekTrailers > SendDeadline"
    /// ));
    /// ```
    #[must_use]
    pub fn grpc() -> Grpc {
        Self::grpc_judged_by(GrpcClassify::new())
    }

    /// [`grpc`](Self::grpc), with a classifier that knows more: which methods may be repeated, and after
    /// which codes.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_policy::{Stack, grpc::GrpcClassify};
    ///
    /// let reads = |path: &str| path.starts_with("/shop.Catalogue/Get");
    /// let stack = Stack::grpc_judged_by(GrpcClassify::new().idempotent(reads));
    /// ```
    #[must_use]
    pub fn grpc_judged_by(classify: GrpcClassify) -> Grpc {
        let retry = RetryLayer::new()
            .classify(classify.clone())
            .replay(Recorded)
            .stamping(PreviousAttempts)
            .hints(Hints::Exact);
        let stack = Self::new()
            .layer(DeadlineLayer::new(DEADLINE))
            .other("ReplayBody", ReplayBodyLayer::new(MOST_BYTES))
            .layer(retry)
            .layer(BreakerLayer::new().classify(classify))
            .layer(TimeoutLayer::new(ATTEMPT))
            .other("PeekTrailers", PeekTrailersLayer)
            .other("SendDeadline", SendDeadlineLayer::grpc());
        stack.sound()
    }
}

impl<L> Stack<L> {
    /// What is built here is sound: a test asks [`check`](super::check).
    pub(super) fn sound(self) -> Sound<L> {
        let report = super::Report::new(self.parts);
        let layers = self.layers;
        Sound { layers, report }
    }
}

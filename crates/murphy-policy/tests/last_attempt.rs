//! The last attempt never left: it is had once more, or the reason is the right one.

mod common;

use std::future::ready;
use std::io::{Error, ErrorKind};

use common::{BoxError, events, probe};
use murphy_policy::{
    Attempt, Backoff, CloneReplay, Factory, IoClassify, Once, Replay, RetryError, RetryLayer, find,
};
use tower::{Layer, ServiceExt};

/// What comes of three attempts, where the n-th request comes to `script[n - 1]`: what, after how
/// many requests, and what was said at the end.
async fn call<R>(
    replay: R,
    script: &'static [Option<ErrorKind>],
) -> (Result<u32, BoxError>, u32, Option<&'static str>)
where
    R: Replay<String, BoxError> + Clone,
{
    let service = probe(move |n| {
        ready(match script[n as usize - 1] {
            Some(kind) => Err(BoxError::from(Error::from(kind))),
            None => Ok(n),
        })
    });
    let retry = RetryLayer::new().classify(IoClassify).pace(Backoff::none());
    let call = retry.replay(replay).layer(service.clone());
    let (outcome, heard) = events(call.oneshot("charge".to_owned())).await;
    (outcome, service.calls(), heard.last().copied())
}

const RESET: Option<ErrorKind> = Some(ErrorKind::ConnectionReset);
const REFUSED: Option<ErrorKind> = Some(ErrorKind::ConnectionRefused);

/// As any replay that gives its last copy away when it is told that none can follow.
#[derive(Clone)]
struct Moves;

impl Replay<String, BoxError> for Moves {
    type Saved = Option<String>;

    fn split(&self, request: String, _: &Attempt) -> (String, Option<Option<String>>) {
        (request.clone(), Some(Some(request)))
    }

    fn next(
        &self,
        saved: &mut Option<String>,
        attempt: &Attempt,
        _: Option<&mut BoxError>,
    ) -> Option<String> {
        match attempt.is_last() {
            true => saved.take(),
            false => saved.clone(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_attempt_that_never_left_is_had_once_more() {
    async fn both<R: Replay<String, BoxError> + Clone>(name: &str, replay: R) {
        for (script, want) in [
            (&[RESET, RESET, REFUSED, None][..], 4),
            (&[REFUSED, RESET, RESET, None], 4),
            (&[RESET, REFUSED, RESET, None], 4),
        ] {
            let (outcome, calls, _) = call(replay.clone(), script).await;
            assert_eq!(
                (outcome.unwrap(), calls),
                (want, want),
                "{name}, {script:?}"
            );
        }
        for script in [
            &[RESET, RESET, REFUSED, REFUSED][..],
            &[RESET, RESET, REFUSED, RESET],
            &[REFUSED, RESET, RESET, REFUSED],
        ] {
            let (outcome, calls, end) = call(replay.clone(), script).await;
            let error = outcome.unwrap_err();
            let gave_up = find::<RetryError>(&*error);
            assert!(
                matches!(gave_up, Some(RetryError::Exhausted { attempts: 3, .. })),
                "{name}, {script:?}: {error}"
            );
            assert_eq!((calls, end), (4, Some("retry.exhausted")), "{name}");
        }
    }
    both("clones", CloneReplay).await;
    both("a closure", |request: &String| Some(request.clone())).await;
    both("one that moves its last", Moves).await;
    both("anew", Factory(|_: &Attempt| Some("charge".to_owned()))).await;
}

/// A replay that has no more is no other reason: it was the last attempt anyway.
#[tokio::test(start_paused = true)]
async fn a_last_attempt_without_a_copy_is_the_last_attempt() {
    let thrice = Factory(|attempt: &Attempt| (!attempt.is_last()).then(String::new));
    let (outcome, calls, end) = call(thrice, &[RESET, RESET, REFUSED]).await;
    let error = outcome.unwrap_err();
    let gave_up = find::<RetryError>(&*error);
    assert!(
        matches!(gave_up, Some(RetryError::Exhausted { attempts: 3, .. })),
        "{error}"
    );
    assert_eq!((calls, end), (3, Some("retry.exhausted")));

    let (outcome, calls, end) = call(Once, &[REFUSED]).await;
    assert!(find::<RetryError>(&*outcome.unwrap_err()).is_none());
    assert_eq!((calls, end), (1, Some("retry.not_replayable")));
}

//! Quorums: the rule by itself, and five services as one.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use murphy_quorum::{Decision, Outcome, Quorum, Round, Rule, Threshold, Verdict, Weighted};
use tower::Service;

use super::cases;
use crate::drive::{Run, awaited, ready};
use crate::service::{Broken, Hesitant, Prompt};

cases! {
    "quorum.rule" over "quorum.rule" {
        "bare": "three members and what they say, read and handed on" => handed(3);
        "murphy": "3 of 5: a round, and three who say yes" => majority(5);
        "murphy-7": "4 of 7" => majority(7);
        "murphy-16": "9 of 16" => majority(16);
        "murphy-weighted": "more than half of the weight of five" => weighted();
    }
    "quorum.service" over "nothing" {
        "murphy": "Quorum: 3 of 5 services that are ready" => ready(|| quorum(Prompt::default()));
        "futures-unordered": "five calls, until three have answered" => ready(|| Unordered(Prompt::default()));
        "join-all": "five calls, all of them" => ready(|| All(Prompt::default()));
    }
    "quorum.pends" over "nothing" {
        "murphy": "Quorum: 3 of 5 services that pend once" => awaited(|| quorum(Hesitant::default()));
        "futures-unordered": "five calls, until three have answered" => awaited(|| Unordered(Hesitant::default()));
        "join-all": "five calls, all of them" => awaited(|| All(Hesitant::default()));
    }
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn majority(members: usize) -> Run {
    let majority = Threshold::majority(members).expect("members");
    assert_eq!(
        asked(majority, members).map(|by| by.by.len()),
        Some(members / 2 + 1)
    );
    Box::new(move |calls| {
        for _ in 0..calls {
            _ = black_box(asked(black_box(majority), members));
        }
    })
}

/// What is handed to a round, and nothing that looks at it.
fn handed(needed: usize) -> Run {
    let majority = Threshold::majority(5).expect("members");
    Box::new(move |calls| {
        for _ in 0..calls {
            _ = black_box(black_box(majority));
            for member in 0..needed {
                let said = (black_box(member), black_box(Outcome::Yes(())));
                if let Outcome::No = said.1 {
                    break;
                }
            }
        }
    })
}

fn weighted() -> Run {
    let weighted = Weighted::majority([3, 1, 1, 1, 1]).expect("weights");
    Box::new(move |calls| {
        for _ in 0..calls {
            _ = black_box(asked(black_box(&weighted).clone(), 5));
        }
    })
}

/// One round, in which one after the other says yes, until it is decided.
#[inline(always)]
fn asked(rule: impl Rule<()>, members: usize) -> Option<Decision> {
    let mut round = Round::new(rule);
    for member in 0..members {
        let verdict = round.on(black_box(member), black_box(Outcome::Yes(())));
        if let Ok(Verdict::Decided(decision)) = verdict {
            return Some(decision);
        }
    }
    None
}

fn quorum<S: Clone>(service: S) -> Quorum<&'static str, S, Threshold> {
    let replicas = NAMES.map(|name| (name, service.clone()));
    let majority = Threshold::majority(5).expect("members");
    Quorum::try_new(replicas, majority).expect("five of them")
}

type Reply = Pin<Box<dyn Future<Output = Result<u64, Broken>>>>;

/// Five calls of clones, as one writes it by hand.
fn five<S: Service<u64, Response = u64, Error = Broken> + Clone>(
    service: &S,
    request: u64,
) -> impl Iterator<Item = S::Future> {
    (0..5).map(move |_| {
        let mut service = service.clone();
        let ready = service.poll_ready(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Ok(()))), "always ready");
        service.call(request)
    })
}

struct Unordered<S>(S);

impl<S> Service<u64> for Unordered<S>
where
    S: Service<u64, Response = u64, Error = Broken> + Clone,
    S::Future: 'static,
{
    type Response = u64;
    type Error = Broken;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Reply {
        let mut calls: FuturesUnordered<_> = five(&self.0, request).collect();
        Box::pin(async move {
            let mut last = Err(Broken);
            for _ in 0..3 {
                last = calls.next().await.unwrap_or(Err(Broken));
            }
            last
        })
    }
}

struct All<S>(S);

impl<S> Service<u64> for All<S>
where
    S: Service<u64, Response = u64, Error = Broken> + Clone,
    S::Future: 'static,
{
    type Response = u64;
    type Error = Broken;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Reply {
        let all = join_all(five(&self.0, request));
        Box::pin(async move { all.await.pop().unwrap_or(Err(Broken)) })
    }
}

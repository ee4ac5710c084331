//! What registers and voters say, over a wire and from a disk.
#![cfg(feature = "serde")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use murphy_quorum::register::{Ask, Register, Stored, Version, Versioned};
use murphy_quorum::{Outcome, Persisted, Quorum, Refusal, Threshold, Voter};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::{ServiceExt, service_fn};

/// There and back.
fn sent<T: Serialize + DeserializeOwned>(said: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec(said).unwrap()).unwrap()
}

fn words(said: &impl Serialize) -> String {
    serde_json::to_string(said).unwrap()
}

fn versioned() -> impl Strategy<Value = Versioned<String>> {
    let version = (any::<u64>(), any::<u64>());
    let version = version.prop_map(|(counter, writer)| Version { counter, writer });
    (version, any::<Option<String>>()).prop_map(|(version, value)| Versioned { version, value })
}

fn refusal() -> impl Strategy<Value = Refusal<String>> {
    prop_oneof![
        any::<(u64, u64)>().prop_map(|(asked, current)| Refusal::Stale { asked, current }),
        any::<(u64, String)>().prop_map(|(term, voted_for)| Refusal::Taken { term, voted_for }),
        any::<u64>().prop_map(|term| Refusal::LeaderAlive { term }),
    ]
}

proptest! {
    #[test]
    fn what_is_said_arrives_as_it_was_said(
        versioned in versioned(),
        term in any::<u64>(),
        voted_for in any::<Option<String>>(),
        refusal in refusal(),
    ) {
        for ask in [Ask::Read, Ask::Write(versioned.clone())] {
            prop_assert_eq!(sent(&ask), ask);
        }
        prop_assert_eq!(sent(&Stored::new(versioned.clone())), Stored::new(versioned.clone()));
        prop_assert_eq!(sent(&versioned), versioned);
        let persisted = Persisted { term, voted_for };
        // A voter's whole answer, either way.
        for answer in [Ok(persisted), Err(refusal)] {
            prop_assert_eq!(sent(&answer), answer);
        }
    }
}

#[test]
fn the_words_of_the_wire_are_these() {
    let version = Version {
        counter: 3,
        writer: 7,
    };
    let value = Some("blue");
    for (said, want) in [
        (words(&Ask::<u8>::Read), r#""Read""#),
        (
            words(&Ask::Write(Versioned { version, value })),
            r#"{"Write":{"version":{"counter":3,"writer":7},"value":"blue"}}"#,
        ),
        (
            words(&Stored::<u8>::default()),
            r#"{"version":{"counter":0,"writer":0},"value":null}"#,
        ),
        (
            words(&Persisted::<u8>::default()),
            r#"{"term":0,"voted_for":null}"#,
        ),
        (
            words(&Refusal::Taken {
                term: 4,
                voted_for: "n1",
            }),
            r#"{"Taken":{"term":4,"voted_for":"n1"}}"#,
        ),
    ] {
        assert_eq!(said, want);
    }
}

/// A disk that lost half a record must not make a voter that may vote twice.
#[test]
fn a_vote_that_is_missing_is_no_vote_that_was_not_given() {
    let read = serde_json::from_str::<Persisted<String>>;
    let e = read(r#"{"term":4}"#).unwrap_err();
    assert!(e.to_string().contains("missing field `voted_for`"), "{e}");
    assert_eq!(read(r#"{"term":4,"voted_for":null}"#).unwrap().term, 4);
    let read = serde_json::from_str::<Versioned<String>>;
    let e = read(r#"{"version":{"counter":4,"writer":1}}"#).unwrap_err();
    assert!(e.to_string().contains("missing field `value`"), "{e}");
}

#[tokio::test(start_paused = true)]
async fn a_register_and_an_election_go_over_a_wire() {
    let replica = || {
        let stored = Arc::new(Mutex::new(Stored::<String>::default()));
        service_fn(move |ask: Ask<String>| {
            let told = stored.lock().unwrap().on(sent(&ask));
            async move { Ok::<_, Infallible>(sent(&told)) }
        })
    };
    let replicas = ["a", "b", "c"].map(|name| (name, replica()));
    let mut register = Register::try_new(replicas, 1).unwrap();
    register.write("blue".to_owned()).await.unwrap();
    let read = register.read().await.unwrap();
    assert_eq!(read.into_value().as_deref(), Some("blue"));

    type Told = Result<Persisted<String>, Refusal<String>>;
    let voters = ["a", "b", "c"].map(|name| {
        let voter = Arc::new(Mutex::new(Voter::new(Persisted::default())));
        let asked = service_fn(move |(term, candidate): (u64, String)| {
            let told = voter.lock().unwrap().request(term, &candidate).cloned();
            async move { Ok::<_, Infallible>(sent::<Told>(&told)) }
        });
        (name, asked)
    });
    let judge = |told: Result<&Told, &Infallible>| match told {
        Ok(Ok(_)) => Outcome::Yes(()),
        Ok(Err(_)) => Outcome::No,
        Err(never) => match *never {},
    };
    let quorum = Quorum::try_new(voters, Threshold::majority(3).unwrap());
    let quorum = quorum.unwrap().judge(judge);
    let elect = |candidate: &str| quorum.clone().oneshot((1, candidate.to_owned()));
    elect("n1").await.unwrap();
    let e = elect("n2").await.unwrap_err();
    assert_eq!(e.why().no.len(), 2);
}

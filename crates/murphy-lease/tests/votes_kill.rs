//! Votes in a file, under `kill -9`: this program runs itself as the voter's process, and kills it.

#![cfg(feature = "file")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use murphy_core::mix;
use murphy_lease::{
    Candidate, FileVotes, NodeId, Nonce, Ttl, VoteAsk, VoteReply, VoteRequest, VoteSaid,
    VoterService,
};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

/// The file, for the child.
const FILE: &str = "MURPHY_TEST_VOTES_FILE";
const LIVES: u64 = 100;

/// So short that a voter that was restarted has waited for whoever may lead before it is asked.
const LEASE: Ttl = Ttl::from_millis(1);

fn id(name: &str) -> NodeId {
    NodeId::try_new(name).unwrap()
}

async fn ask(voter: &VoterService, ask: VoteAsk) -> VoteReply {
    let election = "primary".try_into().unwrap();
    let request = VoteRequest { election, ask };
    voter.clone().oneshot(request).await.unwrap()
}

/// A vote in this term, for who stands under this nonce; asked for until the voter waits for nobody else.
async fn vote(voter: &VoterService, term: u64, nonce: u128) -> VoteSaid {
    let nonce = Nonce::from_bits(nonce);
    loop {
        let (id, lease) = (id("a"), LEASE);
        let candidate = Candidate { id, nonce };
        let vote = VoteAsk::Vote {
            term,
            candidate,
            lease,
        };
        match ask(voter, vote).await.said {
            VoteSaid::Busy { remaining, .. } => sleep(remaining).await,
            said => return said,
        }
    }
}

async fn open(path: &Path) -> VoterService {
    let votes = FileVotes::open(path).await.unwrap();
    let voter = VoterService::open(id("v"), votes).await.unwrap();
    voter.longest(LEASE)
}

/// Votes in one term after the other until it is killed; each vote is printed before the next.
#[test]
fn a_child_votes_if_it_is_told_to() {
    if let Ok(path) = std::env::var(FILE) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        runtime.block_on(vote_for_ever(Path::new(&path)));
    }
}

async fn vote_for_ever(path: &Path) {
    let voter = open(path).await;
    let mut out = std::io::stdout().lock();
    let known = ask(&voter, VoteAsk::Observe).await.term;
    for term in known + 1.. {
        let said = vote(&voter, term, 1).await;
        assert!(matches!(said, VoteSaid::Granted { .. }), "{said:?}");
        writeln!(out, "vote {term}").unwrap();
        out.flush().unwrap();
    }
}

fn start(path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_votes_if_it_is_told_to", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// The next term in which it says that it voted; `None` at the end.
fn next(out: &mut impl BufRead) -> Option<u64> {
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        // A torn line says nothing.
        if let Some((_, term)) = line.split_once("vote ").filter(|_| line.ends_with('\n')) {
            return Some(term.trim().parse().unwrap());
        }
    }
}

#[test]
fn killed_at_random_points_it_votes_twice_in_no_term_and_forgets_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("votes");
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    runtime.block_on(async {
        let votes = FileVotes::open(&path).await.unwrap();
        VoterService::found(id("v"), votes).await.unwrap();
    });
    let mut last = 0;
    for life in 0..LIVES {
        let (mut child, mut out) = start(&path);
        // After so many votes, and within so many microseconds of what it does next.
        let chance = mix(life);
        let (votes, micros) = (chance % 8, chance >> 8 & 0x7FF);
        for _ in 0..votes {
            let term = next(&mut out).expect("it ended by itself");
            assert!(term > last, "{term} after {last}");
            last = term;
        }
        let moment = Instant::now() + Duration::from_micros(micros);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(term) = next(&mut out) {
            last = term;
        }
        runtime.block_on(async {
            let voter = open(&path).await;
            let known = ask(&voter, VoteAsk::Observe).await.term;
            assert!(known >= last, "voted in {last}, and knows of {known}");
            let another = vote(&voter, last, 2).await;
            let is_refused = matches!(another, VoteSaid::Taken | VoteSaid::Stale);
            assert!(is_refused || last == 0, "in {last}: {another:?}");
        });
    }
    assert!(last > LIVES, "{last}");
}

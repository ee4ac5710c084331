//! Codes and corpora survive what is added elsewhere: a site, a call, a layer.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use murphy_chaos::{Injection, ReplayCode, Stage, World};
use tower::{Layer, Service, service_fn};

use crate::BUGS;
use crate::harness::{Bug, Twin};
use crate::kit;

/// A service beside all others, behind sites and a fault layer of its own; and one more call at each site of old that a
/// code names.
async fn more(w: World, code: ReplayCode) {
    w.serve("audit", Router::new().route("/", post(StatusCode::OK)));
    let audit = w.client("audit");
    let mut books = w
        .site("audit->books")
        .layer()
        .layer(service_fn(async |(): ()| Ok::<_, ()>(())));
    for key in ["one more", "and another"] {
        let _ = kit::post(&audit, key, "/", "").await;
        let _ = books.call(()).await;
        for injection in &code.injections {
            if let Injection::Call { call, .. } = injection {
                w.site(&call.site).run(key, async || {}).await;
            }
        }
    }
}

fn grown(
    bug: Bug,
    code: &ReplayCode,
) -> impl Fn(World) -> futures_util::future::LocalBoxFuture<'static, ()> + Send + Sync + use<> {
    let code = code.clone();
    move |w| {
        let (before, code) = (w.clone(), code.clone());
        Box::pin(async move {
            let more = tokio::task::spawn_local(more(before, code));
            (bug.run)(w, Twin::Buggy).await;
            more.abort();
        })
    }
}

#[test]
fn a_code_repeats_its_bug_in_a_program_that_has_grown() {
    for bug in BUGS {
        let (_, failure) = bug.found();
        let replay = bug.exploration("grown").replay(failure.code.clone());
        let outcome = replay.run(grown(bug, &failure.code));
        let [again] = &outcome.failures[..] else {
            panic!("{}: one failure, not\n{outcome}", bug.name);
        };
        assert_eq!(again.fingerprint(), failure.fingerprint(), "{outcome}");
        assert_eq!(
            (again.stage, again.confirmed),
            (Stage::Replay, 3),
            "{outcome}"
        );
    }
}

#[test]
fn a_corpus_finds_its_bug_in_a_program_that_has_grown() {
    for bug in BUGS {
        let (_, failure) = bug.found();
        let file = format!("corpus-{}-{}.txt", bug.name, std::process::id());
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        std::fs::write(&file, failure.code.to_string()).expect("a file");
        let explored = bug.exploration("corpus").corpus(&file);
        let outcome = explored.run(grown(bug, &failure.code));
        let _ = std::fs::remove_file(file);
        let stages: Vec<_> = outcome.failures.iter().map(|f| f.stage).collect();
        assert_eq!(stages, [Stage::Corpus], "{}\n{outcome}", bug.name);
        assert_eq!(outcome.failures[0].code, failure.code, "{outcome}");
    }
}

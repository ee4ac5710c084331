//! An error says why, what it would have taken, and by name what became of each member.

use std::future::Future;
use std::time::Duration;

use murphy_quorum::{Dissemination, Outcome, Quorum, Standing, Threshold};
use tokio::time::sleep;
use tower::{Service, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

/// Answers so after so many milliseconds; never, where there are none.
fn member(
    answer: Result<u32, &'static str>,
    after: Option<u32>,
) -> impl Service<
    (),
    Response = u32,
    Error = &'static str,
    Future = impl Future<Output = Result<u32, &'static str>>,
> + Clone {
    service_fn(move |()| async move {
        match after {
            Some(after) => sleep(MS * after).await,
            None => std::future::pending().await,
        }
        answer
    })
}

fn judge(told: Result<&u32, &&'static str>) -> Outcome<u32> {
    match told {
        Ok(version) => Outcome::Yes(*version),
        Err(&"refused") => Outcome::No,
        Err(_) => Outcome::Unknown,
    }
}

#[tokio::test(start_paused = true)]
async fn it_names_who_agreed_who_refused_who_was_silent_and_who_was_not_heard() {
    let members = [
        ("a", member(Ok(1), Some(1))),
        ("b", member(Err("refused"), Some(2))),
        ("c", member(Err("reset"), Some(3))),
        ("d", member(Ok(1), None)),
        ("e", member(Err("refused"), Some(4))),
    ];
    let quorum = Quorum::try_new(members, Threshold::majority(5).unwrap());
    let e = quorum.unwrap().judge(judge).oneshot(()).await.unwrap_err();
    assert_eq!(
        e.to_string(),
        "impossible: 3 of 5 needed, 2 reachable, after 4ms; \
         yes: \"a\"; no: \"b\", \"e\"; silent: \"c\"; not heard: \"d\""
    );
    let outcomes = e.outcomes();
    let refused: Vec<_> = outcomes.who(Standing::No).collect();
    assert_eq!(refused, [&"b", &"e"]);
    for (name, standing, answer) in [
        ("a", Standing::Yes, Some(&Ok(()))),
        ("b", Standing::No, Some(&Err("refused"))),
        ("c", Standing::Unknown, Some(&Err("reset"))),
        ("d", Standing::Outstanding, None),
        ("x", Standing::Outsider, None),
    ] {
        assert_eq!(outcomes.standing(&name), standing, "{name}");
        assert_eq!(outcomes.answer(&name), answer, "{name}");
    }
    let all = format!("{e:?}");
    assert!(
        all.contains(r#""c": (Unknown, Some(Err("reset")))"#),
        "{all}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_names_who_lied() {
    let members = [
        ("a", member(Ok(1), Some(1))),
        ("b", member(Ok(9), Some(2))),
        ("c", member(Err("refused"), Some(3))),
        ("d", member(Ok(1), None)),
    ];
    let genuine = |version: &u32| *version < 9;
    let rule = Dissemination::try_new(4, 1, genuine, |version: &u32| *version).unwrap();
    let quorum = Quorum::try_new(members, rule).unwrap().judge(judge);
    let e = quorum.oneshot(()).await.unwrap_err();
    assert_eq!(
        e.to_string(),
        "impossible: 3 of 4 needed, 2 reachable, after 3ms; \
         yes: \"a\"; no: \"c\"; faulty: \"b\"; not heard: \"d\""
    );
}

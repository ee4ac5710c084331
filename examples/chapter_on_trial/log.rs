//! `DistributedLog`: what two machines log, sorted. B is logged because of A, a tenth of a second later.

use std::time::Duration;

use murphy_chaos::{Menu, World, always};
use murphy_core::clock::Clock;
use murphy_core::order::{Lamport, LogicalClock};
use tokio::time::sleep;

use crate::trial::Trial;

const PROMISE: &str = "a cause is listed before its effect";

pub(crate) fn trial() -> Trial {
    Trial {
        snippet: "DistributedLog",
        name: "log",
        chapter: |w| Box::pin(chapter(w)),
        twin: |w| Box::pin(twin(w)),
        made_of: "Lamport",
        // A second, as in the chapter.
        menu: Menu::only([]).outages([]).steps([1000, -1000]),
        breaks: &["step"],
    }
}

async fn chapter(w: World) -> Result<(), String> {
    let (one, two) = (w.node("machine-1").clock(), w.node("machine-2").clock());
    let mut events = vec![(two.wall(), "A")];
    tells(&w).await;
    events.push((one.wall(), "B"));
    is_in_order(events);
    Ok(())
}

async fn twin(w: World) -> Result<(), String> {
    let clock = |name| {
        // They are there to be set, and nobody looks.
        drop(w.node(name).clock());
        let node = name.parse().map_err(|e| format!("{name}: {e}"))?;
        Ok::<_, String>(Lamport::new(node))
    };
    let (one, two) = (clock("machine-1")?, clock("machine-2")?);
    let stamp = two.tick();
    let mut events = vec![(stamp, "A")];
    tells(&w).await;
    // The stamp came with the message.
    let heard = one.observe(&stamp).map_err(|e| e.to_string())?;
    events.push((heard, "B"));
    is_in_order(events);
    Ok(())
}

/// Machine 2 tells machine 1.
async fn tells(w: &World) {
    let message = async || sleep(Duration::from_millis(100)).await;
    w.site("machine-2->machine-1").run(1u64, message).await;
}

/// The chapter's `get_sorted_events`.
fn is_in_order<T: Ord>(mut events: Vec<(T, &str)>) {
    events.reverse(); // what arrived first is of no account
    events.sort_by(|(one, _), (other, _)| one.cmp(other));
    let sorted: String = events.into_iter().map(|(_, name)| name).collect();
    always!(sorted == "AB", PROMISE, "{sorted}");
}

//! One failure: the promise in big letters, what breaks it, how to see it again, and the run.

use humantime::format_duration;
use maud::{Markup, PreEscaped, html};

use super::{LONGEST, count, cut, lanes, millis};
use crate::outcome::Failure;
use crate::timeline::{Timeline, What};
use crate::words;

pub(super) fn article(n: usize, failure: &Failure) -> Markup {
    let violation = &failure.violation;
    let detail = violation.detail.trim_matches('\n');
    let at = millis(violation.at);
    html! {
        article.failure id=(format!("failure-{n}")) {
            p.kind { (violation.promise) " " span { "broken after " (at) } }
            h2 { bdi { (cut(&violation.name, LONGEST)) } }
            @if !detail.is_empty() && detail != violation.name {
                pre.detail tabindex="0" { (cut(detail, LONGEST)) }
            }
            (faults(failure))
            (again(failure))
            (run(failure))
            @if let Some(picture) = &failure.picture {
                section {
                    h3 { "The history that nothing explains" }
                    // The picture escapes what it shows.
                    div.scroll tabindex="0" role="region" aria-label="The illegal window" { (PreEscaped(picture.svg())) }
                    p.note { "The red operation cannot be explained by any order of the others; grey ones make no difference." }
                }
            }
        }
    }
}

fn faults(failure: &Failure) -> Markup {
    let minimal = if failure.is_minimal {
        ""
    } else {
        ", and there may be fewer"
    };
    let title = match failure.injections.len() {
        0 => "It takes nothing at all".to_owned(),
        1 => format!("It takes this{minimal}"),
        n => format!("It takes these {n}{minimal}"),
    };
    html! {
        section {
            h3 { (title) }
            ol.faults {
                @for injection in &failure.injections {
                    @let words = words::of(injection);
                    li {
                        strong { bdi { (cut(&words.what, 300)) } }
                        span.whose { bdi { (cut(&words.whose, 300)) } }
                        @if !words.meaning.is_empty() { span.meaning { (words.meaning) } }
                    }
                }
            }
            p.note {
                "Found in " (failure.stage)
                @if failure.found_with > failure.injections.len() {
                    ", among " (failure.found_with) " faults; shrunk in " (count(failure.replays as u64, "replay"))
                }
                "; came again " (failure.confirmed) " times of " (failure.of) "."
            }
            @if !failure.also.is_empty() {
                details {
                    summary { "Also broken by " (count(failure.also.len() as u64, "other cause")) }
                    ul { @for (cause, runs) in &failure.also { li { bdi { (cut(cause, 300)) } ", in " (count(*runs, "run")) } } }
                }
            }
        }
    }
}

fn again(failure: &Failure) -> Markup {
    html! {
        section {
            h3 { "See it again" }
            pre.command tabindex="0" { "MURPHY_REPLAY=" (failure.code) " cargo test" }
        }
    }
}

/// The run: lanes, and the same as a table.
fn run(failure: &Failure) -> Markup {
    let Some(transcript) = &failure.transcript else {
        return html! { p.note { "It did not come again, so there is no run to show." } };
    };
    let (events, records) = (&transcript.events, &transcript.records);
    let timeline = Timeline::new(events, records, &failure.exchanges, &failure.violation);
    let folded = |what: &What| matches!(what, What::Passed { .. } | What::LeftOut(_));
    let is_cut = timeline.rows.iter().any(|row| folded(&row.what));
    html! {
        section {
            h3 { "The run" }
            div.scroll tabindex="0" role="region" aria-label="The run: messages between lanes, time downwards" {
                (lanes::picture(&timeline, &failure.violation))
            }
            p.note {
                (count(timeline.calls as u64, "call")) ". "
                @if is_cut { "The run is cut: most of what nothing was done to is folded into lines that say how much. " }
                @if transcript.overflowed > 0 { (count(transcript.overflowed, "record")) " found no room in the ledger. " }
                "Time is virtual and runs downwards. A plain arrow is a message that nothing was done to; replies are drawn to clients of the world. "
                "Calls after the faults ended are not written down."
            }
            details {
                summary { "The same as a table" }
                div.scroll tabindex="0" role="region" aria-label="The run as a table" { (table(&timeline, failure)) }
            }
        }
    }
}

fn table(timeline: &Timeline, failure: &Failure) -> Markup {
    let lane = |lane: usize| timeline.lanes.get(lane).map_or("", String::as_str);
    html! {
        table.rows {
            thead { tr { th scope="col" { "at" } th scope="col" { "what" } th scope="col" { "call" } } }
            tbody {
                @for row in &timeline.rows {
                    @let at = format_duration(row.at);
                    @match &row.what {
                        What::Message(m) => tr {
                            td { (at) }
                            td {
                                bdi { (cut(lane(m.from), 80)) } " → " bdi { (cut(lane(m.to), 80)) }
                                @if !m.fate.is_empty() { ": " (cut(&m.fate, 200)) }
                            }
                            td { bdi { (cut(&m.call, 200)) } }
                        },
                        What::Deed { words, .. } => tr { td { (at) } td { bdi { (cut(words, 200)) } } td {} },
                        What::GaveUp { lane: who, call } => tr {
                            td { (at) }
                            td { bdi { (cut(lane(*who), 80)) } " gave up" }
                            td { bdi { (cut(call, 200)) } }
                        },
                        What::Passed { calls, replies } => tr { td { (at) } td { (super::passed(*calls, *replies)) } td {} },
                        What::LeftOut(n) => tr { td { (at) } td { (count(*n as u64, "row")) " left out" } td {} },
                        What::Broken => tr.broken {
                            td { (at) }
                            td { (failure.violation.promise) " broken: " bdi { (cut(&failure.violation.name, 300)) } }
                            td {}
                        },
                        What::Lands(_) => {},
                    }
                }
            }
        }
    }
}

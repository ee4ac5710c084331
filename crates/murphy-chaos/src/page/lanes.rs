//! The picture of a run: a lane a node, time downwards, an arrow a message.

mod mark;
mod scale;

use maud::{Markup, html};

use super::short;
use crate::promise::Violation;
use crate::timeline::{Message, Row, Timeline, What};
use mark::{head, late, lost, refused};
use scale::{GUTTER, HEAD, Scale};

/// About the width of two letters of a label.
const TWO_LETTERS: usize = 13;

pub(super) fn picture(timeline: &Timeline, broken: &Violation) -> Markup {
    let scale = Scale::new(timeline);
    let (width, height) = (scale.width, scale.height);
    let rows = || timeline.rows.iter().zip(&scale.rows);
    html! {
        svg.run xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}"))
            role="img" aria-label="Messages between lanes, time downwards; the same is in the table below" {
            @for (lane, name) in timeline.lanes.iter().enumerate() {
                @let x = scale.x(lane);
                line.life x1=(x) x2=(x) y1=(HEAD) y2=(height - HEAD) {}
                (name_of_lane(name, x, 4, scale.room))
                (name_of_lane(name, x, height - HEAD + 4, scale.room))
            }
            @for state in &scale.states {
                rect.state.(state.class) x=(scale.x(state.lane) - 5) width="10" y=(state.from) height=(state.to - state.from) rx="3" {}
            }
            @for (row, &y) in rows() { (draw(&scale, row, y, broken)) }
            @for (y, time) in &scale.times { text.time x=(GUTTER - 12) y=(y + 4) text-anchor="end" { (time) } }
        }
    }
}

fn name_of_lane(name: &str, x: usize, y: usize, room: usize) -> Markup {
    let shown = short(name, room / 8);
    let width = (shown.chars().count() * 8 + 20).min(room);
    html! {
        g {
            title { (short(name, 500)) }
            rect.name x=(x - width / 2) y=(y) width=(width) height="24" rx="6" {}
            text.name x=(x) y=(y + 16) text-anchor="middle" { (shown) }
        }
    }
}

fn draw(scale: &Scale, row: &Row, y: usize, broken: &Violation) -> Markup {
    let (left, right) = (GUTTER, scale.width - 8);
    let middle = (left + right) / 2;
    let room = (right - left) * 2 / TWO_LETTERS;
    match &row.what {
        What::Message(message) => arrow(scale, message, y),
        What::Lands(_) => html! {},
        What::Deed { lane, verb, words } => {
            let words = short(words, room);
            match lane {
                Some(lane) => html! {
                    circle.deed.(verb) cx=(scale.x(*lane)) cy=(y) r="4" {}
                    (beside(scale, *lane, y, &format!("deed {verb}"), &words))
                },
                None => html! {
                    line.deed.(verb) x1=(left) x2=(right) y1=(y) y2=(y) {}
                    text.deed.(verb) x=(middle) y=(y - 6) text-anchor="middle" { (words) }
                },
            }
        }
        What::Passed { calls, replies } => folded(left, right, y, &super::passed(*calls, *replies)),
        What::LeftOut(n) => folded(
            left,
            right,
            y,
            &format!("{} left out", super::count(*n as u64, "row")),
        ),
        What::GaveUp { lane, .. } => html! {
            circle.left cx=(scale.x(*lane)) cy=(y) r="4" {}
            (beside(scale, *lane, y, "left", "gave up"))
        },
        What::Broken => html! {
            line.broken x1=(left) x2=(right) y1=(y) y2=(y) {}
            text.broken x=(middle) y=(y - 8) text-anchor="middle" {
                (short(&format!("✕ {} broken: {}", broken.promise, broken.name), room * 5 / 6))
            }
        },
    }
}

/// Beside a lane, where there is room.
fn beside(scale: &Scale, lane: usize, y: usize, class: &str, words: &str) -> Markup {
    let x = scale.x(lane);
    let words = short(words, scale.spacing * 2 / TWO_LETTERS);
    html! {
        @if x + scale.spacing < scale.width {
            text class=(class) x=(x + 12) y=(y + 4) { (words) }
        } @else {
            text class=(class) x=(x - 12) y=(y + 4) text-anchor="end" { (words) }
        }
    }
}

fn folded(left: usize, right: usize, y: usize, words: &str) -> Markup {
    html! {
        rect.folded x=(left) width=(right - left) y=(y - 12) height="24" rx="4" {}
        text.folded x=((left + right) / 2) y=(y + 4) text-anchor="middle" { "⋮  " (words) "  ⋮" }
    }
}

fn arrow(scale: &Scale, message: &Message, y: usize) -> Markup {
    let (from, to) = (scale.x(message.from), scale.x(message.to));
    let class = mark::class(message.tone);
    // A call to oneself goes out, and comes back.
    let (to, label) = match from == to {
        true => (from + scale.spacing / 2, from + scale.spacing / 4),
        false => (to, (from + to) / 2),
    };
    let room = from.abs_diff(to) * 2 / TWO_LETTERS + 2;
    html! {
        g.message.(class) {
            title { (message.call) @if !message.fate.is_empty() { ": " (short(&message.fate, 500)) } }
            @match class {
                "lost" => (lost(from, to, y)),
                "refused" => (refused(from, to, y)),
                _ => @match scale.landing(message) {
                    Some(landing) => (late(from, to, y, landing)),
                    None => { line x1=(from) x2=(to) y1=(y) y2=(y) {} (head(from, to, y)) },
                },
            }
            @if message.fate.is_empty() {
                text.call x=(label) y=(y - 6) text-anchor="middle" { (short(&message.call, room)) }
            } @else {
                text.call x=(label) y=(y - 25) text-anchor="middle" { (short(&message.call, room)) }
                text.fate x=(label) y=(y - 11) text-anchor="middle" { (short(&message.fate, room)) }
            }
        }
    }
}

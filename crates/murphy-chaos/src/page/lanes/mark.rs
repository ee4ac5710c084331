//! How messages end: an arrow's head, a cross, a bar, a slope.

use maud::{Markup, html};

use super::scale::Landing;
use crate::timeline::Tone;

pub(super) const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Order => "order",
        Tone::Late => "late",
        Tone::Copy => "copy",
        Tone::Changed => "changed",
        Tone::Refused => "refused",
        Tone::Lost => "lost",
    }
}

/// The head of an arrow that arrives at `to`.
pub(super) fn head(from: usize, to: usize, y: usize) -> Markup {
    let back = toward(to, from, 9);
    html! { polygon points=(format!("{to},{y} {back},{} {back},{}", y - 4, y + 4)) {} }
}

/// It ends on the way, in a cross; what it never came to is dotted.
pub(super) fn lost(from: usize, to: usize, y: usize) -> Markup {
    let end = toward(from, to, from.abs_diff(to) * 6 / 10);
    html! {
        line x1=(from) x2=(end) y1=(y) y2=(y) {}
        line.rest x1=(end) x2=(to) y1=(y) y2=(y) {}
        path.cross d=(format!("M{} {} l14 14 m0 -14 l-14 14", end - 7, y - 7)) {}
    }
}

/// It comes to a closed door.
pub(super) fn refused(from: usize, to: usize, y: usize) -> Markup {
    let end = toward(to, from, 14);
    html! {
        line x1=(from) x2=(end) y1=(y) y2=(y) {}
        (head(from, end, y))
        line.door x1=(end) x2=(end) y1=(y - 9) y2=(y + 9) {}
    }
}

/// It arrives further down, or is still on its way at the end.
pub(super) fn late(from: usize, to: usize, y: usize, landing: Landing) -> Markup {
    let (Landing::At(end) | Landing::Never(end)) = landing;
    html! {
        @match landing {
            Landing::At(_) => { line x1=(from) x2=(to) y1=(y) y2=(end) {} (head(from, to, end)) },
            Landing::Never(_) => {
                line.rest x1=(from) x2=(toward(from, to, from.abs_diff(to) * 8 / 10)) y1=(y) y2=(end) {}
            },
        }
    }
}

/// From one place so far towards another.
const fn toward(from: usize, to: usize, by: usize) -> usize {
    if to > from { from + by } else { from - by }
}

//! The coverage table: places down, kinds of faults across.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{cut, number};
use crate::coverage::{Cell, Coverage};

/// The most places that are shown.
const MOST: usize = 200;

pub(super) fn section(coverage: &Coverage) -> Markup {
    let mut places: BTreeMap<&str, BTreeMap<&str, &Cell>> = BTreeMap::new();
    let mut kinds: BTreeSet<&str> = BTreeSet::new();
    for (place, kind, cell) in coverage.cells() {
        places.entry(place).or_default().insert(kind, cell);
        kinds.insert(kind);
    }
    if places.is_empty() {
        return html! {};
    }
    html! {
        section {
            h3 { "What was survived, of what struck" }
            div.scroll tabindex="0" role="region" aria-label="Coverage" {
                table.coverage {
                    thead { tr { th scope="col" { "place" } @for kind in &kinds { th scope="col" { (kind) } } } }
                    tbody {
                        @for (place, cells) in places.iter().take(MOST) {
                            tr {
                                th scope="row" { bdi { (cut(place, 80)) } }
                                @for kind in &kinds { (told(cells.get(kind).copied())) }
                            }
                        }
                    }
                }
            }
            @if places.len() > MOST { p.note { (places.len() - MOST) " further places are in report.txt." } }
            p.legend {
                span.all { "all survived" } span.some { "some broke a promise" } span.none { "none survived" }
                span.never { "never struck" } span.unable { "cannot" }
            }
        }
    }
}

fn told(cell: Option<&Cell>) -> Markup {
    let Some(cell) = cell else {
        return html! { td.not { } };
    };
    let class = match cell {
        Cell { unable: true, .. } => "unable",
        Cell { injected: 0, .. } => "never",
        Cell { survived: 0, .. } => "none",
        Cell {
            injected, survived, ..
        } if survived < injected => "some",
        _ => "all",
    };
    html! {
        td.(class) {
            @match class {
                "unable" => "cannot",
                "never" => "never",
                _ => { (number(cell.survived)) "/" (number(cell.injected)) },
            }
        }
    }
}

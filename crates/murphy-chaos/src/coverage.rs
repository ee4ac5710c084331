//! [`Coverage`]: which faults struck where, and what was survived.

use std::collections::BTreeMap;
use std::fmt;

use crate::injection::Injection;

/// What became of one kind of fault at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cell {
    /// How often it was planned by enumeration.
    pub planned: u64,
    /// In how many runs it struck, times how often in each.
    pub injected: u64,
    /// Of these, those in runs that kept all promises.
    pub survived: u64,
    /// Planned at a call that the run did not come to.
    pub never_reached: u64,
    /// The place cannot do it.
    pub unable: bool,
}

/// Places (sites, nodes, pairs of nodes) times kinds of faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    cells: BTreeMap<(String, &'static str), Cell>,
}

impl Coverage {
    /// The cells, by place and kind, sorted.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &'static str, &Cell)> {
        self.cells
            .iter()
            .map(|((place, kind), cell)| (place.as_str(), *kind, cell))
    }

    /// How often this kind struck, at all places.
    #[must_use]
    pub fn injected(&self, kind: &str) -> u64 {
        let of = self.cells.iter().filter(|((_, k), _)| *k == kind);
        of.map(|(_, cell)| cell.injected).sum()
    }

    pub(crate) fn unable(&mut self, place: &str, kind: &'static str) {
        self.cell(place, kind).unable = true;
    }

    pub(crate) fn planned(&mut self, injection: &Injection) {
        self.cell(&injection.place(), injection.kind()).planned += 1;
    }

    pub(crate) fn never_reached(&mut self, injection: &Injection) {
        self.cell(&injection.place(), injection.kind())
            .never_reached += 1;
    }

    pub(crate) fn struck(&mut self, injections: &[Injection], survived: bool) {
        for injection in injections {
            let cell = self.cell(&injection.place(), injection.kind());
            cell.injected += 1;
            cell.survived += u64::from(survived);
        }
    }

    fn cell(&mut self, place: &str, kind: &'static str) -> &mut Cell {
        self.cells.entry((place.to_owned(), kind)).or_default()
    }
}

/// A line a place.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for (place, kind, cell) in self.cells() {
            if place != last {
                let end = if last.is_empty() { "" } else { "\n" };
                write!(f, "{end}  {place}:")?;
                last = place;
            }
            match cell {
                Cell { unable: true, .. } => write!(f, "  {kind} unable")?,
                Cell { injected: 0, .. } => write!(f, "  {kind} never reached")?,
                Cell {
                    injected, survived, ..
                } => write!(f, "  {kind} {survived}/{injected}")?,
            }
        }
        if !last.is_empty() {
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use murphy_core::Key;

    use super::*;
    use crate::{CallId, Kind};

    #[test]
    fn what_struck_is_told_from_what_was_survived() {
        let of = |kind| Injection::Call {
            call: CallId {
                site: "a->b".into(),
                key: Key::new(1),
                occurrence: 0,
            },
            kind,
            magnitude: None,
        };
        let mut coverage = Coverage::default();
        coverage.unable("a->b", "refused");
        for kind in [Kind::LostReply, Kind::LostReply, Kind::LostRequest] {
            coverage.planned(&of(kind));
        }
        coverage.struck(&[of(Kind::LostReply)], true);
        coverage.struck(&[of(Kind::LostReply)], false);
        coverage.never_reached(&of(Kind::LostRequest));
        assert_eq!(
            coverage.to_string(),
            "  a->b:  lost-reply 1/2  lost-request never reached  refused unable\n"
        );
        assert_eq!(coverage.injected("lost-reply"), 2);
    }
}

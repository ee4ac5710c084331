//! Where everything is: lanes across, rows down, and what lasts from one row to another.

use std::time::Duration;

use humantime::format_duration;
use murphy_fault::Verb;

use crate::timeline::{Message, Row, Timeline, What};

/// Room for times, at the left.
pub(super) const GUTTER: usize = 84;
/// Room for the names of lanes, above and below.
pub(super) const HEAD: usize = 36;
/// From the edge to the first lane, and from the last.
const MARGIN: usize = 76;

pub(super) struct Scale {
    pub(super) width: usize,
    pub(super) height: usize,
    /// From lane to lane.
    pub(super) spacing: usize,
    /// For the name of a lane.
    pub(super) room: usize,
    /// Where each row is.
    pub(super) rows: Vec<usize>,
    /// Times, where they change.
    pub(super) times: Vec<(usize, String)>,
    pub(super) states: Vec<State>,
    /// By number of message.
    landings: Vec<(usize, usize)>,
}

/// A node that stands still or is down.
pub(super) struct State {
    pub(super) lane: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) class: &'static str,
}

/// Where a late message arrives.
#[derive(Clone, Copy)]
pub(super) enum Landing {
    At(usize),
    /// Not while the run is shown: this is where that ends.
    Never(usize),
}

impl Scale {
    pub(super) fn new(timeline: &Timeline) -> Self {
        let spacing = match timeline.lanes.len() {
            0..=3 => 290,
            4 => 260,
            _ => 195,
        };
        let lanes = timeline.lanes.len().max(1);
        // A call to oneself goes out to the right.
        let to_itself = |row: &Row| matches!(&row.what, What::Message(m) if m.from == m.to);
        let aside = match timeline.rows.iter().any(to_itself) {
            true => spacing / 2,
            false => 0,
        };
        let mut scale = Self {
            width: GUTTER + spacing * (lanes - 1) + 2 * MARGIN + aside,
            height: 0,
            spacing,
            room: (2 * MARGIN).min(spacing) - 12,
            rows: Vec::new(),
            times: Vec::new(),
            states: Vec::new(),
            landings: Vec::new(),
        };
        scale.place(timeline);
        scale
    }

    fn place(&mut self, timeline: &Timeline) {
        let mut y = HEAD;
        let mut last = None;
        for row in &timeline.rows {
            let pause = last.map_or(0, |last| gap(row.at.saturating_sub(last)));
            y += height(&row.what) + pause;
            if last != Some(row.at) {
                self.times.push((y, format_duration(row.at).to_string()));
            }
            last = Some(row.at);
            self.rows.push(y);
            match &row.what {
                What::Lands(number) => self.landings.push((*number, y)),
                What::Deed {
                    lane: Some(lane),
                    verb,
                    ..
                } => self.deed(*lane, *verb, y),
                _ => {}
            }
        }
        self.height = y + 26 + HEAD;
        let end = self.height - HEAD;
        self.states
            .iter_mut()
            .filter(|state| state.to == 0)
            .for_each(|state| state.to = end);
    }

    /// A state begins, or the last of the lane ends.
    fn deed(&mut self, lane: usize, verb: Verb, y: usize) {
        let class = match verb {
            Verb::Pause => "pause",
            Verb::Crash => "crash",
            Verb::Resume | Verb::Restart => {
                let mut states = self.states.iter_mut().rev();
                if let Some(state) = states.find(|s| s.lane == lane && s.to == 0) {
                    state.to = y;
                }
                return;
            }
            _ => return,
        };
        self.states.push(State {
            lane,
            from: y,
            to: 0,
            class,
        });
    }

    pub(super) fn x(&self, lane: usize) -> usize {
        GUTTER + MARGIN + self.spacing * lane
    }

    /// Where the message arrives, if not where it departs.
    pub(super) fn landing(&self, message: &Message) -> Option<Landing> {
        message.lands?;
        let mut landings = self.landings.iter();
        let found = landings.find(|(number, _)| *number == message.number);
        let end = self.rows.last().copied().unwrap_or(HEAD);
        Some(found.map_or(Landing::Never(end), |(_, y)| Landing::At(*y)))
    }
}

fn height(what: &What) -> usize {
    match what {
        What::Message(message) if message.fate.is_empty() => 31,
        What::Message(_) => 54,
        What::Lands(_) => 14,
        What::Deed { .. } | What::Passed { .. } | What::LeftOut(_) => 32,
        What::GaveUp { .. } => 26,
        What::Broken => 44,
    }
}

/// A little for a little time, and not much more for a long one.
fn gap(time: Duration) -> usize {
    match time.as_millis() {
        0 => 0,
        ms => 6 + 5 * ms.ilog10() as usize,
    }
}

#[cfg(test)]
mod tests {
    use murphy_fault::Leg;

    use super::*;
    use crate::timeline::tests::{broken, event, secs, struck, watched};

    #[test]
    fn a_state_lasts_until_it_ends_or_the_picture_does() {
        let events = [
            event(1, Verb::Pause, "pay"),
            event(2, Verb::Resume, "pay"),
            event(3, Verb::Crash, "pay"),
        ];
        let timeline = Timeline::new(&events, &[], &[], &broken(secs(4)));
        let scale = Scale::new(&timeline);
        let [paused, down] = &scale.states[..] else {
            panic!("two states")
        };
        assert_eq!((paused.from, paused.to), (scale.rows[0], scale.rows[1]));
        assert_eq!((down.from, down.to), (scale.rows[2], scale.height - HEAD));
    }

    #[test]
    fn a_late_message_arrives_further_down_or_not_at_all() {
        let call = watched("api->pay", 0, secs(0));
        let by = |n| {
            [
                call.clone(),
                struck(&call, "latency", Leg::Request, Some(secs(n))),
            ]
        };
        let landing = |n, at: u64| {
            let timeline = Timeline::new(&[], &by(n), &[], &broken(secs(at)));
            let scale = Scale::new(&timeline);
            let messages = timeline.rows.iter().find_map(|row| match &row.what {
                What::Message(message) => Some(message.clone()),
                _ => None,
            });
            (
                scale.landing(&messages.expect("a message")),
                scale.rows.clone(),
            )
        };
        let (at, rows) = landing(2, 9);
        assert!(matches!(at, Some(Landing::At(y)) if y == rows[1]));
        assert_eq!(landing(2, 9).1.len(), 3);
        let (at, rows) = landing(9, 2);
        assert!(
            matches!(at, Some(Landing::Never(y)) if y == rows[1]),
            "{rows:?}"
        );
    }
}

//! The image: lanes, bars and labels.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Bar, Picture, Tone, escaped};

const LANE: usize = 34;
const BAR: usize = 22;
const TOP: usize = 30;
/// Room for the names of processes.
const LEFT: usize = 110;
/// About the width of a letter.
const LETTER: usize = 7;
/// The longest label that is made room for.
const LONGEST: usize = 60;

pub(super) fn image(picture: &Picture) -> String {
    let bars = &picture.bars;
    let processes: Vec<u64> = sorted(bars.iter().map(|bar| bar.process));
    let ends = bars.iter().filter_map(|bar| bar.returned);
    let events: Vec<u64> = sorted(bars.iter().map(|bar| bar.called).chain(ends));
    let scale = Scale {
        column: column(bars, &events),
        events,
    };
    // A bar without an end runs to the edge.
    let width = LEFT + scale.column * (scale.events.len() + 1);
    let height = TOP + LANE * processes.len() + 10;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"ui-monospace,monospace\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"18\" fill=\"#666\">events, in their order, to the right</text>\n"
    );
    for (lane, process) in processes.iter().enumerate() {
        let y = TOP + lane * LANE + LANE / 2;
        _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{width}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#eee\"/>\
             <text x=\"10\" y=\"{}\" fill=\"#333\">process {}</text>",
            y + 4,
            cut(&process.to_string(), 6)
        );
    }
    // The witness is drawn last, over the others.
    let mut order: Vec<&Bar> = bars.iter().collect();
    order.sort_by_key(|bar| std::cmp::Reverse(bar.tone));
    for bar in order {
        let lane = processes.partition_point(|process| *process < bar.process);
        draw(
            &mut svg,
            bar,
            TOP + lane * LANE + (LANE - BAR) / 2,
            (&scale, width),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

struct Scale {
    column: usize,
    events: Vec<u64>,
}

impl Scale {
    fn x(&self, event: u64) -> usize {
        LEFT + self.column * self.events.partition_point(|e| *e < event)
    }
}

fn draw(svg: &mut String, bar: &Bar, y: usize, (scale, edge): (&Scale, usize)) {
    let (fill, stroke, ink) = match bar.tone {
        Tone::Stuck => ("#e05b4b", "#8f2417", "#fff"),
        Tone::Shown => ("#4b8fe0", "#174b8f", "#fff"),
        Tone::Around => ("#ececec", "#bbb", "#888"),
    };
    let from = scale.x(bar.called);
    let to = bar.returned.map_or(edge, |returned| scale.x(returned));
    let width = (to - from).max(scale.column / 2);
    let dashed = match bar.returned {
        Some(_) => "",
        None => " stroke-dasharray=\"4 3\"",
    };
    let label = cut(&bar.label, width.saturating_sub(8) / LETTER);
    _ = writeln!(
        svg,
        "<g><title>process {}: {}</title><rect x=\"{from}\" y=\"{y}\" width=\"{width}\" height=\"{BAR}\" rx=\"3\" \
         fill=\"{fill}\" stroke=\"{stroke}\"{dashed}/><text x=\"{}\" y=\"{}\" fill=\"{ink}\">{}</text></g>",
        bar.process,
        escaped(&cut(&bar.label, 1_000)),
        from + 4,
        y + 15,
        escaped(&label)
    );
}

/// So wide that each label of the witness fits.
fn column(bars: &[Bar], events: &[u64]) -> usize {
    let of = |event: u64| events.partition_point(|e| *e < event);
    let wanted = |bar: &Bar| {
        let end = bar.returned.map_or(events.len() + 1, of);
        let columns = (end - of(bar.called)).max(1);
        (bar.label.chars().count().min(LONGEST) * LETTER + 12).div_ceil(columns)
    };
    let witness = bars.iter().filter(|bar| bar.tone != Tone::Around);
    witness.map(wanted).max().unwrap_or(0).clamp(24, 240)
}

fn sorted(events: impl Iterator<Item = u64>) -> Vec<u64> {
    events.collect::<BTreeSet<u64>>().into_iter().collect()
}

/// At most so many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    if most > 0 {
        short.push('…');
    }
    short
}

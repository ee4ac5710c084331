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
/// Light, and dark where that is preferred: by itself and within a page, whose other images it leaves alone.
const STYLE: &str = "<style>\
    .murphy-window{--paper:#fff;--line:#e4e4e7;--dim:#5f6368;--ink:#27272a;--around:#ececee;--edge:#b4b4ba;--shown:#2f6fd0;\
    --shown-edge:#174b8f;--stuck:#c93a2b;--stuck-edge:#8f2417}\
    @media (prefers-color-scheme:dark){.murphy-window{--paper:#17181c;--line:#2c2e35;--dim:#a1a5ad;--ink:#e4e4e7;\
    --around:#2a2c33;--edge:#50535c;--shown:#3a6fc4;--shown-edge:#8fb4ef;--stuck:#bf3b2e;--stuck-edge:#f29a8f}}\
    .murphy-window .paper{fill:var(--paper)}.murphy-window .lane{stroke:var(--line)}.murphy-window text{fill:var(--ink)}\
    .murphy-window .dim{fill:var(--dim)}.murphy-window .around{fill:var(--around);stroke:var(--edge)}\
    .murphy-window .shown{fill:var(--shown);stroke:var(--shown-edge)}.murphy-window .stuck{fill:var(--stuck);stroke:var(--stuck-edge)}\
    .murphy-window .on{fill:#fff}</style>";

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
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"murphy-window\" role=\"img\" \
         aria-label=\"The illegal window: a lane a process, a bar an operation\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"ui-monospace,monospace\" font-size=\"12\">\n{STYLE}\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"dim\" x=\"10\" y=\"18\">events, in their order, to the right</text>\n"
    );
    for (lane, process) in processes.iter().enumerate() {
        let y = TOP + lane * LANE + LANE / 2;
        _ = writeln!(
            svg,
            "<line class=\"lane\" x1=\"{LEFT}\" x2=\"{width}\" y1=\"{y}\" y2=\"{y}\"/>\
             <text x=\"10\" y=\"{}\">process {}</text>",
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
    let (class, ink) = match bar.tone {
        Tone::Stuck => ("stuck", "on"),
        Tone::Shown => ("shown", "on"),
        Tone::Around => ("around", "dim"),
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
        "<g><title>process {}: {}</title><rect class=\"{class}\" x=\"{from}\" y=\"{y}\" width=\"{width}\" \
         height=\"{BAR}\" rx=\"3\"{dashed}/><text class=\"{ink}\" x=\"{}\" y=\"{}\">{}</text></g>",
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

//! [`Picture`]: an illegal window, drawn.

mod svg;

use crate::model::{Model, OperationOf};
use crate::{Outcome, Witness};

/// The illegal window of a history: a lane a process, a bar an operation, the witness in colour.
///
/// Time runs to the right, by events: a bar begins at its call and ends at its return, and one
/// whose outcome is unknown has no end. It is a page or an image in one file, without scripts, and whatever was recorded
/// is escaped.
///
/// # Limits
///
/// It shows [`MOST`](Self::MOST) operations: the witness, and of the others around it those that are nearest to where it got stuck.
///
/// # Examples
///
/// ```
/// use murphy_check::model::counter::{Counter, Reply, Request};
/// use murphy_check::{History, Picture, check};
///
/// let history = History::new();
/// let read = history.call(1, Request::Read)?;
/// history.done(read, Reply::Value(7))?;
/// let operations = history.operations();
/// let verdict = check(&Counter, &operations);
/// let picture = Picture::new(&Counter, &operations, verdict.witness().expect("illegal"));
/// assert!(picture.svg().contains("read -&gt; 7"));
/// # Ok::<(), murphy_check::Misuse>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    bars: Vec<Bar>,
    key: Option<String>,
    left_out: usize,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bar {
    process: u64,
    label: String,
    called: u64,
    returned: Option<u64>,
    tone: Tone,
}

/// What an operation is to the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tone {
    Stuck,
    Shown,
    Around,
}

impl Picture {
    /// The most operations that are drawn.
    pub const MOST: usize = 200;

    /// Of a witness, and of the history that it is of.
    pub fn new<M: Model>(
        model: &M,
        history: &[OperationOf<M>],
        witness: &Witness<M::Key, M::Request, M::Reply>,
    ) -> Self {
        let called = |at: &usize| history.get(*at).map(OperationOf::<M>::called);
        let from = witness.places.iter().filter_map(called).min().unwrap_or(0);
        let stuck = history.get(witness.stuck);
        let to = stuck.and_then(|o| o.returned()).unwrap_or(u64::MAX);
        let mut bars = Vec::new();
        for (at, operation) in history.iter().enumerate() {
            let is_shown = witness.places.contains(&at);
            let is_about = witness.key.is_none() || model.key(operation.request()) == witness.key;
            let happened = !matches!(operation.outcome(), Outcome::Failed);
            let is_within = operation.called() <= to
                && operation.returned().is_none_or(|returned| returned >= from);
            let is_around = is_about && happened && is_within;
            if !is_shown && !is_around {
                continue;
            }
            bars.push(Bar {
                process: operation.process(),
                label: model.show(operation.request(), operation.reply()),
                called: operation.called(),
                returned: operation.returned(),
                tone: match is_shown {
                    true if at == witness.stuck => Tone::Stuck,
                    true => Tone::Shown,
                    false => Tone::Around,
                },
            });
        }
        // The witness first, then what was called last.
        bars.sort_by_key(|bar| (bar.tone.min(Tone::Shown) != bar.tone, u64::MAX - bar.called));
        let left_out = bars.len().saturating_sub(Self::MOST);
        bars.truncate(Self::MOST);
        bars.sort_by_key(|bar| (bar.called, bar.process));
        let key = witness.key.as_ref().map(|key| format!("{key:?}"));
        Self {
            bars,
            key,
            left_out,
        }
    }

    /// As an SVG image.
    pub fn svg(&self) -> String {
        svg::image(self)
    }

    /// As an HTML page under this title, with the image and the witness in words.
    pub fn html(&self, title: &str) -> String {
        let title = escaped(title);
        let key = self.key.as_ref().map_or(String::new(), |key| {
            format!("<p>Key <code>{}</code>.</p>\n", escaped(key))
        });
        let left_out = match self.left_out {
            0 => String::new(),
            n => format!("<p>{n} operations around it are left out.</p>\n"),
        };
        let mut rows = String::new();
        for bar in self.bars.iter().filter(|bar| bar.tone != Tone::Around) {
            let class = if bar.tone == Tone::Stuck {
                "stuck"
            } else {
                "shown"
            };
            let returned = bar.returned.map_or("never".to_owned(), |r| r.to_string());
            rows.push_str(&format!(
                "<tr class=\"{class}\"><td>{}</td><td>{returned}</td><td>{}</td><td><code>{}</code></td></tr>\n",
                bar.called,
                bar.process,
                escaped(&bar.label)
            ));
        }
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
             <p>Illegal: no order of these operations explains them. The red one cannot be explained; up to its return \
             all was well. Grey ones happened around them, and make no difference.</p>\n{key}{left_out}\
             <div class=\"window\" tabindex=\"0\" role=\"region\" aria-label=\"The illegal window\">\n{}</div>\n\
             <div class=\"rows\" tabindex=\"0\" role=\"region\" aria-label=\"The witness\">\n<table>\n<tr><th>called at event</th><th>returned at</th><th>process</th><th>operation</th></tr>\n{rows}</table>\n</div>\n\
             </body>\n</html>\n",
            self.svg()
        )
    }
}

const STYLE: &str = ":root{color-scheme:light dark}\
    body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#222;background:#fff}\
    h1{line-height:1.2;overflow-wrap:anywhere}p{max-width:46rem;overflow-wrap:anywhere}\
    .window,.rows{overflow-x:auto;border:1px solid #ddd;border-radius:6px}.rows{border:0;margin-top:1rem}\
    table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #eee}.stuck{background:#fbe3e0}\
    @media (prefers-color-scheme:dark){body{color:#e4e4e7;background:#101114}.window{border-color:#2c2e35}\
    td,th{border-color:#2c2e35}tr.stuck{background:#4a1c17}}";

/// Text within a document: nothing in it is markup, and what no document may contain is shown as U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

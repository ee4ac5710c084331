//! The page: what an exploration came to, in one HTML file without scripts and without anything from elsewhere.
//!
//! Whatever came from the test is text: templates escape it, and the page's own policy forbids scripts, images and
//! requests, so that a promise called `</script><b>` is a promise with an odd name.

mod coverage;
mod failure;
mod lanes;

use std::time::Duration;

use humantime::{FormattedDuration, format_duration};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::outcome::{Outcome, Verdict};

/// The most failures that a page shows.
const MOST_FAILURES: usize = 20;
/// The longest text of one kind, in characters.
const LONGEST: usize = 16 << 10;
const STYLE: &str = include_str!("page/style.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Outcome {
    /// As a page in one HTML file: promises, faults in words, lanes over time, coverage, and what to type to see it again.
    ///
    /// It has no scripts and needs nothing from elsewhere; whatever the test named is escaped. It shows at most 20
    /// failures, of each run what was done and a little around it (about 240 rows), of each text 16 Ki characters, and
    /// says what it left out.
    #[must_use]
    pub fn to_html(&self) -> String {
        let word = word(self.verdict);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width,initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { (cut(&self.name, 80)) " " (word) " – murphy" }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    (self.header(word))
                    main { (self.body()) }
                    (self.footer())
                }
            }
        };
        page.into_string()
    }

    fn header(&self, word: &str) -> Markup {
        html! {
            header {
                p.brand { "murphy" }
                h1 { bdi { (cut(&self.name, 200)) } }
                p.verdict.(word) { (word) }
                p.sums {
                    (count(self.runs, "run")) " in " (millis(self.took))
                    @if self.calls > 0 { " · " (count(self.calls as u64, "call")) " a run" }
                }
            }
        }
    }

    fn body(&self) -> Markup {
        let shown = self.failures.len().min(MOST_FAILURES);
        html! {
            @if shown > 1 {
                nav aria-label="Failures" {
                    ol {
                        @for (n, failure) in self.failures.iter().take(shown).enumerate() {
                            li { a href=(format!("#failure-{n}")) { bdi { (cut(&failure.violation.name, 120)) } } }
                        }
                    }
                }
            }
            @for (n, failure) in self.failures.iter().take(shown).enumerate() {
                (failure::article(n, failure))
            }
            @if shown < self.failures.len() {
                p.note { (self.failures.len() - shown) " further failures are in report.txt." }
            }
            (reasons("failure", "NOT GREEN", &self.gaps))
            (reasons("undecided", "UNDECIDED", &self.undecided))
            (self.parts())
            (coverage::section(&self.coverage))
        }
    }

    fn parts(&self) -> Markup {
        html! {
            section {
                h3 { "What was tried" }
                ul.parts {
                    @for phase in &self.phases {
                        li.(if phase.failed > 0 { "bad" } else { "good" }) { (phase) }
                    }
                }
                @if !self.marks.is_empty() {
                    ul.parts {
                        @for (name, mark) in self.marks.iter().take(100) {
                            li.(if mark.held == 0 { "bad" } else { "good" }) {
                                "sometimes “" bdi { (cut(name, 200)) } "”: "
                                (number(mark.held)) " of " (number(mark.met))
                            }
                        }
                    }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        let at = self.called_at;
        html! {
            footer {
                p { "Explored at " code { (at.file()) ":" (at.line()) } " with " code { "MURPHY_SEED=" (self.seed) } }
                @for note in self.notes.iter().take(20) { p { bdi { (cut(note, 500)) } } }
                p { "Beside this page: " code { "report.txt" } ", and of each failure its code, its plan and its ledger." }
            }
        }
    }
}

/// Why it is not green, though no promise was broken.
fn reasons(class: &str, kind: &str, reasons: &[String]) -> Markup {
    html! {
        @if !reasons.is_empty() {
            article.(class) {
                p.kind { (kind) }
                @for reason in reasons.iter().take(MOST_FAILURES) { p.reason { bdi { (cut(reason, LONGEST)) } } }
                @if reasons.len() > MOST_FAILURES {
                    p.note { (reasons.len() - MOST_FAILURES) " further reasons are in report.txt." }
                }
            }
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Undecided => "undecided",
    }
}

/// At most so many characters, and what is left out is said.
fn cut(text: &str, most: usize) -> String {
    let over = text.chars().count().saturating_sub(most);
    if over == 0 {
        return seen(text.chars());
    }
    let kept = seen(text.chars().take(most));
    format!("{kept}… ({} characters more)", number(over as u64))
}

/// At most so many characters, where there is no room to say more.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return seen(text.chars());
    }
    seen(text.chars().take(most.saturating_sub(1))) + "…"
}

/// What cannot be seen, and turns what can be seen around, is shown as U+FFFD.
fn seen(text: impl Iterator<Item = char>) -> String {
    let is_hidden = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

fn millis(time: Duration) -> FormattedDuration {
    format_duration(Duration::from_millis(time.as_millis() as u64))
}

/// `12,345`.
fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn count(n: u64, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {what}{s}", number(n))
}

/// What a fold holds.
fn passed(calls: usize, replies: usize) -> String {
    match calls {
        0 => count(replies as u64, "message"),
        n => format!("{} that nothing was done to", count(n as u64, "call")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_texts_an_end() {
        for (n, want) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1234567, "1,234,567"),
        ] {
            assert_eq!(number(n), want);
        }
        assert_eq!(count(1, "run"), "1 run");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 2), "äö… (2 characters more)");
        assert_eq!(cut("a\u{202e}b\0c\nd", 9), "a\u{fffd}b\u{fffd}c\nd");
        assert_eq!((short("äöüß", 3), short("", 0)), ("äö…".into(), "".into()));
    }
}

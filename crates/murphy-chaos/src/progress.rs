//! How far an exploration has come: a bar on a terminal, plain lines elsewhere, and nothing of what is quickly done.

#[cfg(feature = "progress")]
use std::io::IsTerminal;
use std::time::Duration;

use tokio::time::Instant;

use crate::crew::now;
use crate::outcome::Phase;

/// Nothing is said before.
const PATIENCE: Duration = Duration::from_secs(2);
/// The least time from line to line.
const LINES: Duration = Duration::from_secs(5);

/// Says how far it has come, on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    name: String,
    next: Instant,
    out: Out,
}

#[derive(Debug)]
enum Out {
    Nowhere,
    Lines,
    #[cfg(feature = "progress")]
    Bar(indicatif::ProgressBar),
}

impl Progress {
    /// `wanted`: whether to say anything; by default, if nobody else does (see [`is_alone`]).
    pub(crate) fn new(name: &str, wanted: Option<bool>) -> Self {
        let out = match wanted.unwrap_or_else(is_alone) {
            false => Out::Nowhere,
            #[cfg(feature = "progress")]
            true if std::io::stderr().is_terminal() => Out::Bar(bar()),
            true => Out::Lines,
        };
        Self {
            name: name.to_owned(),
            next: now() + PATIENCE,
            out,
        }
    }

    /// One more run of this part was made, and so many failures were found in all.
    pub(crate) fn tell(&mut self, phase: &Phase, failures: usize) {
        if matches!(self.out, Out::Nowhere) {
            return;
        }
        let now = now();
        if now < self.next {
            return;
        }
        match &self.out {
            Out::Nowhere => {}
            Out::Lines => {
                self.next = now + LINES;
                eprintln!("{}", line(&self.name, phase, failures));
            }
            #[cfg(feature = "progress")]
            Out::Bar(bar) => {
                bar.set_length(phase.of.unwrap_or(phase.tried.max(1)));
                bar.set_position(phase.tried);
                bar.set_message(line(&self.name, phase, failures));
            }
        }
    }
}

/// The bar goes, and what comes next has the terminal for itself.
#[cfg(feature = "progress")]
impl Drop for Progress {
    fn drop(&mut self) {
        if let Out::Bar(bar) = &self.out {
            bar.finish_and_clear();
        }
    }
}

#[cfg(feature = "progress")]
fn bar() -> indicatif::ProgressBar {
    use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
    use std::sync::LazyLock;

    /// All bars of the process, one below the other.
    static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
    let style = ProgressStyle::with_template("{bar:24} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    BARS.add(ProgressBar::no_length().with_style(style))
}

/// Whether nobody else is heard: the main thread explores, as in a program, or a test's output is not captured. A test
/// whose output is captured is silent when all is well.
fn is_alone() -> bool {
    let is_main = std::thread::current().name() == Some("main");
    let asks = |word: &str| matches!(word, "--nocapture" | "--no-capture");
    is_main || std::env::args_os().any(|word| word.to_str().is_some_and(asks))
}

/// `murphy: orders: 812 of 1,840 pairs tried; 1 failure`. On one line, whatever the name holds.
fn line(name: &str, phase: &Phase, failures: usize) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    let found = match failures {
        0 => String::new(),
        1 => "; 1 failure".into(),
        n => format!("; {n} failures"),
    };
    let Phase {
        stage, tried, of, ..
    } = phase;
    match of {
        Some(of) => format!("murphy: {name}: {tried} of {of} {stage} tried{found}"),
        None => format!("murphy: {name}: {tried} {stage}{found}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Stage;

    #[test]
    fn a_line_is_one_line_and_says_what_was_found() {
        let phase = |of| Phase {
            stage: Stage::Pairs,
            tried: 812,
            of,
            failed: 1,
        };
        let told = line("or\n\x1b[31mders", &phase(Some(1840)), 1);
        assert_eq!(
            told,
            "murphy: or[31mders: 812 of 1840 pairs tried; 1 failure"
        );
        assert_eq!(line("a", &phase(None), 0), "murphy: a: 812 pairs");
    }

    #[test]
    fn a_test_whose_output_is_captured_is_not_alone() {
        let captured = std::thread::Builder::new().name("a::test".into());
        let asked = std::env::args().any(|word| word.contains("capture"));
        let alone = captured.spawn(is_alone).expect("a thread").join();
        assert_eq!(alone.expect("no panic"), asked);
    }
}

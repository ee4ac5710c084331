//! Annotations on GitHub: what is not green, at the line that explores.

use crate::outcome::Outcome;

/// Asks for annotations, as a builder's [`annotate`](crate::Explore::annotate) does.
pub const ANNOTATE_VARIABLE: &str = "MURPHY_ANNOTATE";

/// What GitHub shows of one step.
const MOST: usize = 10;
/// The longest message.
const LONGEST: usize = 2_000;

/// Whether this is GitHub, and somebody asked.
pub(crate) fn is_wanted(asked: bool) -> bool {
    let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|v| v == *value);
    let set = std::env::var_os(ANNOTATE_VARIABLE).is_some_and(|v| !v.is_empty() && v != *"0");
    is("GITHUB_ACTIONS", "true") && (asked || set)
}

/// A line an annotation.
pub(crate) fn lines(outcome: &Outcome) -> Vec<String> {
    let failures = outcome.failures.iter().map(|failure| {
        let title = failure.violation.promise.to_string();
        (title, failure.to_string())
    });
    let gaps = outcome
        .gaps
        .iter()
        .map(|gap| ("not green".into(), gap.clone()));
    let undecided = outcome.undecided.iter();
    let undecided = undecided.map(|why| ("undecided".into(), why.clone()));
    let at = outcome.called_at;
    let all = failures.chain(gaps).chain(undecided);
    all.take(MOST)
        .map(|(title, message): (String, String)| {
            let message: String = message.chars().take(LONGEST).collect();
            format!(
                "::error file={},line={},title={}::{}",
                property(&at.file().replace('\\', "/")),
                at.line(),
                property(&format!("murphy {}: {title}", outcome.name)),
                data(&message)
            )
        })
        .collect()
}

/// The message of a workflow command: one line, and nothing in it is another command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command, in which colons and commas mean something too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_command() {
        let hostile = "100%\r\n::error file=/etc/passwd,line=1::owned";
        assert_eq!(
            data(hostile),
            "100%25%0D%0A::error file=/etc/passwd,line=1::owned"
        );
        assert_eq!(
            property(hostile),
            "100%25%0D%0A%3A%3Aerror file=/etc/passwd%2Cline=1%3A%3Aowned"
        );
    }
}

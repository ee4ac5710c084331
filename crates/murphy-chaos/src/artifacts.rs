//! What an exploration leaves in its directory, `target/murphy/<name>/`.
//!
//! It describes the last exploration of the name: what an earlier one left is overwritten, or removed. Only the codes of
//! `corpus.txt` stay.

use std::fs;
use std::io;
use std::path::Path;

use crate::files::{Files, one_line, read};
use crate::outcome::Outcome;

/// Ends of the names of a failure's files.
const ENDS: [&str; 3] = ["code", "plan.toml", "ledger.jsonl"];
const PAGE: &str = "index.html";

impl Files {
    /// Writes what there is to say of `outcome`, and says in its notes what is where, or why it is not. Never changes
    /// the verdict.
    pub(crate) fn report(&self, outcome: &mut Outcome) {
        if outcome.phases.is_empty() {
            // It skipped itself: what is there is another one's.
            return;
        }
        let directory = self.target.display().to_string();
        let written = fs::create_dir_all(&self.target).map_err(|e| (directory.clone(), e));
        let written = written.and_then(|()| self.write_all(outcome));
        match written {
            Err((file, e)) => outcome.notes.push(format!(
                "`{file}` could not be written: {e}; what was found is in this report only"
            )),
            Ok(()) if outcome.passed() => {}
            Ok(()) => {
                let page = match cfg!(feature = "html") {
                    true => format!("to look at it: {}", self.target.join(PAGE).display()),
                    false => format!("report and ledgers are in {directory}"),
                };
                outcome.notes.push(page);
            }
        }
        if !outcome.failures.is_empty() {
            outcome.notes.push(format!(
                "to keep a failure in the corpus, add its code to {}",
                self.corpus.display()
            ));
        }
    }

    /// The page comes last, so that where it is, all it speaks of is.
    fn write_all(&self, outcome: &Outcome) -> Result<(), (String, io::Error)> {
        let write = |name: &str, text: &str| {
            let path = self.target.join(name);
            fs::write(&path, text).map_err(|e| (path.display().to_string(), e))
        };
        self.tidy(outcome.failures.len(), outcome.passed())
            .map_err(|e| (self.target.display().to_string(), e))?;
        #[cfg(feature = "junit")]
        write("junit.xml", &outcome.to_junit())?;
        write("report.txt", &outcome.to_string())?;
        for (n, failure) in outcome.failures.iter().enumerate() {
            let name = |end: &str| format!("failure-{n}.{end}");
            write(&name(ENDS[0]), &format!("{}\n", failure.code))?;
            write(&name(ENDS[1]), &failure.plan.to_toml())?;
            if let Some(transcript) = &failure.transcript {
                let mut ledger = Vec::new();
                let text = transcript.write_json_lines(&mut ledger);
                text.map_err(|e| (name(ENDS[2]), e))?;
                write(&name(ENDS[2]), &String::from_utf8_lossy(&ledger))?;
            }
        }
        if let Some(corpus) = self.longer_corpus(outcome) {
            write("corpus.txt", &corpus)?;
        }
        #[cfg(feature = "html")]
        if !outcome.passed() {
            write(PAGE, &outcome.to_html())?;
        }
        Ok(())
    }

    /// The codes that the next exploration begins with, if there are new ones.
    fn longer_corpus(&self, outcome: &Outcome) -> Option<String> {
        let known = read(&self.target.join("corpus.txt")).unwrap_or_default();
        let mut corpus = known.clone();
        for failure in &outcome.failures {
            let code = failure.code.to_string();
            if !corpus.lines().any(|line| line.trim() == code) {
                corpus.push_str(&format!("# {}\n{code}\n", one_line(&failure.fingerprint())));
            }
        }
        (corpus != known).then_some(corpus)
    }

    /// Removes what an earlier exploration left, and this one does not overwrite.
    fn tidy(&self, failures: usize, passed: bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.target)? {
            let path = entry?.path();
            let is_stale = |name: &str| match number(name) {
                Some(n) => n >= failures,
                None => passed && name == PAGE,
            };
            if path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(is_stale)
            {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The number in a name that is one of ours.
fn number(name: &str) -> Option<usize> {
    let (number, end) = name.strip_prefix("failure-")?.split_once('.')?;
    ENDS.contains(&end).then(|| number.parse().ok())?
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        // Somebody else was quicker.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_files_are_known_by_their_names() {
        for (name, want) in [
            ("failure-0.code", Some(0)),
            ("failure-12.ledger.jsonl", Some(12)),
            ("failure-1.plan.toml", Some(1)),
            ("failure-1.txt", None),
            ("failure-x.code", None),
            ("failures.code", None),
            ("corpus.txt", None),
        ] {
            assert_eq!(number(name), want, "{name}");
        }
    }
}

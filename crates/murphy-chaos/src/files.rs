//! Where failures are kept: codes of old ones, and the directory of new ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::code::ReplayCode;

/// The most codes of one corpus that are replayed.
const MOST_CODES: usize = 1024;
/// The most lines that are no code, before a corpus is taken for something else.
const MOST_NOTES: usize = 1024;
/// The longest file of codes that is read.
const LONGEST: u64 = 4 << 20;

/// The two places that an exploration reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// Kept with the code, and only read: `tests/murphy-corpus/<name>.txt`.
    pub(crate) corpus: PathBuf,
    /// `target/murphy/<name>/`.
    pub(crate) target: PathBuf,
}

impl Files {
    /// The usual places, from where the tests of a crate run.
    pub(crate) fn of(name: &str) -> Self {
        let name = plain(name);
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or(PathBuf::new(), PathBuf::from);
        Self {
            corpus: package
                .join("tests/murphy-corpus")
                .join(format!("{name}.txt")),
            target: target(&package).join("murphy").join(name),
        }
    }

    /// The codes of both places, and what could not be read.
    pub(crate) fn codes(&self, name: &str) -> Codes {
        let without = format!("{name}-without-");
        let Codes {
            mut codes,
            mut notes,
            mut broken,
        } = Codes::default();
        for (path, broken) in [
            // Somebody relies on what is in it.
            (&self.corpus, &mut broken),
            (&self.target.join("corpus.txt"), &mut notes),
        ] {
            let text = match read(path) {
                Ok(text) => text,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => {
                    broken.push(format!("corpus `{}` cannot be read: {e}", path.display()));
                    continue;
                }
            };
            // A line is a code, or a remark.
            let lines = text.lines().map(str::trim).zip(1..);
            for (line, n) in lines.filter(|(l, _)| !l.is_empty() && !l.starts_with('#')) {
                if broken.len() == MOST_NOTES {
                    broken.push(format!(
                        "corpus `{}`: the rest from line {n} on is not read",
                        path.display()
                    ));
                    break;
                }
                match line.parse::<ReplayCode>() {
                    // What an ablation finds without a policy guards nothing, and is not meant to.
                    Ok(code) if code.name.starts_with(&without) => {}
                    Ok(code) if code.name != name => broken.push(format!(
                        "corpus `{}`, line {n}: the code is of `{}`",
                        path.display(),
                        code.name
                    )),
                    Ok(code) if codes.contains(&code) => {}
                    Ok(_) if codes.len() == MOST_CODES => {
                        broken.push(format!("corpus: only {MOST_CODES} codes are replayed"));
                        break;
                    }
                    Ok(code) => codes.push(code),
                    Err(e) => broken.push(format!("corpus `{}`, line {n}: {e}", path.display())),
                }
            }
        }
        Codes {
            codes,
            notes,
            broken,
        }
    }
}

/// What is in a corpus.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    pub(crate) codes: Vec<ReplayCode>,
    /// What could not be read of what an earlier exploration left.
    pub(crate) notes: Vec<String>,
    /// What could not be read of what is kept with the code: it guards nothing.
    pub(crate) broken: Vec<String>,
}

pub(crate) fn read(path: &Path) -> io::Result<String> {
    use io::Read;

    let mut text = String::new();
    fs::File::open(path)?
        .take(LONGEST)
        .read_to_string(&mut text)?;
    Ok(text)
}

pub(crate) fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A name that is a file's name everywhere: of at most 100 characters and 200 bytes, as names end at 255.
fn plain(name: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let mut bytes = 0;
    let fits = |c: &char| {
        bytes += c.len_utf8();
        bytes <= 200
    };
    let name: String = name.chars().map(plain).take(100).take_while(fits).collect();
    if name.chars().all(|c| c == '.') {
        "_".into()
    } else {
        name
    }
}

/// The build's directory: as cargo was told, else beside the lock file.
fn target(package: &Path) -> PathBuf {
    if let Some(told) = std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
        return package.join(told);
    }
    let root = package
        .ancestors()
        .find(|dir| dir.join("Cargo.lock").is_file());
    root.unwrap_or(package).join("target")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_files_name() {
        for (name, want) in [
            ("orders", "orders"),
            ("a/b c", "a_b_c"),
            ("..", "_"),
            ("", "_"),
            (&"ü".repeat(120), &"ü".repeat(100)),
            (&"訂".repeat(120), &"訂".repeat(66)),
        ] {
            assert_eq!(plain(name), want);
        }
    }

    #[test]
    fn of_a_file_that_is_no_corpus_little_is_kept() {
        let name = format!("murphy-no-corpus-{}", std::process::id());
        let files = Files {
            corpus: std::env::temp_dir().join(&name),
            target: std::env::temp_dir().join(name).join("none"),
        };
        fs::write(&files.corpus, "x\n".repeat(2 << 20)).expect("a file");
        let read = files.codes("a");
        fs::remove_file(&files.corpus).expect("it is there");
        assert_eq!((read.codes.len(), read.broken.len()), (0, MOST_NOTES + 1));
    }
}

//! What the command line says.

use std::fs;
use std::path::PathBuf;

use lexopt::prelude::*;
use murphy_check::read::Edn;
use murphy_check::{Checker, Picture};

pub(crate) const USAGE: &str = "\
usage: murphy-check [OPTIONS] MODEL FILE...

models:
  register       :read :write
  cas-register   :read :write :cas
  mutex          :acquire :release
  key-value      :get :put :append, each with a :key
  counter        :add :read
  set            :add :read
  queue          :enqueue :dequeue

options:
  --initial VALUE   what a register holds at first, in EDN; without it, nil or 0 in EDN histories
                    (legal from either is legal), and nil in logs
  --steps N         give up after so many steps (default 100000000)
  --mebibytes N     give up beyond so much memory (default 256)
  --svg FILE        draw the first illegal history's window
  --html FILE       the same as a page
  -h, --help        this
  -V, --version     the version

A FILE is a Jepsen history in EDN, or jepsen.util's log lines; `-` is the standard input. Exit: 0 legal,
1 illegal, 2 unknown.
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelName {
    Register,
    CasRegister,
    Mutex,
    KeyValue,
    Counter,
    Set,
    Queue,
}

const MODELS: &[(&str, ModelName)] = &[
    ("register", ModelName::Register),
    ("cas-register", ModelName::CasRegister),
    ("cas", ModelName::CasRegister),
    ("mutex", ModelName::Mutex),
    ("key-value", ModelName::KeyValue),
    ("kv", ModelName::KeyValue),
    ("counter", ModelName::Counter),
    ("set", ModelName::Set),
    ("queue", ModelName::Queue),
];

pub(crate) struct Args {
    pub(crate) model: ModelName,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) initial: Option<Edn>,
    pub(crate) checker: Checker,
    svg: Option<PathBuf>,
    html: Option<PathBuf>,
}

pub(crate) enum Asked {
    Check(Args),
    Say(String),
}

impl Args {
    pub(crate) fn parse() -> Result<Asked, String> {
        Self::read(lexopt::Parser::from_env()).map_err(|e| e.to_string())
    }

    fn read(mut parser: lexopt::Parser) -> Result<Asked, lexopt::Error> {
        let (mut model, mut initial) = (None, None);
        let (mut files, mut svg, mut html) = (Vec::new(), None, None);
        let mut checker = Checker::new();
        while let Some(arg) = parser.next()? {
            match arg {
                Short('h') | Long("help") => return Ok(Asked::Say(USAGE.to_owned())),
                Short('V') | Long("version") => {
                    let version = concat!("murphy-check ", env!("CARGO_PKG_VERSION"), "\n");
                    return Ok(Asked::Say(version.to_owned()));
                }
                Long("initial") => initial = Some(value(&parser.value()?.string()?)?),
                Long("steps") => checker = checker.steps(parser.value()?.parse()?),
                Long("mebibytes") => {
                    let mebibytes: usize = parser.value()?.parse()?;
                    checker = checker.bytes(mebibytes.saturating_mul(1 << 20));
                }
                Long("svg") => svg = Some(parser.value()?.into()),
                Long("html") => html = Some(parser.value()?.into()),
                Value(name) if model.is_none() => model = Some(named(&name.string()?)?),
                Value(file) => files.push(file.into()),
                other => return Err(other.unexpected()),
            }
        }
        let Some(model) = model else {
            return Err("which model?".into());
        };
        if files.is_empty() {
            return Err("which files?".into());
        }
        Ok(Asked::Check(Self {
            model,
            files,
            initial,
            checker,
            svg,
            html,
        }))
    }

    /// Writes the picture where it is wanted.
    pub(crate) fn draw(&self, picture: &Picture, title: &str) -> Result<(), String> {
        let write = |path: &PathBuf, text: String| {
            fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
        };
        if let Some(path) = &self.svg {
            write(path, picture.svg())?;
        }
        if let Some(path) = &self.html {
            write(path, picture.html(title))?;
        }
        Ok(())
    }
}

fn named(name: &str) -> Result<ModelName, String> {
    if let Some((_, model)) = MODELS.iter().find(|(n, _)| *n == name) {
        return Ok(*model);
    }
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let nearest = MODELS
        .iter()
        .map(|(known, _)| *known)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let nearest = nearest.unwrap_or_default();
    Err(format!("`{name}` is no model; did you mean `{nearest}`?"))
}

fn value(text: &str) -> Result<Edn, String> {
    text.parse().map_err(|e| format!("--initial {text}: {e}"))
}

//! [`Edn`]: a value of a history.

mod forms;

use std::fmt;
use std::str::FromStr;

pub(crate) use forms::Forms;

use super::error::BadHistory;

/// A value of the extensible data notation (edn-format.org), as far as histories use it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edn {
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// `"text"`.
    Text(String),
    /// `:keyword`, without its colon.
    Keyword(String),
    /// What stands for itself, as it is written: a symbol, a character, a number that is no [`Int`](Self::Int).
    Word(String),
    /// A list or a vector.
    List(Vec<Edn>),
    /// A set, as it is written.
    Set(Vec<Edn>),
    /// A map, as it is written.
    Map(Vec<(Edn, Edn)>),
}

impl Edn {
    /// What a map has under this keyword; of several the first.
    pub fn under(&self, keyword: &str) -> Option<&Self> {
        let Self::Map(entries) = self else {
            return None;
        };
        let is = |(key, _): &&(Self, Self)| matches!(key, Self::Keyword(k) if k == keyword);
        entries.iter().find(is).map(|(_, value)| value)
    }
}

/// As it would be written.
impl fmt::Display for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let these = |f: &mut fmt::Formatter<'_>, open, values: &[Self], close| {
            f.write_str(open)?;
            for (at, value) in values.iter().enumerate() {
                let space = if at == 0 { "" } else { " " };
                write!(f, "{space}{value}")?;
            }
            f.write_str(close)
        };
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(is) => write!(f, "{is}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Keyword(name) => write!(f, ":{name}"),
            Self::Word(word) => f.write_str(word),
            Self::List(values) => these(f, "[", values, "]"),
            Self::Set(values) => these(f, "#{", values, "}"),
            Self::Map(entries) => {
                f.write_str("{")?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{key} {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// One value, and nothing after it.
impl FromStr for Edn {
    type Err = BadHistory;

    fn from_str(text: &str) -> Result<Self, BadHistory> {
        let mut forms = Forms::new(text, 1);
        let value = forms.next(None)?;
        match (value, forms.next(None)?) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(forms.syntax("", "is no value")),
            (_, Some(more)) => Err(forms.syntax(more.to_string(), "comes after the value")),
        }
    }
}

/// As it would be written.
impl fmt::Debug for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

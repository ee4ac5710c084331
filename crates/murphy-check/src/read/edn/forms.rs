//! [`Forms`]: reads values one after the other, within bounds.

use super::Edn;
use crate::read::error::{BadHistory, Problem};
use crate::read::{MOST_DEPTH, MOST_VALUES};

/// Reads values one by one.
pub(crate) struct Forms<'t> {
    rest: &'t str,
    line: usize,
    left: usize,
}

type Read<T> = Result<T, BadHistory>;

impl<'t> Forms<'t> {
    /// Of a text whose first line is the `line`th.
    pub(crate) fn new(text: &'t str, line: usize) -> Self {
        let left = MOST_VALUES;
        let rest = text;
        Self { rest, line, left }
    }

    /// The line that is read.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'t str {
        self.rest
    }

    /// Reads past the beginning of a list, if there is one: what closes it.
    pub(crate) fn enter(&mut self) -> Read<Option<char>> {
        self.skip(0)?;
        let close = match self.peek() {
            Some('[') => Some(']'),
            Some('(') => Some(')'),
            _ => None,
        };
        if close.is_some() {
            self.bump();
        }
        Ok(close)
    }

    /// The next value; `None` at `close`, which is read past, or without one at the end of the text.
    pub(crate) fn next(&mut self, close: Option<char>) -> Read<Option<Edn>> {
        self.left = MOST_VALUES;
        self.value_or(close, 0)
    }

    fn value_or(&mut self, close: Option<char>, depth: usize) -> Read<Option<Edn>> {
        self.skip(depth)?;
        match (self.peek(), close) {
            (None, None) => Ok(None),
            (Some(c), Some(close)) if c == close => {
                self.bump();
                Ok(None)
            }
            _ => self.value(depth).map(Some),
        }
    }

    fn value(&mut self, depth: usize) -> Read<Edn> {
        // Before anything else: what is discarded is read by the same way.
        self.left = match self.left.checked_sub(1) {
            Some(left) if depth <= MOST_DEPTH => left,
            Some(_) => return Err(self.too_much("values in values", MOST_DEPTH)),
            None => return Err(self.too_much("values in one event", MOST_VALUES)),
        };
        self.skip(depth)?;
        match self.peek() {
            None => Err(self.syntax("", "is where a value should be: the text ends")),
            Some('[') => self.many('[', ']', depth).map(Edn::List),
            Some('(') => self.many('(', ')', depth).map(Edn::List),
            Some('{') => self.map(depth),
            Some('"') => self.text(),
            Some('#') => self.dispatched(depth),
            Some(c @ (']' | ')' | '}')) => Err(self.syntax(c, "closes nothing that is open")),
            Some('\\') => {
                let from = self.rest;
                self.bump();
                self.bump();
                self.token();
                Ok(Edn::Word(from[..from.len() - self.rest.len()].to_owned()))
            }
            Some(_) => self.word(),
        }
    }

    fn many(&mut self, open: char, close: char, depth: usize) -> Read<Vec<Edn>> {
        let line = self.line;
        self.bump();
        let mut values = Vec::new();
        loop {
            self.skip(depth)?;
            if self.peek().is_none() {
                return Err(Problem::syntax(open.to_string(), "is not closed").at(line));
            }
            match self.value_or(Some(close), depth + 1)? {
                Some(value) => values.push(value),
                None => return Ok(values),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Read<Edn> {
        let line = self.line;
        let mut values = self.many('{', '}', depth)?.into_iter();
        let mut entries = Vec::with_capacity(values.len() / 2);
        while let Some(key) = values.next() {
            let Some(value) = values.next() else {
                let problem = Problem::syntax(key.to_string(), "is a key without a value");
                return Err(problem.at(line));
            };
            entries.push((key, value));
        }
        Ok(Edn::Map(entries))
    }

    fn text(&mut self) -> Read<Edn> {
        let line = self.line;
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(Problem::syntax("\"", "is not closed").at(line)),
                Some('"') => return Ok(Edn::Text(text)),
                Some('\\') => text.push(self.escaped()?),
                Some(c) => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Read<char> {
        let unknown = "is no escape: use \\n \\t \\r \\\\ \\\" or \\u with four digits";
        match self.bump() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some(c @ ('\\' | '"')) => Ok(c),
            Some('u') => {
                let digits = self.rest.get(..4).unwrap_or_default();
                // `from_str_radix` takes a sign too.
                let are_digits = digits.bytes().all(|b| b.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16)
                    .ok()
                    .filter(|_| are_digits)
                    .and_then(char::from_u32);
                let code = code.ok_or_else(|| self.syntax(digits, unknown))?;
                self.rest = &self.rest[4..];
                Ok(code)
            }
            other => Err(self.syntax(other.map_or(String::new(), String::from), unknown)),
        }
    }

    /// After `#`: a set, or a tag and its value.
    fn dispatched(&mut self, depth: usize) -> Read<Edn> {
        self.bump();
        match self.peek() {
            Some('{') => self.many('{', '}', depth).map(Edn::Set),
            Some('#') => {
                self.bump();
                Ok(Edn::Word(format!("##{}", self.token())))
            }
            Some(c) if c.is_alphabetic() => {
                self.token();
                self.value(depth + 1)
            }
            _ => Err(self.syntax(self.rest, "is no tag")),
        }
    }

    fn word(&mut self) -> Read<Edn> {
        let token = self.token();
        if token.is_empty() {
            return Err(self.syntax(self.rest, "is no value"));
        }
        let digits = token.strip_suffix('N').unwrap_or(token);
        Ok(match token {
            "nil" => Edn::Nil,
            "true" => Edn::Bool(true),
            "false" => Edn::Bool(false),
            _ => match (token.strip_prefix(':'), digits.parse()) {
                (Some(name), _) if !name.is_empty() => Edn::Keyword(name.to_owned()),
                (Some(_), _) => return Err(self.syntax(token, "is no keyword")),
                (None, Ok(n)) => Edn::Int(n),
                (None, Err(_)) => Edn::Word(token.to_owned()),
            },
        })
    }

    fn token(&mut self) -> &'t str {
        let ends = |c: char| is_blank(c) || "()[]{}\";@^`~\\".contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token
    }

    /// Reads past blanks, comments and what is discarded (`#_ value`).
    fn skip(&mut self, depth: usize) -> Read<()> {
        loop {
            match self.peek() {
                Some(c) if is_blank(c) => _ = self.bump(),
                Some(';') => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = &self.rest[end..];
                }
                Some('#') if self.rest.starts_with("#_") => {
                    self.rest = &self.rest[2..];
                    self.value(depth + 1)?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    pub(super) fn syntax(&self, found: impl Into<String>, says: &'static str) -> BadHistory {
        Problem::syntax(found.into(), says).at(self.line)
    }

    fn too_much(&self, what: &'static str, most: usize) -> BadHistory {
        Problem::TooMuch { what, most }.at(self.line)
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == ','
}

//! Hash tables by their names, and what goes through them in their order.

use std::collections::BTreeSet;

/// Words of hash tables whose order is of the process.
const TABLES: &[&str] = &["HashMap", "HashSet", "HashTable"];
/// What goes through one in its order.
const GOES_THROUGH: &[&str] = &[
    "iter",
    "iter_mut",
    "keys",
    "values",
    "values_mut",
    "into_iter",
    "into_keys",
    "into_values",
    "drain",
    "retain",
    "extract_if",
];

/// The names of hash tables in one file.
#[derive(Debug, Default)]
pub(crate) struct Tables<'a> {
    /// `let name = HashMap::new()`.
    locals: BTreeSet<&'a str>,
    /// `name: HashMap<..>`: fields, and parameters, unless a `let` gives the name to something else.
    fields: BTreeSet<&'a str>,
    lets: BTreeSet<&'a str>,
}

impl Tables<'_> {
    /// Whether the word is one, after the word before it.
    fn has(&self, before: Option<&&str>, name: &str) -> bool {
        match before {
            Some(&".") => self.fields.contains(name),
            _ => {
                let is_field = self.fields.contains(name) && !self.lets.contains(name);
                self.locals.contains(name) || is_field
            }
        }
    }
}

pub(crate) fn tables<'a>(words: &[&'a str]) -> Tables<'a> {
    let mut tables = Tables::default();
    let is_let = |at: usize| at > 0 && matches!(words[at - 1], "let" | "mut");
    for (at, name) in words.iter().enumerate() {
        if is_let(at) {
            tables.lets.insert(name);
        }
        if !TABLES.contains(name) {
            continue;
        }
        // Back over its path, and over what it lies in, such as a `Mutex<`.
        let mut back = at;
        while back > 0 && !matches!(words[back - 1], ";" | "{" | "(" | "," | "}" | ")") {
            back -= 1;
            let (name, sign) = (words[back], words.get(back + 1));
            let is_path = words.get(back + 2) == Some(&":") || (back > 0 && words[back - 1] == ":");
            let is_name = name
                .chars()
                .all(|c| c.is_lowercase() || c.is_ascii_digit() || c == '_');
            if is_name && !is_path && matches!(sign, Some(&":" | &"=")) {
                let of = if is_let(back) {
                    &mut tables.locals
                } else {
                    &mut tables.fields
                };
                of.insert(name);
                break;
            }
        }
    }
    tables
}

/// Whether the words from `at` on go through a table in its order.
pub(crate) fn goes_through(words: &[&str], at: usize, tables: &Tables<'_>) -> bool {
    let before = |at: usize| at.checked_sub(1).and_then(|at| words.get(at));
    match &words[at..] {
        [name, ".", method, "(", ..] => {
            GOES_THROUGH.contains(method) && tables.has(before(at), name)
        }
        ["for", rest @ ..] => {
            let begin = rest.iter().position(|word| *word == "in");
            let end = rest.iter().position(|word| *word == "{");
            // `for x in &self.map {`: the last word of the way to it.
            begin.zip(end).is_some_and(|(begin, end)| {
                begin < end && tables.has(before(at + end), rest[end - 1])
            })
        }
        _ => false,
    }
}

//! Rust as words, without its remarks, its texts and its tests.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A token and its line; of a group, its two delimiters.
pub(crate) type Token = (String, usize);

pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let stream: TokenStream = text.parse().expect("Rust");
    let mut all = Vec::new();
    flatten(stream, &mut all);
    all
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        let tree = &trees[at];
        at += 1;
        let line = tree.span().start().line;
        match tree {
            // ## A `#[cfg(test)]` => what it stands before is left out.
            TokenTree::Group(group) if is_for_tests(&trees[..at - 1], group) => {
                let ends = |tree: &TokenTree| match tree {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    other => other.to_string() == ";",
                };
                at += trees[at..].iter().position(ends).map_or(0, |n| n + 1);
            }
            TokenTree::Group(group) => {
                let [open, close] = match group.delimiter() {
                    Delimiter::Parenthesis => ["(", ")"],
                    Delimiter::Brace => ["{", "}"],
                    Delimiter::Bracket => ["[", "]"],
                    Delimiter::None => ["", ""],
                };
                into.push((open.into(), line));
                flatten(group.stream(), into);
                into.push((close.into(), group.span_close().start().line));
            }
            // Its text is no program.
            TokenTree::Literal(_) => into.push(("0".into(), line)),
            other => into.push((other.to_string(), line)),
        }
    }
}

fn is_for_tests(before: &[TokenTree], group: &Group) -> bool {
    let text: String = group.stream().to_string().split_whitespace().collect();
    before.last().is_some_and(|t| t.to_string() == "#") && text == "cfg(test)"
}

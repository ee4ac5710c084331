//! [`BadKnob`]: a setting that cannot be.

use std::fmt;

/// A setting with a value that it cannot have.
///
/// Knobs are checked where they are set, so that building a layer cannot fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field} = {value}`: {remedy}")]
pub struct BadKnob {
    /// Which setting.
    pub field: &'static str,
    /// What it was given.
    pub value: String,
    /// What would have been right.
    pub remedy: String,
}

impl BadKnob {
    /// `field` was given `value`; `remedy` is what would have been right.
    pub fn new(field: &'static str, value: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self {
            field,
            value: value.to_string(),
            remedy: remedy.into(),
        }
    }
}

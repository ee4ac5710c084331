//! Parts take turns.

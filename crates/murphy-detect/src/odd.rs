//! Beats that are not as they should be.

//! Lies for the hooks of a [`FaultLayer`](crate::FaultLayer): flipped bits, equivocation, stale answers.
//!
//! A hook ([`altering_requests`](crate::FaultLayer::altering_requests),
//! [`altering_replies`](crate::FaultLayer::altering_replies)) is handed a message and a draw. The draw is that of
//! the call: (seed, site, fault, key, occurrence), so a lie repeats with its seed. What a liar would know besides, these helpers
//! know for it: to whom it speaks, or what was true before. Whether a lie is told at all is the fault's
//! affair ([`Fault::altered_reply`](crate::Fault::altered_reply)), or a model's
//! ([`Failures::Byzantine`](crate::Failures::Byzantine)).
//!
//! | the liar | is | bound |
//! |---|---|---|
//! | has bad memory | [`flip_bit`], [`flip_bit_in`], [`flip_bit_in_text`] | one bit |
//! | tells everybody something else | [`Equivocator`], one a link | one draw |
//! | has not heard the news | [`Stale`] | replies that it remembers |

mod equivocator;
mod flip;
mod stale;

pub use equivocator::Equivocator;
pub use flip::{flip_bit, flip_bit_in, flip_bit_in_text};
pub use stale::{
    Asking, AskingFuture, AskingService, Remembering, RememberingFuture, RememberingService, Stale,
};

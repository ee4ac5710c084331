//! [`Equivocator`]: two faces.

use murphy_core::{Draw, Lane, Point, Seed, Stream};

use super::flip::below;

/// Tells every caller something else, and one caller the same thing each time.
///
/// A hook does not hear who asks, but a site named `"caller->liar"` is one caller's. So there is one
/// equivocator a link, and it has one draw, a pure function of seed and site, in place of a new one for each call.
///
/// A caller hears the same lie about the same truth: where the closure looks at the true reply, another
/// truth is another lie, and so is the answer to another question. That two callers hear two things is as
/// likely as two draws make two lies: of numbers almost certain, of yes and no every other time
/// ([`is_even`](Self::is_even) is that). What has to be told to whom exactly is a plain closure a link.
///
/// # Examples
///
/// ```
/// use murphy_core::{Probability, Seed};
/// use murphy_fault::{byzantine::Equivocator, Chaos, Fault, Plan, TimeLimit};
/// use std::convert::Infallible;
/// use tower::{service_fn, ServiceBuilder, ServiceExt};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let chaos = Chaos::new(Seed::new(42));
/// let mut plan = Plan::new();
/// let [a, b] = ["a->liar", "b->liar"].map(|link| {
///     plan = std::mem::take(&mut plan).with(link, Fault::altered_reply(Probability::ALWAYS));
///     let two_faces = Equivocator::new(chaos.seed(), link);
///     ServiceBuilder::new()
///         .layer(chaos.site(link).layer().altering_replies(
///             two_faces.telling(|balance: &mut u64, draw| *balance = draw.bits() % 1_000_000)))
///         .service(service_fn(|_account: u64| async { Ok::<u64, Infallible>(7) }))
/// });
/// let _armed = chaos.arm(&plan, TimeLimit::None).unwrap();
/// let told = a.clone().oneshot(1).await;
/// assert_ne!(told, b.oneshot(1).await);
/// assert_eq!(told, a.oneshot(1).await);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "two-faced")]
#[doc(alias = "equivocation")]
pub struct Equivocator {
    draw: Draw,
}

impl Equivocator {
    /// What the liar at the far end of this site tells the near one.
    #[must_use]
    pub const fn new(seed: Seed, site: &str) -> Self {
        let stream = Stream::new(seed, site, "equivocation", Lane::Alter);
        Self {
            draw: stream.at(Point::positional(0)),
        }
    }

    /// The draw that all lies of this link are made from.
    #[must_use]
    pub const fn draw(&self) -> Draw {
        self.draw
    }

    /// Which of two faces this caller sees: for about half of all callers `true`.
    #[must_use]
    pub const fn is_even(&self) -> bool {
        self.draw.bits() >> 63 == 0
    }

    /// A hook that lies by this closure, which is handed the link's draw and not the call's.
    ///
    /// Write the closure's argument types: `|vote: &mut Vote, draw| ..`.
    pub fn telling<M, F: Fn(&mut M, Draw)>(self, lie: F) -> impl Fn(&mut M, Draw) + use<M, F> {
        move |message: &mut M, _: Draw| lie(message, self.draw)
    }

    /// A hook that puts one of these in the place of what is true, always the same. Of none it makes
    /// the truth.
    pub fn one_of<M: Clone, I: IntoIterator<Item = M>>(
        self,
        lies: I,
    ) -> impl Fn(&mut M, Draw) + use<M, I> {
        let mut lies: Vec<M> = lies.into_iter().collect();
        let lie = below(self.draw, lies.len()).map(|nth| lies.swap_remove(nth));
        move |message: &mut M, _: Draw| {
            if let Some(lie) = &lie {
                message.clone_from(lie);
            }
        }
    }
}

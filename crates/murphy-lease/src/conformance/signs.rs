//! [`State`]: what a lock says of its loss, sign by sign; and [`Loss`], what that comes to.

use super::Offer;

/// What a lock says of itself.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) token: Offer<Result<u128, String>>,
    pub(super) believes: Offer<bool>,
    pub(super) lost: Offer<bool>,
}

/// What all signs of a lock together say of its loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// There is no sign that could tell.
    NoSign,
    /// Each sign says that it is lost.
    Told,
    /// This one says that it is held, or has not ended.
    Untold(&'static str),
}

impl State {
    /// Whether it is lost by each sign that it has: one that tells is no excuse for another that does not, by which somebody
    /// goes on.
    pub(super) fn loss(&self) -> Loss {
        let mut signs = self.signs().into_iter().flatten().peekable();
        if signs.peek().is_none() {
            return Loss::NoSign;
        }
        let untold = signs.find(|(_, is_lost)| !is_lost);
        untold.map_or(Loss::Told, |(sign, _)| Loss::Untold(sign))
    }

    /// The sign by which it is lost, if there is one.
    pub(super) fn says_lost(&self) -> Option<&'static str> {
        let mut signs = self.signs().into_iter().flatten();
        signs.find(|(_, is_lost)| *is_lost).map(|(sign, _)| sign)
    }

    fn signs(&self) -> [Option<(&'static str, bool)>; 3] {
        // To have a token is no claim that it is held: it may be a mere number.
        let token = said(&self.token, |token| token.is_err()).filter(|lost| *lost);
        [
            said(&self.believes, |believes| !believes).map(|lost| ("believes", lost)),
            token.map(|lost| ("token", lost)),
            said(&self.lost, |lost| *lost).map(|lost| ("lost", lost)),
        ]
    }
}

fn said<T>(offer: &Offer<T>, is_lost: impl FnOnce(&T) -> bool) -> Option<bool> {
    match offer {
        Offer::Says(what) => Some(is_lost(what)),
        Offer::Nothing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_has_to_tell_and_to_have_a_token_is_no_claim() {
        use Offer::{Nothing, Says};
        let token = |token: Option<bool>| match token {
            None => Nothing,
            Some(true) => Says(Ok(7)),
            Some(false) => Says(Err("lost".into())),
        };
        for (name, of_token, believes, lost, loss, says_lost) in [
            ("nothing", None, Nothing, Nothing, Loss::NoSign, None),
            ("a number", Some(true), Nothing, Nothing, Loss::NoSign, None),
            (
                "a token that is refused",
                Some(false),
                Nothing,
                Nothing,
                Loss::Told,
                Some("token"),
            ),
            (
                "it believes",
                Some(true),
                Says(true),
                Nothing,
                Loss::Untold("believes"),
                None,
            ),
            (
                "it does not",
                Some(true),
                Says(false),
                Nothing,
                Loss::Told,
                Some("believes"),
            ),
            (
                "it does not, and `lost` has not ended",
                Some(true),
                Says(false),
                Says(false),
                Loss::Untold("lost"),
                Some("believes"),
            ),
            (
                "it believes, and `lost` has ended",
                Some(true),
                Says(true),
                Says(true),
                Loss::Untold("believes"),
                Some("lost"),
            ),
            (
                "all of them",
                Some(false),
                Says(false),
                Says(true),
                Loss::Told,
                Some("believes"),
            ),
        ] {
            let token = token(of_token);
            let state = State {
                token,
                believes,
                lost,
            };
            assert_eq!(state.loss(), loss, "{name}");
            assert_eq!(state.says_lost(), says_lost, "{name}");
        }
    }
}

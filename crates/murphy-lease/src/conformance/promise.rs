//! [`Promise`]: what a lock should promise.

use std::fmt;

/// What a lock should promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// While one client holds the lock, no other gets it; nor does another task of the same client.
    Excludes,
    /// Who waits gives up at its deadline, also if the store is silent.
    KeepsDeadline,
    /// A holder that is gone for good stands in the way for its ttl and no longer.
    Expires,
    /// A holder that lives keeps the lock for as long as it likes.
    Renews,
    /// A store that is out of reach for a part of the ttl costs nobody the lock.
    Endures,
    /// A holder that is cut off without a word is told so by the time that its lease ends, though a request of its hangs.
    TellsOfPartition,
    /// A holder counts its lease from when it asked, not from when it was answered, so that it ends before the store's.
    CountsFromSending,
    /// The same of a renewal, whose answer is late.
    CountsRenewalsFromSending,
    /// A holder whose clock is slow, as slow as the lock says that it bears, has ended before the store's lease has.
    BearsSlowClock,
    /// A holder that was paused past its lease knows it as soon as it looks.
    TellsAfterPause,
    /// A holder whose lease the store no longer knows of is told, though its keep-alive may go on; or a renewal gets it back
    /// before another has it.
    TellsOfRevocation,
    /// The store was restarted: whoever asks again, by the same client, is served.
    Recovers,
    /// An acquire whose reply was lost gets the lock that it was granted: it does not wait for itself to expire.
    SurvivesLostReply,
    /// A store, or a wire, that says nothing for a part of the ttl while it is asked, and then has all of it arrive late: who was told
    /// that it has the lock keeps it, whatever becomes of requests that were given up meanwhile.
    SurvivesStall,
    /// An acquire that was given up, its outcome unknown, is not left behind to run out.
    LeavesNothingBehind,
    /// Who releases late ends nobody else's lease.
    ReleasesItsOwn,
    /// A guard that is dropped frees the lock before its ttl is over.
    ReleasesOnDrop,
    /// Each grant carries a token that is higher than any before: over release, expiry and a second client.
    TokensRise,
    /// Also if the store forgot all that it knew.
    TokensSurviveWipe,
    /// A token does not move when its lease is renewed.
    TokensStay,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Excludes,
        Self::KeepsDeadline,
        Self::Expires,
        Self::Renews,
        Self::Endures,
        Self::TellsOfPartition,
        Self::CountsFromSending,
        Self::CountsRenewalsFromSending,
        Self::BearsSlowClock,
        Self::TellsAfterPause,
        Self::TellsOfRevocation,
        Self::Recovers,
        Self::SurvivesLostReply,
        Self::SurvivesStall,
        Self::LeavesNothingBehind,
        Self::ReleasesItsOwn,
        Self::ReleasesOnDrop,
        Self::TokensRise,
        Self::TokensSurviveWipe,
        Self::TokensStay,
    ];

    /// Whether trying it disturbs others at the same store.
    pub(super) const fn disturbs(self) -> bool {
        matches!(
            self,
            Self::TellsOfRevocation | Self::Recovers | Self::TokensSurviveWipe
        )
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Excludes => "excludes",
            Self::KeepsDeadline => "keeps its deadline",
            Self::Expires => "expires",
            Self::Renews => "renews",
            Self::Endures => "endures a short outage",
            Self::TellsOfPartition => "tells of a partition",
            Self::CountsFromSending => "counts from sending",
            Self::CountsRenewalsFromSending => "renewals from sending",
            Self::BearsSlowClock => "bears a slow clock",
            Self::TellsAfterPause => "tells after a pause",
            Self::TellsOfRevocation => "tells of a revocation",
            Self::Recovers => "recovers from a restart",
            Self::SurvivesLostReply => "survives a lost reply",
            Self::SurvivesStall => "survives a stall",
            Self::LeavesNothingBehind => "leaves nothing behind",
            Self::ReleasesItsOwn => "releases its own only",
            Self::ReleasesOnDrop => "releases on drop",
            Self::TokensRise => "tokens rise",
            Self::TokensSurviveWipe => "tokens survive a wipe",
            Self::TokensStay => "tokens stay",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

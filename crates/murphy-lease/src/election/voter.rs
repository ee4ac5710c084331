//! [`VoterService`]: one who votes, as a service.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex as Shortly, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::Clock;
use murphy_core::clock::{BootClock, Drift};
use murphy_quorum::Persisted;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower_service::Service;

use super::core::{Patience, Seat};
use super::protocol::Candidate;
use super::votes::{VoteStore, decoded, encoded};
use crate::{LockName, NodeId, Ttl, VoteReply, VoteRequest};

/// Where it is written who the voter is.
const IDENTITY: &str = "voter";

/// In how many elections one voter votes at most.
const MOST: usize = 1024;

/// One who votes: in each term of an election for one candidate, and for nobody while a leader may lead. Clones are one voter.
///
/// What it must not forget is in its [`VoteStore`] before an answer leaves. What it has promised is not: a voter that comes back waits
/// for as long as it may have promised, [`longest`](Self::longest), before it votes in an election that it voted in before.
///
/// # A voter that lost its disk
///
/// It must not vote under its old name: it may give a vote that it has given, and then there are two leaders of one term. So
/// a voter is [founded](Self::found) once, when its cluster is set up, and [opened](Self::open) ever after; its store knows its
/// name. Opened on a store that is empty it is refused, [`SeatError::Lost`]. It then joins as another, under another name,
/// in a list of voters that all candidates are given anew; and since the two lists need not have a voter in common of those who voted last, not before
/// the leader of the old list has ended, nor while a candidate uses it.
///
/// # Limits
///
/// It votes in 1,024 elections, each on its own; a request in a further one is [`VoterError::Full`].
#[derive(Clone)]
pub struct VoterService {
    id: NodeId,
    store: Arc<dyn VoteStore>,
    clock: Arc<dyn Clock>,
    began: Instant,
    patience: Patience,
    seats: Arc<Shortly<BTreeMap<LockName, Arc<Mutex<Taken>>>>>,
}

/// A seat, once it is known what is on the disk of it.
#[derive(Default)]
struct Taken(Option<(Seat, Persisted<Candidate>)>);

/// A voter cannot take its seat.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeatError {
    /// There is nothing on its disk.
    #[error(
        "`{id}` has no record here: if it is new, `found` it; if it lost its disk, it may have voted, and must join as another"
    )]
    Lost {
        /// Who it was to be.
        id: NodeId,
    },
    /// It was founded before.
    #[error("`{found}` was founded here before: `open` it, and `found` none but a new voter")]
    Founded {
        /// Who is there.
        found: NodeId,
    },
    /// Another's record is on its disk.
    #[error("here is the record of `{found}`, and not of `{id}`: give each voter its own")]
    Another {
        /// Who it was to be.
        id: NodeId,
        /// Who is there.
        found: NodeId,
    },
    /// Its record makes no sense.
    #[error(
        "the record `{name}` is damaged ({what}): a voter that cannot know its vote must join as another"
    )]
    Damaged {
        /// Which record.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The store failed.
    #[error("its votes cannot be read or written: {0}")]
    Store(#[from] io::Error),
}

/// A voter cannot answer. Whether it has voted is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VoterError {
    /// Its store failed, or has a damaged record.
    #[error(transparent)]
    Seat(#[from] SeatError),
    /// It votes in as many elections as it may.
    #[error("no seat in `{election}`: this voter votes in 1,024 elections")]
    Full {
        /// Which it has no seat in.
        election: LockName,
    },
}

impl VoterService {
    /// A new voter, who has never voted: written into its store, which has to be empty.
    ///
    /// # Errors
    ///
    /// [`SeatError::Founded`], or the store's error.
    pub async fn found<V: VoteStore>(id: NodeId, store: V) -> Result<Self, SeatError> {
        if let Some(found) = identity(&store).await? {
            return Err(SeatError::Founded { found });
        }
        store.put(IDENTITY, id.as_str().as_bytes().to_vec()).await?;
        Ok(Self::seated(id, store))
    }

    /// A voter that was founded before.
    ///
    /// # Errors
    ///
    /// [`SeatError::Lost`] where there is no record of it, [`SeatError::Another`] where there is another's, or the store's error.
    pub async fn open<V: VoteStore>(id: NodeId, store: V) -> Result<Self, SeatError> {
        match identity(&store).await? {
            None => Err(SeatError::Lost { id }),
            Some(found) if found != id => Err(SeatError::Another { id, found }),
            Some(_) => Ok(Self::seated(id, store)),
        }
    }

    fn seated<V: VoteStore>(id: NodeId, store: V) -> Self {
        let clock = Arc::new(BootClock);
        let patience = Patience {
            drift: Drift::ppm(10_000.0).unwrap_or_default(),
            margin: Duration::from_millis(2),
            most: Ttl::from_secs(60),
        };
        Self {
            id,
            store: Arc::new(store),
            began: clock.now(),
            clock,
            patience,
            seats: Arc::default(),
        }
    }

    /// The longest lease that it promises a leader, and so as long as it waits when it comes back; 60 s by default. It must
    /// not be less than it was in its life before.
    #[must_use]
    pub fn longest(mut self, longest: Ttl) -> Self {
        self.patience.most = longest;
        self
    }

    /// By how much its clock may be fast beside a leader's: it waits so much longer. 1 % (10,000 ppm) by default.
    #[must_use]
    pub fn drift(mut self, drift: Drift) -> Self {
        self.patience.drift = drift;
        self
    }

    /// For how much longer it waits besides. 2 ms by default, a day at most.
    #[must_use]
    pub fn margin(mut self, margin: Duration) -> Self {
        self.patience.margin = margin.min(Ttl::MAX.get());
        self
    }

    /// The clock that it waits by; it takes itself to have come back now. The clock that counts suspension, by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.began = clock.now();
        self.clock = clock;
        self
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &NodeId {
        &self.id
    }

    fn seat(&self, election: &LockName) -> Result<Arc<Mutex<Taken>>, VoterError> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.get(election) {
            return Ok(Arc::clone(seat));
        }
        if seats.len() >= MOST {
            let election = election.clone();
            return Err(VoterError::Full { election });
        }
        let seat = Arc::default();
        seats.insert(election.clone(), Arc::clone(&seat));
        Ok(seat)
    }

    async fn answer(&self, request: VoteRequest) -> Result<VoteReply, VoterError> {
        let VoteRequest { election, ask } = request;
        let seat = self.seat(&election)?;
        // One question of an election at a time: what it says is on the disk before it hears the next.
        let mut seat = seat.lock().await;
        let name = format!("votes/{election}");
        let (seat, on_disk) = match &mut seat.0 {
            Some(taken) => taken,
            untaken => untaken.insert(self.taken(&name).await?),
        };
        let reply = seat.on(&ask, self.clock.now());
        if seat.state() != on_disk {
            let state = seat.state().clone();
            let put = self.store.put(&name, encoded(&state)).await;
            put.map_err(SeatError::Store)?;
            *on_disk = state;
        }
        Ok(reply)
    }

    async fn taken(&self, name: &str) -> Result<(Seat, Persisted<Candidate>), SeatError> {
        let Some(record) = self.store.get(name).await? else {
            return Ok((Seat::new(self.patience), Persisted::default()));
        };
        let state = decoded(&record).map_err(|what| SeatError::Damaged {
            name: name.to_owned(),
            what,
        })?;
        let seat = Seat::restored(state.clone(), self.began, self.patience);
        Ok((seat, state))
    }
}

async fn identity<V: VoteStore>(store: &V) -> Result<Option<NodeId>, SeatError> {
    let Some(record) = store.get(IDENTITY).await? else {
        return Ok(None);
    };
    let damaged = |what| SeatError::Damaged {
        name: IDENTITY.to_owned(),
        what,
    };
    let name = std::str::from_utf8(&record).map_err(|_| damaged("it is no text"))?;
    let id = NodeId::try_new(name).map_err(|_| damaged("it names nobody"))?;
    Ok(Some(id))
}

impl Service<VoteRequest> for VoterService {
    type Response = VoteReply;
    type Error = VoterError;
    type Future = Pin<Box<dyn Future<Output = Result<VoteReply, VoterError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), VoterError>> {
        Poll::Ready(Ok(()))
    }

    /// # Cancel safety
    ///
    /// Dropped, it may have voted. Asked again, it gives the same vote.
    fn call(&mut self, request: VoteRequest) -> Self::Future {
        let voter = self.clone();
        Box::pin(async move { voter.answer(request).await })
    }
}

impl fmt::Debug for VoterService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoterService")
            .field("id", &self.id)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

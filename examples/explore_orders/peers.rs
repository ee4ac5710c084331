//! The two services that the shop calls: stock and payment. Each does once what it is asked for several times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;

/// Orders, as a service that lists them knows them: who reserved, who paid, and how often.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(Arc<Mutex<BTreeMap<u64, u32>>>);

impl Book {
    pub(crate) fn has(&self, order: u64) -> bool {
        self.times(order) > 0
    }

    pub(crate) fn times(&self, order: u64) -> u32 {
        self.lock().get(&order).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /reserve/{order}` and `POST /release/{order}`, for a shelf with so many pieces.
pub(crate) fn stock(reserved: Book, pieces: usize) -> Router {
    let reserve = move |State(reserved): State<Book>, Path(order): Path<u64>| async move {
        let mut reserved = reserved.lock();
        if reserved.len() < pieces || reserved.contains_key(&order) {
            reserved.insert(order, 1);
            return StatusCode::OK;
        }
        StatusCode::CONFLICT
    };
    let release = async |State(reserved): State<Book>, Path(order): Path<u64>| {
        reserved.lock().remove(&order);
    };
    Router::new()
        .route("/reserve/{order}", post(reserve))
        .route("/release/{order}", post(release))
        .with_state(reserved)
}

/// `POST /charge/{order}`: an order is charged once, however often it is asked for; unless it is not known again.
pub(crate) fn payment(paid: Book, knows_again: bool) -> Router {
    let charge = move |State(paid): State<Book>, Path(order): Path<u64>| async move {
        let mut paid = paid.lock();
        let times = paid.entry(order).or_default();
        if *times == 0 || !knows_again {
            *times += 1;
        }
    };
    Router::new()
        .route("/charge/{order}", post(charge))
        .with_state(paid)
}

//! [`of`]: the runtime of the task that is polled, without a look at what all its threads share.
//!
//! [`Handle::current`] counts itself in and out, on a cache line that every thread of the runtime
//! writes for every call. A task, though, lives and dies in one runtime, so a thread remembers of the tasks that
//! it polled where they belong.
//!
//! A task is known by its id *and* its waker: by the id alone, one that blocks on two runtimes in turn
//! would be taken for the first when it waits in the second. Whoever wraps wakers, as
//! `FuturesUnordered` does, or is no task, as what `block_on` runs, asks the runtime. Were an id ever used again,
//! by a task at the same address, the worst is a queue whose timer is another runtime's, or gone, and that
//! a queue notices.

use std::cell::Cell;
use std::task::Context;

use tokio::runtime::{Handle, Id};
use tokio::task;

/// How many tasks a thread remembers. One whose place another takes asks again.
const PLACES: usize = 256;

#[derive(Clone, Copy)]
struct Seen {
    task: task::Id,
    waker: *const (),
    runtime: Id,
}

thread_local! {
    static SEEN: [Cell<Option<Seen>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

/// The current runtime's id.
///
/// # Panics
///
/// Outside a tokio runtime.
#[inline]
pub(super) fn of(cx: &Context<'_>) -> Id {
    let Some(task) = task::try_id() else {
        return Handle::current().id();
    };
    let waker = cx.waker().data();
    let look = |seen: &[Cell<Option<Seen>>; PLACES]| {
        let place = &seen[place(waker)];
        match place.get() {
            Some(seen) if seen.task == task && seen.waker == waker => seen.runtime,
            _ => asked(place, task, waker),
        }
    };
    // A thread that ends remembers nothing.
    SEEN.try_with(look)
        .unwrap_or_else(|_| Handle::current().id())
}

#[cold]
fn asked(place: &Cell<Option<Seen>>, task: task::Id, waker: *const ()) -> Id {
    let runtime = Handle::current().id();
    place.set(Some(Seen {
        task,
        waker,
        runtime,
    }));
    runtime
}

/// Tasks lie on cache lines of their own, 64 bytes apart at the least.
fn place(waker: *const ()) -> usize {
    let line = waker.addr() as u64 >> 6;
    (line.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % PLACES
}

//! `always!`, `eventually!`, `sometimes!`, `reachable!`: promises of the run that the thread is in.
//!
//! They need no handle, so that a service can hold them too. Outside of a run, `always!` and
//! `eventually!` are plain assertions and the others do nothing.

use std::ops::AsyncFnMut;
use std::time::Duration;

use crate::promise::Promise;
use crate::scene::Scene;

/// How often an `eventually!` looks, in the time that it has.
const LOOKS: u32 = 200;

/// SAFETY: the condition holds whenever it is evaluated.
///
/// A run in which it did not ends where it next awaits, and fails by the name; the rest, if any,
/// formats the detail. It gives the condition's value back, and does not unwind. The name is the failure's
/// identity: keep numbers for the detail.
///
/// # Panics
///
/// Outside of an exploration, if the condition is false.
///
/// # Examples
///
/// ```
/// # use murphy_chaos::always;
/// let charges = 1;
/// always!(charges <= 1, "an order is charged once", "{charges} charges");
/// ```
#[macro_export]
macro_rules! always {
    ($condition:expr, $name:expr $(,)?) => {
        $crate::__always($condition, $name, ::std::string::String::new)
    };
    ($condition:expr, $name:expr, $($detail:tt)+) => {
        $crate::__always($condition, $name, || ::std::format!($($detail)+))
    };
}

/// LIVENESS: faults end now, and the condition comes true within this much virtual time.
///
/// `eventually!(within, name, condition).await`: first calms the run ([`World::calm`](crate::World::calm)),
/// then evaluates the condition, which may await, until it is true or the time is over. Gives back
/// whether it came true.
///
/// # Panics
///
/// Outside of an exploration, if the condition did not come true.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// # use std::time::Duration;
/// # use murphy_chaos::eventually;
/// # async fn replicas_agree() -> bool { true }
/// eventually!(Duration::from_secs(30), "replicas agree", replicas_agree().await).await;
/// # });
/// ```
#[macro_export]
macro_rules! eventually {
    ($within:expr, $name:expr, $condition:expr $(,)?) => {
        $crate::__eventually($within, $name, async || -> bool { $condition })
    };
}

/// The condition is true at least once in all runs of the exploration: that the test tests something.
///
/// One that was evaluated and never true fails the exploration by its name. One that no run ever
/// came to cannot be known, unless it is [declared](crate::Explore::expecting).
///
/// # Examples
///
/// ```
/// # use murphy_chaos::sometimes;
/// # let attempts = 2;
/// sometimes!(attempts > 1, "a charge is tried again");
/// ```
#[macro_export]
macro_rules! sometimes {
    ($condition:expr, $name:expr $(,)?) => {
        $crate::__sometimes($condition, $name)
    };
}

/// Some run of the exploration comes here: `sometimes!(true, ..)`.
///
/// # Examples
///
/// ```
/// murphy_chaos::reachable!("the fallback answered");
/// ```
#[macro_export]
macro_rules! reachable {
    ($name:expr $(,)?) => {
        $crate::__sometimes(true, $name)
    };
}

#[doc(hidden)]
#[track_caller]
pub fn __always(condition: bool, name: &str, detail: impl FnOnce() -> String) -> bool {
    if !condition {
        match Scene::current() {
            Some(scene) => scene.broken(Promise::Safety, name, detail()),
            None => panic!("SAFETY: {name} ({})", detail()),
        }
    }
    condition
}

#[doc(hidden)]
pub fn __sometimes(condition: bool, name: &str) -> bool {
    if let Some(scene) = Scene::current() {
        scene.mark(name, condition);
    }
    condition
}

#[doc(hidden)]
pub async fn __eventually(
    within: Duration,
    name: &str,
    mut condition: impl AsyncFnMut() -> bool,
) -> bool {
    let scene = Scene::current();
    if let Some(scene) = &scene {
        scene.chaos.disarm();
    }
    let pace = (within / LOOKS).max(Duration::from_millis(1));
    let looking = async {
        while !condition().await {
            tokio::time::sleep(pace).await;
        }
    };
    if tokio::time::timeout(within, looking).await.is_ok() {
        return true;
    }
    let detail = format!("not within {}", humantime::format_duration(within));
    match scene {
        Some(scene) => scene.broken(Promise::Liveness, name, detail),
        None => panic!("LIVENESS: {name} ({detail})"),
    }
    false
}

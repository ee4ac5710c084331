//! Where work goes that outlives its caller.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::Handle;

/// Takes over work whose caller left: a call whose reply is lost, a copy.
///
/// | setter | carrier | the service must be | what is lost |
/// |---|---|---|---|
/// | (none) | [`OnTokio`] | `Send + 'static` | nothing |
/// | `.local()` | [`OnLocal`] | `'static` | what is dropped outside of a `LocalSet` |
/// | `.inline()` | [`Inline`] | anything | all of it, once the caller leaves |
#[diagnostic::on_unimplemented(
    message = "what outlives its caller goes to tokio's executor, and this service cannot go there",
    note = "the service, its request, response, error and future must be `Send + 'static`;",
    note = "else give the fault layer `.local()` (not `Send`) or `.inline()` (not `'static`)"
)]
pub trait Carry<W> {
    /// Takes the work over. `runtime` is the one that the call was made in.
    #[doc(hidden)]
    fn carry(work: W, runtime: Option<&Handle>);
}

/// Work goes to tokio's executor. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnTokio;

#[diagnostic::do_not_recommend]
impl<W: Future<Output = ()> + Send + 'static> Carry<W> for OnTokio {
    fn carry(work: W, runtime: Option<&Handle>) {
        // On a runtime that is shutting down the task is dropped, and its receipt says so.
        if let Some(runtime) = runtime {
            drop(runtime.spawn(work));
        }
    }
}

/// Work goes to the current `LocalSet`. Given by `.local()`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnLocal;

#[diagnostic::do_not_recommend]
impl<W: Future<Output = ()> + 'static> Carry<W> for OnLocal {
    fn carry(work: W, _: Option<&Handle>) {
        // tokio cannot be asked whether there is a `LocalSet` here, and panics if not. A caller
        // may be dropped anywhere, and must not take its program with it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(tokio::task::spawn_local(work))));
    }
}

/// Work ends with its caller. Given by `.inline()`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

impl<W> Carry<W> for Inline {
    fn carry(work: W, _: Option<&Handle>) {
        drop(work);
    }
}

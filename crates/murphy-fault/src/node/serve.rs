//! [`Boot`]: one life of a program that a node starts anew after every crash.

use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::run::Run;
use super::{BadCell, Crashed, Durable, Node};

/// What a program is started with: which life this is, and a handle to what survived the last
/// one. From [`Node::serve`].
///
/// What it starts belongs to this life: once the life is over, nothing can be started with it,
/// whatever incarnation the node is in.
#[derive(Clone, Debug)]
pub struct Boot {
    node: Node,
    incarnation: u64,
}

impl Boot {
    /// The node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Which life this is, from 0.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// As [`Node::run`], in this life.
    pub fn run<F: Future + Send + 'static>(&self, work: F) -> Run<F> {
        Run::begin(&self.node.core, Some(self.incarnation), false, work)
    }

    /// As [`Node::spawn`], in this life.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// A server whose connections die with it. What goes to `spawn` may as well be hyper's
    /// `http1::Builder::new().serve_connection(..)`; `axum::serve` spawns by itself, and its
    /// connections would escape.
    ///
    /// ```
    /// use murphy_fault::Boot;
    /// use tokio::io::AsyncWriteExt;
    /// use tokio::net::TcpListener;
    ///
    /// async fn program(boot: Boot) -> std::io::Result<()> {
    ///     let listener = TcpListener::bind("127.0.0.1:7000").await?;
    ///     loop {
    ///         let (mut stream, _) = listener.accept().await?;
    ///         boot.spawn(async move { stream.write_all(b"hello").await });
    ///     }
    /// }
    /// # let server = |node: murphy_fault::Node| {
    /// tokio::spawn(node.serve(program))
    /// # };
    /// # let _ = server;
    /// ```
    pub fn spawn<F>(&self, work: F) -> JoinHandle<Result<F::Output, Crashed>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.run(work))
    }

    /// As [`Node::durable`].
    ///
    /// # Errors
    ///
    /// As [`Node::durable`].
    pub fn durable<T: Send + Sync + 'static>(&self, name: &str) -> Result<Durable<T>, BadCell> {
        self.node.durable(name)
    }
}

/// Runs the program in each life of the node, until it ends by itself.
pub(super) async fn serve<C, F>(node: Node, program: C) -> F::Output
where
    C: Fn(Boot) -> F + Send + Sync + 'static,
    F: Future + Send + 'static,
{
    let program = Arc::new(program);
    loop {
        // Made before the state is looked at, it hears of every restart from here on.
        let restarted = node.core.restarted.notified();
        let boot = Boot {
            incarnation: node.incarnation(),
            node: node.clone(),
        };
        let program = Arc::clone(&program);
        // The closure is code of the node as well.
        let life = boot.clone().run(async move { program(boot).await });
        match life.await {
            Ok(output) => return output,
            // ## Running => Down. It begins anew in the next life.
            Err(_) => restarted.await,
        }
    }
}

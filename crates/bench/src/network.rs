//! Networks of many nodes: what they take to describe and to cut, and how many round trips they carry.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::Duration;

use murphy_core::{Distribution, Seed};
use murphy_fault::{Armed, Chaos, Cut, FaultService, Network, Plan, Profile, TimeLimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::time::sleep;
use tower::{Layer, Service, ServiceExt};
use turmoil::net::{TcpListener, TcpStream};

use crate::drive::paused;
use crate::service::Prompt;

/// Nodes of the network that is described link by link.
pub const NODES: u64 = 1_000;

const MILLISECOND: Duration = Duration::from_millis(1);

fn name(node: u64) -> String {
    format!("n{node}")
}

/// A thousand nodes and the 999,000 links between them, each said to be another than all others.
///
/// # Panics
///
/// If it is no network.
#[must_use]
pub fn described() -> Chaos {
    let chaos = Chaos::new(Seed::new(1));
    let network = chaos.network();
    let names: Vec<String> = (0..NODES).map(name).collect();
    network.nodes(&names).expect("right names");
    let mut micros = 0;
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            micros += 1;
            let own = Distribution::fixed(Duration::from_micros(micros));
            let said = network.profile([from], [to], &Profile::new().latency(own));
            said.expect("both are declared");
        }
    }
    chaos
}

/// The network that is [`described`], armed, with a layer on each link of a ring.
#[derive(Debug)]
pub struct World {
    network: Network,
    ring: Vec<FaultService<Prompt>>,
    runtime: Runtime,
    names: Vec<String>,
    _armed: Armed,
}

impl World {
    /// Describes it, and arms it.
    ///
    /// # Panics
    ///
    /// If it cannot be armed.
    #[must_use]
    pub fn new() -> Self {
        let chaos = described();
        let ring = (0..NODES).map(|n| link(&chaos, n, NODES)).collect();
        let runtime = paused();
        let armed = runtime.block_on(async { chaos.arm(&Plan::new(), TimeLimit::None) });
        Self {
            network: chaos.network(),
            ring,
            runtime,
            names: (0..NODES).map(name).collect(),
            _armed: armed.expect("a right plan"),
        }
    }

    /// One half from the other.
    ///
    /// # Panics
    ///
    /// If it cannot be cut.
    #[must_use = "dropping it heals"]
    pub fn partition(&self) -> Cut {
        let (one, other) = self.names.split_at(self.names.len() / 2);
        self.network.partition(one, other).expect("two halves")
    }

    /// One node from all others.
    ///
    /// # Panics
    ///
    /// If it cannot be cut.
    #[must_use = "dropping it heals"]
    pub fn isolate(&self) -> Cut {
        self.network.isolate(&self.names[0]).expect("a node")
    }

    /// Everybody from nearly half of the others.
    ///
    /// # Panics
    ///
    /// If it cannot be cut.
    #[must_use = "dropping it heals"]
    pub fn majorities_ring(&self) -> Cut {
        self.network.majorities_ring().expect("enough nodes")
    }

    /// Heals everything.
    pub fn repair(&self) {
        self.network.repair();
    }

    /// A call over each of two links, one within a half and one between the halves, that have seen
    /// none since the network changed. They are begun, and left.
    ///
    /// # Panics
    ///
    /// If a service is not ready.
    pub fn first_calls(&mut self) {
        let _entered = self.runtime.enter();
        let mut cx = Context::from_waker(Waker::noop());
        for link in [0, self.names.len() / 2 - 1] {
            let service = &mut self.ring[link];
            assert!(service.poll_ready(&mut cx).is_ready());
            let reply = pin!(service.call(1));
            _ = black_box(reply.poll(&mut cx));
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// The link from a node to its neighbour on the ring.
fn link(chaos: &Chaos, node: u64, nodes: u64) -> FaultService<Prompt> {
    let site = format!("{}->{}", name(node), name((node + 1) % nodes));
    chaos.site(&site).layer().layer(Prompt::default())
}

/// Round trips on a ring.
#[derive(Clone, Copy, Debug)]
pub struct Trips {
    /// Each has links to all others, and a client.
    pub nodes: u64,
    /// How many nodes' clients go about. They take turns at the ring's links, so that all are used.
    pub clients: u64,
    /// All round trips together.
    pub trips: u64,
    /// Whether a node that nobody calls is cut off meanwhile.
    pub cut: bool,
}

/// Makes all the trips, once. What they need is built by then.
pub type Travel = Box<dyn FnMut()>;

/// A way of a millisecond there and one back, in virtual time.
///
/// # Panics
///
/// If a call goes wrong.
#[must_use]
pub fn murphy(load: Trips) -> Travel {
    let chaos = Chaos::new(Seed::new(1));
    let network = chaos.network();
    let names = (0..load.nodes).map(name).chain(["spare".to_owned()]);
    network.nodes(names).expect("right names");
    network.profile_everywhere(&Profile::new().latency(Distribution::fixed(MILLISECOND)));
    let ring: Vec<_> = (0..load.nodes)
        .map(|n| link(&chaos, n, load.nodes))
        .collect();
    let runtime = paused();
    runtime.block_on(async {
        let armed = chaos.arm(&Plan::new(), TimeLimit::None);
        armed.expect("a right plan").keep();
        if load.cut {
            network.isolate("spare").expect("a node").keep();
        }
    });
    Box::new(move || {
        runtime.block_on(async {
            let clients = (0..load.clients).map(|client| {
                let own = ring.iter().skip(client as usize);
                let own = own.step_by(load.clients as usize).cloned();
                tokio::spawn(travel(own.collect(), load.trips / load.clients))
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.expect("no client panics");
            }
        });
    })
}

async fn travel(mut links: Vec<FaultService<Prompt>>, trips: u64) {
    let count = links.len();
    for trip in 0..trips {
        let link = &mut links[trip as usize % count];
        let ready = link.ready().await.expect("it is always ready");
        _ = black_box(ready.call(trip).await.expect("it never fails"));
    }
}

/// The same by turmoil, over TCP: hosts that call each other, 8 bytes there and back.
///
/// # Panics
///
/// If a host fails.
#[must_use]
pub fn turmoil(load: Trips) -> Travel {
    let mut sim = turmoil::Builder::new()
        .tick_duration(MILLISECOND)
        .min_message_latency(MILLISECOND)
        .max_message_latency(MILLISECOND)
        .simulation_duration(Duration::from_secs(3600))
        .rng_seed(1)
        .build();
    let busy = Arc::new(AtomicU64::new(load.nodes));
    for node in 0..load.nodes {
        let (next, busy) = (name((node + 1) % load.nodes), Arc::clone(&busy));
        sim.client(name(node), async move {
            let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
            let server = tokio::spawn(echo(listener));
            let mut stream = TcpStream::connect((next, PORT)).await?;
            for trip in 0..load.trips / load.nodes {
                stream.write_all(&trip.to_be_bytes()).await?;
                _ = black_box(stream.read_u64().await?);
            }
            // A host that has its replies still serves its neighbour.
            busy.fetch_sub(1, Relaxed);
            while busy.load(Relaxed) > 0 {
                sleep(MILLISECOND).await;
            }
            server.abort();
            Ok(())
        });
    }
    Box::new(move || sim.run().expect("every host ends well"))
}

const PORT: u16 = 80;

async fn echo(listener: TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    loop {
        let request = stream.read_u64().await?;
        stream.write_all(&request.to_be_bytes()).await?;
    }
}

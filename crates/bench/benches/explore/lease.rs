//! A fenced lease: four clients, one lock, one account, about a hundred calls that can be struck.

use std::time::Duration;

use bench::figure::Figure;
use murphy_chaos::core::Seed;
use murphy_chaos::{Menu, World, always};
use murphy_lease::fence::{FencedStore, MemoryFenced};
use murphy_lease::{Lease, Locks, MemoryStore, Renewal, Ttl};
use tokio::time::timeout;
use tower::Layer;

const RUNS: u64 = 20_000;
const CLIENTS: usize = 4;
const CALLS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn measure() -> Vec<Figure> {
    let (fenced, seconds) = crate::timed(|| {
        let exploration = crate::exploration("explore-lease", RUNS);
        exploration.run(|w| lease(w, true))
    });
    let note = format!(
        "{CLIENTS} clients, {} calls; {RUNS} runs, {:?}",
        fenced.calls, fenced.verdict
    );
    let runs = fenced.runs as f64 / seconds;
    let mut replays: Vec<usize> = (0..60).flat_map(shrunk).collect();
    replays.sort_unstable();
    let median = replays.get(replays.len() / 2).copied();
    let found = format!(
        "the median of {} failures of storms, without the fence",
        replays.len()
    );
    let median = median.map_or(f64::NAN, |median| median as f64);
    vec![
        Figure::new(
            "explore.lease.runs".to_owned(),
            "murphy",
            runs,
            "1/s",
            &note,
        ),
        Figure::new(
            "explore.shrink.replays".to_owned(),
            "murphy",
            median,
            "replays",
            &found,
        ),
    ]
}

/// How many replays it took to shrink what storms of this seed find where nothing is fenced.
fn shrunk(seed: u64) -> Vec<usize> {
    let files = std::env::temp_dir().join(format!("murphy-explore-{}", std::process::id()));
    let unfenced = crate::exploration("explore-unfenced", 3000)
        .seed(Seed::new(seed))
        .menu(Menu::default())
        .failures(1)
        .artifacts(&files)
        .run(|w| lease(w, false));
    let _ = std::fs::remove_dir_all(files);
    let of_several = unfenced.failures.iter().filter(|f| f.found_with > 1);
    of_several.map(|failure| failure.replays).collect()
}

async fn lease(w: World, is_fenced: bool) {
    let store = MemoryStore::new().counting();
    let store = w.site("api->locks").layer().layer(store);
    let account = MemoryFenced::new();
    let world = w.clone();
    let clients = w
        .clients(CLIENTS)
        .calls(CALLS)
        .pace(Duration::from_millis(3));
    let stale: Vec<u32> = clients
        .each(move |caller| {
            let seed = Seed::new(world.draw("client", caller.client as u64).bits());
            let locks = Locks::new(store.clone()).seed(seed).ttl(Ttl::from_secs(10));
            let (world, account) = (world.clone(), account.clone());
            async move {
                let lease = locks
                    .acquire("orders")
                    .deadline(PATIENCE)
                    .renewing(Renewal::Never);
                let Ok(lease) = lease.await else { return 0 };
                let stale = write(&world, &account, &lease).await;
                let _ = timeout(PATIENCE, lease.release()).await;
                stale
            }
        })
        .await;
    let stale: u32 = stale.into_iter().sum();
    always!(is_fenced || stale < 2, "stale writes are few");
}

/// Twice, and how many were refused: without a fence they would have been made.
async fn write(w: &World, account: &MemoryFenced<u64>, lease: &Lease) -> u32 {
    let mut stale = 0;
    for amount in [1, 2] {
        let token = lease.stale_token().clone();
        let account = account.clone();
        let write = async move { account.write("alice", &token, amount).await.is_err() };
        let site = w.site("api->accounts");
        let written = timeout(PATIENCE, site.run(0_u64, || write)).await;
        stale += u32::from(matches!(written, Ok(true)));
    }
    stale
}

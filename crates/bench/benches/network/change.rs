//! How long it takes to cut and to heal a network of a million links, by the wall.

use bench::figure::Figure;
use bench::network::World;
use criterion::measurement::{Measurement, WallTime};
use murphy_fault::Cut;

const ROUNDS: usize = 21;

/// The median of the rounds. The first calls after each change are part of it.
pub(crate) fn measure() -> Vec<Figure> {
    let mut world = World::new();
    let cuts: [(&str, &str, fn(&World) -> Cut); 3] = [
        ("partition", "500 nodes | 500 nodes", World::partition),
        ("isolate", "1 node | 999 nodes", World::isolate),
        ("majorities_ring", "each sees 501", World::majorities_ring),
    ];
    let mut figures = Vec::new();
    for (verb, what, cut) in cuts {
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            let (cutting, guard) = timed(&mut world, cut);
            times[0].push(cutting);
            times[1].push(timed(&mut world, |_| guard.heal()).0);
            cut(&world).keep();
            times[2].push(timed(&mut world, World::repair).0);
        }
        let done = [
            ("", "cut"),
            ("_heal", "healed by its guard"),
            ("_repair", "repaired"),
        ];
        for ((suffix, done), mut times) in done.into_iter().zip(times) {
            times.sort_by(f64::total_cmp);
            let (middle, worst) = (times[ROUNDS / 2], times[ROUNDS - 1]);
            let note = format!(
                "{what}: {done}, and the first calls; median of {ROUNDS}, worst {worst:.3}"
            );
            let name = format!("network.{verb}{suffix}_ms");
            figures.push(Figure::new(name, "murphy", middle, "ms", &note));
        }
    }
    figures
}

fn timed<T>(world: &mut World, change: impl FnOnce(&World) -> T) -> (f64, T) {
    let start = WallTime.start();
    let changed = change(world);
    world.first_calls();
    (WallTime.end(start).as_secs_f64() * 1e3, changed)
}

//! An observer that stands still for a while: who is taken for dead, and is a true crash found?

use std::time::Duration;

use murphy_core::Seed;
use murphy_detect::{Event, Guard, Heartbeat, Moment, Monitor};

use super::chance::Chance;
use super::verdicts::{Verdicts, grid};

const PEERS: u32 = 100;
const INTERVAL: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(50);
/// Until a crash is found by the default: interval and margin, and the way.
const DETECTION: Duration = Duration::from_millis(3_120);

/// What became of it.
#[derive(Clone, Copy, Debug)]
struct Paused {
    suspected: usize,
    dead: usize,
    /// From the end of the pause until the crash was found.
    found: Option<Duration>,
}

/// Stands still for `stall`, while beats wait, and judges before it takes them in; one of the peers crashes meanwhile.
fn run(seed: Seed, stall: Duration, guard: Option<Guard>) -> Paused {
    let mut chance = Chance::new(seed, "phases");
    let phases: Vec<Duration> = (0..PEERS)
        .map(|_| INTERVAL.mul_f64(chance.unit()))
        .collect();
    let mut monitor: Monitor<u32> = Monitor::default();
    if let Some(guard) = guard {
        monitor = monitor.guard(guard);
    }
    let stalls = Moment::after(INTERVAL * 60);
    let resumes = stalls.plus(stall);
    let crash = stalls.plus(stall / 2);
    let ends = resumes.plus(INTERVAL * 30);
    let mut next = vec![0_u32; PEERS as usize];
    let mut paused = Paused {
        suspected: 0,
        dead: 0,
        found: None,
    };
    let mut now = Moment::ZERO;
    while now < ends {
        now = now.plus(TICK);
        if now > stalls && now < resumes {
            continue;
        }
        while let Some(event) = monitor.poll(now) {
            match event {
                Event::Down { node: 0, .. } if now >= resumes => {
                    paused.found = Some(now.since(resumes))
                }
                Event::Suspect { node, .. } if node != 0 => paused.suspected += 1,
                Event::Down { node, .. } if node != 0 => paused.dead += 1,
                _ => {}
            }
        }
        for node in 0..PEERS {
            loop {
                let seq = next[node as usize];
                let sent = Moment::after(phases[node as usize] + INTERVAL * seq);
                if sent.plus(Duration::from_millis(20)) > now || (node == 0 && sent > crash) {
                    break;
                }
                next[node as usize] += 1;
                let beat = Heartbeat {
                    node,
                    incarnation: 1,
                    seq: seq.into(),
                    sent,
                    interval: INTERVAL,
                };
                monitor
                    .record_heartbeat(now, &beat)
                    .expect("a beat like any other");
            }
        }
    }
    paused
}

/// Pauses of 5 to 60 s, guarded and not.
pub fn measure(seed: Seed, verdicts: &mut Verdicts) -> String {
    let mut lines = Vec::new();
    for seconds in [5_u32, 15, 30, 60] {
        let stall = INTERVAL * seconds;
        let naive = run(seed, stall, None);
        let guarded = run(seed, stall, Some(Guard::new().grace(GRACE)));
        let subject = format!("{seconds} s");
        verdicts.note(
            "detect.pause.false_deaths",
            &format!("{subject}, no guard"),
            naive.dead as f64,
            "peers",
            "of 99",
        );
        verdicts.expect(
            "detect.pause.false_deaths",
            &subject,
            guarded.dead as f64,
            "peers",
            &(0.0..=0.0),
        );
        verdicts.expect(
            "detect.pause.false_suspicions",
            &subject,
            guarded.suspected as f64,
            "peers",
            &(0.0..=0.0),
        );
        let found = guarded
            .found
            .map_or(f64::INFINITY, |found| found.as_secs_f64());
        let most = (DETECTION + GRACE + TICK).as_secs_f64();
        verdicts.expect(
            "detect.pause.crash_found",
            &subject,
            found,
            "s",
            &(0.0..=most),
        );
        lines.push(vec![
            format!("{seconds} s"),
            format!("{}", naive.dead),
            format!("{}", guarded.dead),
            format!("{}", guarded.suspected),
            format!("{found:.2}"),
        ]);
    }
    let heading = [
        "observer stands still for",
        "false deaths, no guard",
        "guarded",
        "false suspicions, guarded",
        "crash found after it, s",
    ];
    grid(&heading.map(str::to_owned), &lines)
}

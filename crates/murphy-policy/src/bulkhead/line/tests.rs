use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A line of `places` and `longest` that is full inside.
fn busy(places: u32, longest: u32, newest_first: bool) -> (Line<u64>, Instant) {
    let mut line = Line::new(places, longest, newest_first);
    (0..places).for_each(|_| assert!(line.try_enter()));
    (line, Instant::now())
}

fn arrive(line: &mut Line<u64>, now: Instant, ends: Option<Instant>) -> Arrival {
    let arrival = line.arrive(now, ends, &mut Vec::new());
    if let Arrival::Wait(ticket) = arrival {
        assert_eq!(line.look(ticket, || ticket, &mut None), None);
    }
    arrival
}

fn leave(line: &mut Line<u64>, now: Instant) -> Vec<u64> {
    let mut wakes = Vec::new();
    line.leave(|| now, &mut wakes);
    wakes
}

#[test]
fn the_longest_waiting_is_next_or_the_newest() {
    for (newest_first, want) in [(false, [0, 1, 2]), (true, [2, 1, 0])] {
        let (mut line, now) = busy(1, 3, newest_first);
        (0..3).for_each(|ticket| assert_eq!(arrive(&mut line, now, None), Arrival::Wait(ticket)));
        for ticket in want {
            assert_eq!(leave(&mut line, now), [ticket]);
            assert_eq!(line.look(ticket, || 9, &mut None), Some(Turn::Granted));
        }
    }
}

#[test]
fn a_full_queue_turns_the_newcomer_away_or_the_oldest() {
    let (mut line, now) = busy(1, 1, false);
    arrive(&mut line, now, None);
    assert_eq!(arrive(&mut line, now, None), Arrival::Full(1));

    let (mut line, now) = busy(1, 1, true);
    arrive(&mut line, now, None);
    assert_eq!(arrive(&mut line, now, None), Arrival::Wait(1));
    assert_eq!(line.look(0, || 9, &mut None), Some(Turn::Displaced));

    let (mut line, now) = busy(1, 0, true);
    assert_eq!(arrive(&mut line, now, None), Arrival::Full(0));
}

#[test]
fn who_would_be_late_is_told_at_once() {
    let (mut line, start) = busy(1, 9, false);
    (0..6).for_each(|_| assert!(matches!(arrive(&mut line, start, None), Arrival::Wait(_))));
    // Nothing is known of the speed yet: whoever has any time waits.
    assert_eq!(
        arrive(&mut line, start, Some(start + SECOND)),
        Arrival::Wait(6)
    );
    leave(&mut line, start + SECOND);
    leave(&mut line, start + SECOND * 2);
    let now = start + SECOND * 2;
    // Four wait, one of which has run out of time.
    let (expected, left) = (SECOND * 6, SECOND * 6);
    assert_eq!(
        arrive(&mut line, now, Some(now + left)),
        Arrival::Late { expected, left }
    );
    assert_eq!(
        arrive(&mut line, now, Some(now + SECOND * 7)),
        Arrival::Wait(7)
    );
}

#[test]
fn whose_deadline_passed_is_passed_over() {
    let (mut line, now) = busy(1, 9, false);
    arrive(&mut line, now, Some(now + SECOND));
    arrive(&mut line, now, None);
    assert_eq!(leave(&mut line, now + SECOND), [0, 1]);
    assert_eq!(line.look(0, || 9, &mut None), Some(Turn::Late));
    assert_eq!(line.look(1, || 9, &mut None), Some(Turn::Granted));
}

#[test]
fn places_come_and_go() {
    let (mut line, now) = busy(2, 9, false);
    (0..3).for_each(|_| assert!(matches!(arrive(&mut line, now, None), Arrival::Wait(_))));
    let mut wakes = Vec::new();
    line.set_places(1, now, &mut wakes);
    assert!(leave(&mut line, now).is_empty(), "one too many was inside");
    line.set_places(3, now, &mut wakes);
    assert_eq!(
        (wakes.as_slice(), line.inside(), line.waiting()),
        (&[0, 1][..], 3, 1)
    );
}

#[test]
fn no_newcomer_overtakes_the_queue() {
    let (mut line, now) = busy(1, 9, false);
    arrive(&mut line, now, None);
    assert!(!line.try_enter());
}

proptest! {
    #[test]
    fn it_serves_as_a_list_does(
        places in 1_u32..4, longest in 0_u32..4, newest_first: bool,
        steps in prop::collection::vec((0_u8..4, 0_usize..8), 0..150),
    ) {
        let mut line = Line::<u64>::new(places, longest, newest_first);
        let now = Instant::now();
        let (mut inside, mut queue) = (0, VecDeque::new());
        for (step, n) in steps {
            match step {
                0 | 1 => match arrive(&mut line, now, None) {
                    Arrival::Enter => inside += 1,
                    Arrival::Wait(ticket) => {
                        if queue.len() == longest as usize {
                            let oldest = queue.pop_front().unwrap();
                            prop_assert_eq!(line.look(oldest, || 0, &mut None), Some(Turn::Displaced));
                        }
                        queue.push_back(ticket);
                    }
                    Arrival::Full(waiting) => prop_assert_eq!(waiting as usize, queue.len()),
                    Arrival::Late { .. } => prop_assert!(false, "nobody has a deadline"),
                },
                2 if inside > 0 => {
                    let next = if newest_first { queue.pop_back() } else { queue.pop_front() };
                    prop_assert_eq!(leave(&mut line, now), Vec::from_iter(next));
                    match next {
                        Some(ticket) => prop_assert_eq!(line.look(ticket, || 0, &mut None), Some(Turn::Granted)),
                        None => inside -= 1,
                    }
                }
                3 if !queue.is_empty() => {
                    let gone = queue.remove(n % queue.len()).unwrap();
                    prop_assert_eq!(line.give_up(gone, &mut None), None);
                }
                _ => {}
            }
            prop_assert_eq!((line.inside(), line.waiting() as usize), (inside, queue.len()));
            prop_assert!(line.called.is_empty(), "everybody has looked");
            prop_assert!(inside <= places && queue.len() <= longest as usize);
            prop_assert!(queue.is_empty() || inside == places);
        }
    }
}

use super::*;

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What both clocks show, in seconds.
fn shows(bend: &Bend) -> (u64, i64) {
    (bend.mono().as_secs(), bend.wall().nanos() / 1_000_000_000)
}

fn twice() -> Drift {
    Drift::ppm(1e6).unwrap()
}

#[test]
fn each_change_bends_the_clock_as_it_should() {
    type Change = fn(&mut Bend);
    for (name, change, at_10, at_20, due_20) in [
        (
            "nothing",
            (|_| ()) as Change,
            (10, 10),
            (20, 20),
            Due::At(s(20)),
        ),
        (
            "drift",
            |b| b.set_drift(twice()),
            (10, 10),
            (30, 30),
            Due::At(s(15)),
        ),
        (
            "back",
            |b| b.jump(Offset::behind(s(15))),
            (10, -5),
            (20, 5),
            Due::At(s(20)),
        ),
        (
            "set",
            |b| b.set_wall(Wall::EPOCH),
            (10, 0),
            (20, 10),
            Due::At(s(20)),
        ),
        ("frozen", Bend::freeze, (10, 10), (10, 10), Due::Never),
        (
            "lost",
            |b| b.suspend(s(4), Suspended::IsLost),
            (10, 10),
            (16, 20),
            Due::At(s(24)),
        ),
        (
            "counts",
            |b| b.suspend(s(4), Suspended::Counts),
            (10, 10),
            (20, 20),
            Due::At(s(20)),
        ),
        (
            "long",
            |b| b.suspend(s(90), Suspended::Counts),
            (10, 10),
            (10, 10),
            Due::At(s(100)),
        ),
        (
            "slew",
            |b| b.slew(Offset::behind(s(4)), s(8)),
            (10, 10),
            (20, 16),
            Due::At(s(20)),
        ),
        (
            "slewing",
            |b| b.slew(Offset::ahead(s(4)), s(40)),
            (10, 10),
            (20, 21),
            Due::At(s(20)),
        ),
        (
            "a slew of no length",
            |b| b.slew(Offset::ahead(s(4)), s(0)),
            (10, 14),
            (20, 24),
            Due::At(s(20)),
        ),
    ] {
        let mut bend = Bend::new(Wall::EPOCH);
        bend.see(s(10));
        change(&mut bend);
        assert_eq!(shows(&bend), at_10, "{name}: nothing has passed");
        assert_eq!(bend.due(s(20)), due_20, "{name}");
        bend.see(s(20));
        assert_eq!(shows(&bend), at_20, "{name}");
    }
}

#[test]
fn a_thawed_clock_goes_on_from_where_it_stood() {
    let mut bend = Bend::new(Wall::EPOCH);
    bend.see(s(10));
    bend.freeze();
    bend.see(s(60));
    bend.freeze();
    bend.thaw();
    assert_eq!(shows(&bend), (10, 10));
    assert_eq!(bend.due(s(11)), Due::At(s(61)));
    bend.see(s(65));
    bend.thaw();
    assert_eq!(shows(&bend), (15, 15));
}

#[test]
fn a_frozen_machine_does_not_notice_that_it_wakes() {
    let mut bend = Bend::new(Wall::EPOCH);
    bend.suspend(s(10), Suspended::Counts);
    bend.freeze();
    bend.see(s(15));
    assert_eq!((shows(&bend), bend.due(s(1))), ((0, 0), Due::Never));
    bend.thaw();
    assert_eq!(shows(&bend), (10, 10));
    bend.see(s(16));
    assert_eq!(shows(&bend), (11, 11));
}

#[test]
fn suspensions_add_up() {
    let mut bend = Bend::new(Wall::EPOCH);
    bend.suspend(s(5), Suspended::Counts);
    bend.see(s(3));
    bend.suspend(s(5), Suspended::IsLost);
    bend.see(s(9));
    assert_eq!(shows(&bend), (0, 0));
    bend.see(s(10));
    assert_eq!(shows(&bend), (5, 10));
}

#[test]
fn a_machine_that_is_set_in_its_sleep_wakes_with_the_right_time() {
    let mut bend = Bend::new(Wall::EPOCH);
    bend.suspend(s(10), Suspended::IsLost);
    bend.see(s(4));
    bend.set_wall(Wall::EPOCH + s(4));
    assert_eq!(shows(&bend), (0, 4));
    bend.see(s(20));
    assert_eq!(shows(&bend), (10, 20));
}

#[test]
fn what_is_left_of_a_slew_is_spread_anew() {
    let mut bend = Bend::new(Wall::EPOCH);
    bend.slew(Offset::ahead(s(8)), s(8));
    bend.see(s(4));
    assert_eq!(shows(&bend), (4, 8));
    bend.slew(Offset::behind(s(2)), s(4));
    bend.see(s(6));
    assert_eq!(shows(&bend), (6, 11));
    bend.see(s(20));
    assert_eq!(shows(&bend), (20, 26));
}

#[test]
fn a_clock_that_was_set_slews_no_more() {
    let mut bend = Bend::new(Wall::EPOCH);
    bend.slew(Offset::ahead(s(8)), s(8));
    bend.see(s(4));
    bend.set_wall(Wall::EPOCH);
    bend.see(s(8));
    assert_eq!(shows(&bend), (8, 4));
}

#[test]
fn a_base_that_goes_back_stands_still() {
    let mut bend = Bend::new(Wall::EPOCH);
    bend.see(s(10));
    bend.see(s(4));
    assert_eq!(shows(&bend), (10, 10));
}

#[test]
fn the_end_of_time_is_no_overflow() {
    let mut bend = Bend::new(Wall::MAX);
    bend.set_drift(Drift::ppm(999_000_000.0).unwrap());
    bend.slew(Offset::MIN, Duration::MAX);
    bend.suspend(Duration::MAX, Suspended::Counts);
    bend.see(Duration::MAX);
    bend.suspend(Duration::MAX, Suspended::Counts);
    bend.jump(Offset::MAX);
    assert_eq!((bend.mono(), bend.wall()), (END, Wall::MAX));
    assert_eq!(bend.due(Duration::MAX), Due::Never);
}

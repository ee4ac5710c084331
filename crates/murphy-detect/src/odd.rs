//! What becomes of beats that are not as they should be.
//!
//! | what comes | what becomes of it | held by test |
//! |---|---|---|
//! | a beat twice | the copy is [refused](crate::Refused::Duplicate) and counted; it does not make the node any younger | `a_duplicate_changes_nothing` |
//! | a beat after a later one | the same: the later one said more | `a_beat_that_was_overtaken_changes_nothing` |
//! | beats that were on their way for seconds | each counts when it arrives, so a node that died is found at most the delay later; a detector that goes by `sent` is not made deaf by them | `delayed_beats_delay_a_death_by_no_more_than_they_were` |
//! | beats that waited while the observer stood still | they are signs of life, and teach the detector nothing | `a_beat_that_waited_teaches_the_detector_nothing` |
//! | a restart, without silence | [`Restarted`](crate::Event::Restarted), and the detector begins anew | `a_restart_is_told_even_without_silence` |
//! | a restart of a suspect, of the dead | a suspect is trusted; the dead has to beat as often as any | `a_suspect_that_restarted_is_trusted_and_a_dead_one_has_to_beat_twice` |
//! | a beat of an earlier life | [refused](crate::Refused::Stale), and counted; the sender is told, and begins a life above it | `a_beat_of_an_earlier_life_changes_nothing`, `a_node_that_is_told_of_a_later_life_begins_one_above_it` |
//! | a beat of a life that was forgotten | [refused](crate::Refused::Forgotten): no ghosts | `a_forgotten_life_is_never_admitted_again` |
//! | an incarnation from the future | believed below 2^63, or up to [a bound](crate::Monitor::incarnation_ahead) above the last; [refused](crate::Refused::FromTheFuture) and counted beyond | `an_incarnation_from_the_future_is_refused_beyond_the_bound`, `there_is_always_a_life_above_the_highest` |
//! | a period that is 3.5 % longer than the interval that is claimed | no suspicion in ten thousand beats, and a crash is found all the same | `a_sender_whose_period_drifts_is_not_suspected` |
//! | an interval that nobody has | [refused](crate::Refused::Interval) and counted: it bounds how late a claim can make us | `an_interval_that_no_node_has_is_refused` |
//! | the time of day is set | nothing: it is not looked at | `a_step_of_the_time_of_day_kills_every_node_of_the_chapter_and_none_of_ours`, `a_step_back_hides_the_dead_of_the_chapter_and_none_of_ours` |
//! | the observer's monotonic clock stands still or leaps (a pause, a suspended machine) | a pause: the time does not count | `a_pause_of_the_observer_kills_nobody`, `a_machine_that_was_suspended_kills_nobody` |
//! | the sender's clock leaps | its beats count; the detector learns the new offset | `a_sender_whose_clock_leaps_is_found_when_it_crashes` |
//! | time is told backwards | it stands still until it is past the last | `time_that_is_told_backwards_stands_still` |
//! | random, cut or altered bytes | no beat: dropped and counted | `whatever_comes_is_refused_or_well_formed`, `every_message_that_was_cut_is_refused`, `every_single_flipped_bit_is_found` |

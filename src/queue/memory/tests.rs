//! What a queue takes, drops and hands out, and who waits for whom.

use super::super::rhythm::Rhythm;
use super::super::testing::{Numbers, settings};
use super::*;

fn memory(settings: Settings) -> Memory<Numbers> {
    let mut settings = settings;
    settings.correct("q");
    let counters = Counters::register("q", &settings, &stats::Set::default());
    Memory::new(&settings, counters)
}

fn taken(queue: &Memory<Numbers>) -> Vec<u32> {
    let mut list = Vec::new();
    queue.add_worker();
    queue.enter(Phase::Draining);
    while queue.next(0, &mut list, &mut Rhythm::default()) == Next::Work {}
    list.iter().flat_map(|work| work.0.iter().map(|message| message.0)).collect()
}

#[test]
fn a_full_queue_takes_what_fits_and_counts_the_rest() {
    let settings = Settings { size: 10, timeout_enqueue: Duration::ZERO, ..settings() };
    let queue = memory(settings);
    queue.push(Numbers::of(0..7, 6), FlowControl::None);
    queue.push(Numbers::of(7..14, 6), FlowControl::None);
    queue.push(Numbers::of(14..15, 6), FlowControl::None);
    let counters = &queue.counters;
    assert_eq!((counters.full.get(), counters.discarded_full.get()), (2, 5));
    assert_eq!((counters.enqueued.get(), counters.max_size.get()), (15, 10));
    assert_eq!(taken(&queue), (0..10).collect::<Vec<_>>());
}

#[test]
fn above_the_discard_mark_only_important_messages_are_taken() {
    let settings = Settings { size: 100, discard_mark: 90, discard_severity: 5, ..settings() };
    let queue = memory(settings);
    queue.push(Numbers::of(0..88, 7), FlowControl::None);
    queue.push(Numbers::of(88..93, 5), FlowControl::None);
    queue.push(Numbers::of(93..95, 4), FlowControl::None);
    assert_eq!(queue.counters.discarded_mark.get(), 3);
    // The important ones are above the mark: as many in front make room.
    let mut want: Vec<u32> = (3..90).collect();
    want.extend([93, 94]);
    assert_eq!(taken(&queue), want);
}

#[test]
fn above_the_discard_mark_unimportant_messages_in_front_go_until_it_is_reached() {
    let settings = Settings { size: 100, discard_mark: 10, discard_severity: 5, ..settings() };
    let queue = memory(settings);
    queue.push(Numbers::of(0..5, 5), FlowControl::None);
    queue.push(Numbers::of(5..8, 4), FlowControl::None);
    queue.push(Numbers::of(8..10, 6), FlowControl::None);
    queue.push(Numbers::of(10..13, 4), FlowControl::None);
    // 13 wait: of the first five four go, then nine are below the mark.
    assert_eq!(taken(&queue), [[4].as_slice(), &[5, 6, 7, 8, 9, 10, 11, 12]].concat());
    assert_eq!((queue.counters.discarded_mark.get(), queue.len()), (4, 9));
}

#[test]
fn sampling_keeps_every_nth() {
    let queue = memory(Settings { sampling: 3, ..settings() });
    queue.push(Numbers::of(1..5, 7), FlowControl::None);
    queue.push(Numbers::of(5..8, 7), FlowControl::None);
    assert_eq!(queue.counters.sampled_out.as_ref().map(|c| c.get()), Some(5));
    assert_eq!(taken(&queue), [3, 6]);
}

#[test]
fn release_lets_everyone_go_and_loses_nothing() {
    let settings = Settings { size: 10, timeout_enqueue: Duration::from_secs(600), ..settings() };
    let queue = memory(settings);
    queue.push(Numbers::of(0..10, 6), FlowControl::None);
    std::thread::scope(|scope| {
        for (first, flow) in [(10, FlowControl::None), (15, FlowControl::Full)] {
            let queue = &queue;
            scope.spawn(move || queue.push(Numbers::of(first..first + 5, 6), flow));
        }
        // Whether they are asleep already or not yet there: both must come through.
        queue.release();
    });
    let mut got = taken(&queue);
    got.sort_unstable();
    assert_eq!(got, (0..20).collect::<Vec<_>>());
    assert_eq!(queue.counters.discarded_full.get(), 0);
}

#[test]
fn an_action_queue_may_hold_up_as_the_messages_inputs_ask_for() {
    // The messages of these tests ask for the most.
    for (flow_from_message, held) in [(true, 1), (false, 0)] {
        let settings = Settings { size: 100, full_delay: Some(5), flow_from_message, ..settings() };
        let queue = memory(settings);
        queue.push(Numbers::of(0..10, 6), FlowControl::None);
        std::thread::scope(|scope| {
            let submitter = scope.spawn(|| queue.push(Numbers::of(10..20, 6), FlowControl::None));
            while lock(&queue.state).held_full < held {
                assert!(!submitter.is_finished(), "nothing held it up");
                std::thread::yield_now();
            }
            if held == 0 {
                submitter.join().expect("it goes on");
            }
            queue.release();
        });
        assert_eq!(taken(&queue), (0..20).collect::<Vec<_>>());
    }
}

#[test]
fn submitters_continue_when_a_worker_makes_room() {
    for flow in [FlowControl::None, FlowControl::Light, FlowControl::Full] {
        let settings =
            Settings { size: 10, timeout_enqueue: Duration::from_secs(600), ..settings() };
        let queue = memory(settings);
        queue.add_worker();
        queue.push(Numbers::of(0..10, 6), FlowControl::None);
        std::thread::scope(|scope| {
            scope.spawn(|| queue.push(Numbers::of(10..20, 6), flow));
            let mut list = Vec::new();
            let mut done = 0;
            let mut got = 0;
            while got < 20 {
                assert_eq!(queue.next(done, &mut list, &mut Rhythm::default()), Next::Work);
                done = list.drain(..).map(|work| work.len()).sum();
                got += done;
            }
            queue.done(done);
        });
        assert_eq!(queue.len(), 0, "{flow:?}");
    }
}

#[test]
fn inputs_are_paced_while_the_queue_moves_and_only_then() {
    let queue = memory(settings());
    queue.push(Numbers::of(0..9_000, 6), FlowControl::None);
    // Nobody commits: after one short wait the queue counts as stalled, and no one waits any more.
    queue.push(Numbers::of(9_000..9_001, 6), FlowControl::Light);
    assert!(lock(&queue.state).stalled);
    queue.push(Numbers::of(9_001..9_002, 6), FlowControl::Light);
    assert_eq!(queue.len(), 9_002);
    queue.add_worker();
    std::thread::scope(|scope| {
        let mut list = Vec::new();
        assert_eq!(queue.next(0, &mut list, &mut Rhythm::default()), Next::Work);
        queue.done(1);
        assert!(!lock(&queue.state).stalled);
        scope.spawn(|| queue.push(Numbers::of(9_002..9_003, 6), FlowControl::Light));
        queue.done(8_999);
    });
    assert_eq!(queue.len(), 3);
    assert!(!lock(&queue.state).stalled);
}

#[test]
fn an_input_learns_when_the_pressure_is_off() {
    let queue = memory(settings());
    queue.push(Numbers::of(0..8_000, 6), FlowControl::None);
    assert!(!queue.is_pressed(PACE));
    queue.push(Numbers::of(8_000..9_000, 6), FlowControl::None);
    assert!(queue.is_pressed(Duration::ZERO));
    queue.add_worker();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| queue.is_pressed(Duration::from_secs(600)));
        let mut list = Vec::new();
        assert_eq!(queue.next(0, &mut list, &mut Rhythm::default()), Next::Work);
        queue.done(9_000);
        assert!(!asked.join().unwrap());
    });
}

#[test]
fn a_minimum_batch_is_waited_for_but_not_for_ever() {
    let given = Settings {
        min_dequeue_batch: 5,
        min_dequeue_timeout: Duration::from_secs(600),
        ..settings()
    };
    let queue = memory(given.clone());
    queue.add_worker();
    queue.push(Numbers::of(0..3, 6), FlowControl::None);
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let mut list = Vec::new();
            queue.next(0, &mut list, &mut Rhythm::default());
            list.iter().map(Work::len).sum::<usize>()
        });
        queue.push(Numbers::of(3..5, 6), FlowControl::None);
        assert_eq!(worker.join().unwrap(), 5);
    });
    let queue = memory(Settings { min_dequeue_timeout: Duration::ZERO, ..given });
    queue.add_worker();
    queue.push(Numbers::of(0..3, 6), FlowControl::None);
    assert_eq!(queue.next(0, &mut Vec::new(), &mut Rhythm::default()), Next::Work);
}

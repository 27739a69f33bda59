//! Models: every interleaving of a few threads, at the granularity of locks and condition variables. A lost
//! wake-up shows as a deadlock. In a model no wait ever times out.

use loom::sync::Arc;
use loom::thread;

use super::super::rhythm::Rhythm;
use super::super::testing::{Numbers, settings};
use super::*;

fn memory(given: Settings) -> Arc<Memory<Numbers>> {
    let mut settings = given;
    settings.correct("q");
    let counters = Counters::register("q", &settings, &stats::Set::default());
    Arc::new(Memory::new(&settings, counters))
}

/// A worker thread's loop: returns the messages it has seen.
fn worker(queue: &Arc<Memory<Numbers>>) -> thread::JoinHandle<Vec<u32>> {
    queue.add_worker();
    let queue = Arc::clone(queue);
    thread::spawn(move || {
        let (mut seen, mut list, mut done) = (Vec::new(), Vec::new(), 0);
        while queue.next(done, &mut list, &mut Rhythm::default()) == Next::Work {
            done = 0;
            for work in list.drain(..) {
                done += work.len();
                seen.extend(work.0.iter().map(|message| message.0));
            }
        }
        queue.thread_ended();
        seen
    })
}

fn submitter(
    queue: &Arc<Memory<Numbers>>,
    ids: std::ops::Range<u32>,
    flow: FlowControl,
) -> thread::JoinHandle<()> {
    let queue = Arc::clone(queue);
    thread::spawn(move || {
        for id in ids {
            queue.push(Numbers::of(id..id + 1, 6), flow);
        }
    })
}

fn finish(queue: &Memory<Numbers>, workers: Vec<thread::JoinHandle<Vec<u32>>>, want: u32) {
    assert!(queue.drain(Instant::now() + Duration::from_secs(3600)));
    assert_eq!(queue.abandon(), 0);
    let mut seen: Vec<u32> = workers.into_iter().flat_map(|w| w.join().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..want).collect::<Vec<_>>());
    assert_eq!(queue.counters.discarded_full.get(), 0);
}

#[test]
fn loom_queue_one_worker_sees_every_message_once() {
    loom::model(|| {
        let queue = memory(settings());
        let workers = vec![worker(&queue)];
        submitter(&queue, 0..2, FlowControl::None).join().unwrap();
        finish(&queue, workers, 2);
    });
}

#[test]
fn loom_queue_two_workers_share_and_both_end() {
    loom::model(|| {
        let queue = memory(Settings { workers: 2, worker_messages: 1, ..settings() });
        let workers = vec![worker(&queue), worker(&queue)];
        queue.push(Numbers::of(0..1, 6), FlowControl::None);
        queue.push(Numbers::of(1..2, 6), FlowControl::None);
        finish(&queue, workers, 2);
    });
}

#[test]
fn loom_queue_full_submitters_are_woken() {
    loom::model(|| {
        let queue = memory(Settings { size: 1, ..settings() });
        let workers = vec![worker(&queue)];
        let submitters = [
            submitter(&queue, 0..1, FlowControl::None),
            submitter(&queue, 1..3, FlowControl::None),
        ];
        for submitter in submitters {
            submitter.join().unwrap();
        }
        finish(&queue, workers, 3);
    });
}

#[test]
fn loom_queue_held_submitters_are_woken() {
    for flow in [FlowControl::Light, FlowControl::Full] {
        loom::model(move || {
            // The pace of a light hold is the same mark.
            let marks = Settings { light_delay: Some(1), full_delay: Some(1), ..settings() };
            let queue = memory(marks);
            let workers = vec![worker(&queue)];
            submitter(&queue, 0..3, flow).join().unwrap();
            finish(&queue, workers, 3);
        });
    }
}

#[test]
fn loom_queue_release_lets_everyone_go() {
    loom::model(|| {
        let queue = memory(Settings { size: 1, full_delay: Some(1), ..settings() });
        let submitters = [
            submitter(&queue, 0..2, FlowControl::None),
            submitter(&queue, 2..3, FlowControl::Full),
        ];
        queue.release();
        for submitter in submitters {
            submitter.join().unwrap();
        }
        let workers = vec![worker(&queue)];
        finish(&queue, workers, 3);
    });
}

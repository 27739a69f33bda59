//! The thread that runs [`Task`]s: by time, on HUP, at the end.
//!
//! Signals have a thread of their own, the main one, because a task may wait: for a share that hangs, for the
//! other end of a connection. Stop and HUP must not.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::sys::process;
use crate::task::Task;

/// What wakes the thread, apart from time.
enum Event {
    /// What is in the box is dropped when all tasks have been told.
    Hup(Box<dyn Send>),
    /// The channel is closed when all tasks have been told.
    InputsEnded(Sender<()>),
}

/// The running thread. Dropped without [`ControlThread::stop`], it leaves the thread to end by itself.
pub struct ControlThread {
    events: Option<Sender<Event>>,
    thread: JoinHandle<()>,
    ended: Receiver<()>,
}

impl ControlThread {
    /// Starts `tasks` here and then the thread.
    ///
    /// # Errors
    /// When the thread cannot be had.
    pub fn start(mut tasks: Vec<Box<dyn Task>>) -> io::Result<Self> {
        tasks.iter_mut().for_each(|task| task.start());
        let (events, wake) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let thread = process::spawn("control", move || {
            run(tasks, &wake);
            drop(end);
        })?;
        Ok(Self { events: Some(events), thread, ended })
    }

    /// Lets the thread tell all tasks of a HUP, and drop `busy` then. Does not wait.
    pub fn hup(&self, busy: impl Send + 'static) {
        self.send(Event::Hup(Box::new(busy)));
    }

    /// Tells all tasks that the inputs have ended; returns whether they were done with that within `patience`.
    #[must_use]
    pub fn inputs_ended(&self, patience: Duration) -> bool {
        let (told, wait) = mpsc::channel();
        self.send(Event::InputsEnded(told));
        wait.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    /// Stops all tasks and ends the thread; returns whether that was done within `patience`. A thread that is not
    /// done is left behind.
    #[must_use]
    pub fn stop(mut self, patience: Duration) -> bool {
        self.events = None;
        let done = self.ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected);
        if done {
            // The release build aborts on panic; in a test build the panic has been printed.
            let _ = self.thread.join();
        }
        done
    }

    fn send(&self, event: Event) {
        if let Some(events) = &self.events {
            // It fails only after a panic of the thread, which ends the release build.
            let _ = events.send(event);
        }
    }
}

/// A task and when it is due.
struct Timed {
    task: Box<dyn Task>,
    due: Option<Instant>,
}

impl Timed {
    fn new(task: Box<dyn Task>, now: Instant) -> Self {
        let due = task.interval().map(|interval| now + interval);
        Self { task, due }
    }

    /// Runs the task if it is time. Runs that were missed are not made up for.
    fn run(&mut self, now: Instant) {
        let Some(due) = self.due.filter(|due| *due <= now) else { return };
        self.task.run();
        self.due = self.task.interval().map(|interval| (due + interval).max(Instant::now()));
    }
}

fn run(tasks: Vec<Box<dyn Task>>, events: &Receiver<Event>) {
    let now = Instant::now();
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| Timed::new(task, now)).collect();
    loop {
        match wait(events, tasks.iter().filter_map(|timed| timed.due).min()) {
            Ok(Event::Hup(busy)) => {
                tasks.iter_mut().for_each(|timed| timed.task.hup());
                drop(busy);
            }
            Ok(Event::InputsEnded(told)) => {
                tasks.iter_mut().for_each(|timed| timed.task.inputs_ended());
                drop(told);
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                tasks.iter_mut().for_each(|timed| timed.run(now));
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    tasks.iter_mut().for_each(|timed| timed.task.stop());
}

/// The next event, at most until `due`.
fn wait(events: &Receiver<Event>, due: Option<Instant>) -> Result<Event, RecvTimeoutError> {
    match due {
        None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(due) => events.recv_timeout(due.saturating_duration_since(Instant::now())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test runs.
    const LONG: Duration = Duration::from_secs(60);

    /// Reports what it is told.
    struct Report(Option<Duration>, Sender<&'static str>);

    impl Task for Report {
        fn interval(&self) -> Option<Duration> {
            self.0
        }
        fn start(&mut self) {
            self.1.send("start").unwrap();
        }
        fn run(&mut self) {
            self.0 = None;
            self.1.send("run").unwrap();
        }
        fn hup(&mut self) {
            self.1.send("hup").unwrap();
        }
        fn inputs_ended(&mut self) {
            self.1.send("inputs ended").unwrap();
        }
        fn stop(&mut self) {
            self.1.send("stop").unwrap();
        }
    }

    fn thread(interval: Option<Duration>) -> (ControlThread, Receiver<&'static str>) {
        let (report, reports) = mpsc::channel();
        (ControlThread::start(vec![Box::new(Report(interval, report))]).unwrap(), reports)
    }

    #[test]
    fn a_task_is_told_everything_in_order() {
        let (thread, reports) = thread(None);
        let (busy, done) = mpsc::channel::<()>();
        thread.hup(busy);
        assert!(done.recv().is_err(), "the guard is dropped");
        assert!(thread.inputs_ended(LONG));
        assert!(thread.stop(LONG));
        let told: Vec<_> = reports.iter().collect();
        assert_eq!(told, ["start", "hup", "inputs ended", "stop"]);
    }

    #[test]
    fn a_task_runs_when_its_interval_is_over_and_may_change_that() {
        let (thread, reports) = thread(Some(Duration::from_millis(1)));
        assert_eq!((reports.recv(), reports.recv()), (Ok("start"), Ok("run")));
        assert!(thread.stop(LONG));
        assert_eq!(reports.iter().collect::<Vec<_>>(), ["stop"]);
    }

    #[test]
    fn a_task_that_hangs_holds_up_nobody_for_longer_than_asked() {
        struct Hang(Receiver<()>);
        impl Task for Hang {
            fn interval(&self) -> Option<Duration> {
                None
            }
            fn run(&mut self) {}
            fn inputs_ended(&mut self) {
                let _ = self.0.recv();
            }
        }
        let (release, hang) = mpsc::channel();
        let thread = ControlThread::start(vec![Box::new(Hang(hang))]).unwrap();
        assert!(!thread.inputs_ended(Duration::from_millis(1)));
        drop(release);
        assert!(thread.stop(LONG));
    }

    #[test]
    fn missed_runs_are_not_made_up_for() {
        struct Count(u32);
        impl Task for Count {
            fn interval(&self) -> Option<Duration> {
                Some(Duration::from_secs(1))
            }
            fn run(&mut self) {
                self.0 += 1;
            }
        }
        let start = Instant::now();
        let mut timed = Timed::new(Box::new(Count(0)), start);
        timed.run(start);
        assert_eq!(timed.due, Some(start + Duration::from_secs(1)), "not yet");
        timed.run(start + Duration::from_secs(10));
        assert!(timed.due >= Some(start + Duration::from_secs(2)));
    }
}

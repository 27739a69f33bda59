//! A window per process of this machine, in bounded memory: processes that have ended make room first.

use std::collections::HashMap;
use std::sync::Arc;

use super::policy::Limits;
use super::window::Window;
use crate::limits::{RATE_PROCESSES, RATE_PROCESSES_LOOK};
use crate::stats::Counter;
use crate::sys::process;

/// The processes seen lately.
#[derive(Debug)]
pub struct Processes {
    /// Name of the limiter they belong to.
    limiter: String,
    known: HashMap<i32, Process>,
    /// With so many it is time to look which have ended.
    look: usize,
    /// Shows how many there are.
    number: Arc<Counter>,
}

#[derive(Debug)]
struct Process {
    /// As messages name it.
    name: String,
    window: Window,
}

impl Processes {
    /// None yet.
    #[must_use]
    pub fn new(limiter: &str, number: Arc<Counter>) -> Self {
        let (limiter, known) = (limiter.to_owned(), HashMap::new());
        Self { limiter, known, look: RATE_PROCESSES_LOOK, number }
    }

    /// The window of process `pid`, and the name that messages about it have. Others may go for it, and what they
    /// have lost is told then.
    pub fn of(&mut self, pid: i32, limits: Limits) -> (&str, &mut Window) {
        if !self.known.contains_key(&pid) {
            self.make_room(limits);
            self.number.add(1);
        }
        let process = self.known.entry(pid).or_insert_with(|| {
            let name = format!("{}[{}]", self.limiter, describe(pid));
            Process { name, window: Window::default() }
        });
        (&process.name, &mut process.window)
    }

    /// The end: tells what is to be told of all. The last report counts them still, as the reference's does.
    pub fn finish(&mut self, limits: Limits) {
        for Process { name, window } in self.known.values_mut() {
            super::tell_missed(name, window.take_missed(), limits);
        }
    }

    /// Each look doubles the distance to the next one, so that new processes pay a constant price for it.
    fn make_room(&mut self, limits: Limits) {
        if self.known.len() < self.look.min(RATE_PROCESSES) {
            return;
        }
        self.retain(limits, process::is_alive);
        if self.known.len() >= RATE_PROCESSES
            && let Some(any) = self.known.keys().next().copied()
        {
            self.retain(limits, |pid| pid != any);
        }
        self.look = (2 * self.known.len()).max(RATE_PROCESSES_LOOK);
    }

    fn retain(&mut self, limits: Limits, stays: impl Fn(i32) -> bool) {
        let before = self.known.len();
        self.known.retain(|pid, process| {
            let stays = stays(*pid);
            if !stays {
                super::tell_missed(&process.name, process.window.take_missed(), limits);
            }
            stays
        });
        self.number.sub((before - self.known.len()) as u64);
    }
}

/// `pid: 1, name: /sbin/init`, the name as the process was called, if it is still there to be asked.
fn describe(pid: i32) -> String {
    let called = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let called = called.split(|byte| *byte == 0).next().unwrap_or_default();
    let called = called.get(..NAME_BYTES).unwrap_or(called);
    if called.is_empty() {
        return format!("pid: {pid}");
    }
    format!("pid: {pid}, name: {}", String::from_utf8_lossy(called))
}

/// Bytes of a process's name that are shown, as in the reference.
const NAME_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::super::window::Verdict;
    use super::*;

    const LIMITS: Limits =
        Limits { interval: 10, burst: 1, severity: 0, mode: super::super::policy::Mode::Drop };

    #[test]
    fn each_process_has_a_window_and_a_name() {
        let number = Arc::<Counter>::default();
        let mut processes = Processes::new("imuxsock", Arc::clone(&number));
        let own = i32::try_from(std::process::id()).unwrap();
        for pid in [own, 0] {
            let (name, window) = processes.of(pid, LIMITS);
            assert!(name.starts_with(&format!("imuxsock[pid: {pid}")), "{name}");
            assert_eq!(name.contains(", name: /"), pid == own, "{name}");
            assert_eq!(window.admit(1), Verdict::Passed);
            let (_, window) = processes.of(pid, LIMITS);
            assert_eq!(window.admit(1), Verdict::Dropped { first: true });
        }
        assert_eq!(number.get(), 2);
        processes.finish(LIMITS);
        assert_eq!(number.get(), 2);
    }

    /// Process ids beyond any that the kernel gives: all have ended.
    #[test]
    fn ended_processes_make_room_and_the_living_stay() {
        let number = Arc::<Counter>::default();
        let mut processes = Processes::new("x", Arc::clone(&number));
        let own = i32::try_from(std::process::id()).unwrap();
        let _ = processes.of(own, LIMITS).1.admit(1);
        for pid in (0..).map(|n| i32::MAX - n).take(10 * RATE_PROCESSES_LOOK) {
            processes.of(pid, LIMITS);
            assert!(processes.known.len() <= RATE_PROCESSES_LOOK);
            assert_eq!(number.get(), processes.known.len() as u64);
        }
        assert_eq!(processes.of(own, LIMITS).1.admit(1), Verdict::Dropped { first: true });
    }
}

//! Names of senders: reverse DNS off the receive path, with bounded caches and bounded waits.
//!
//! ```text
//! accept, first datagram ──prefetch──► wanted (bounded) ──► resolver thread ──► cache
//! first use of fromhost ──name──► cache, or wait at most WAIT for the answer under way
//! ```
//! One thread asks the C library, one question at a time. Who needs a name that is not there yet waits for
//! `WAIT` at most. After a wait in vain nobody waits again until an answer has come within `WAIT`, so a
//! dead name server holds the queue's consumer up once and not once per sender; meanwhile messages show the
//! address. Names that are known stay until the cache is full, or until its time to live where one is set.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::message::{Name, Names};
use crate::stats::{self, Counter};
use crate::sync::{Condvar, Mutex, MutexGuard, lock};
use crate::sys::process;
use crate::sys::resolve::{self, Answer};

/// Longest wait for a name.
const WAIT: Duration = Duration::from_millis(100);
/// Names kept: twice as many at most, in two generations.
const GENERATION_NAMES_MAX: usize = 8192;
/// Questions waiting for the thread; more are dropped, and asked again on use.
const WANTED_MAX: usize = 1024;
/// How long a failure (not: "there is no such name") is believed.
const FAILURE_TIME: Duration = Duration::from_secs(30);

/// Asks for a name; replaced in tests.
type Ask = Box<dyn Fn(SocketAddr) -> Answer + Send>;

/// The resolver. Its thread ends some time after the last handle is dropped: it may sit in the C library for
/// long, and nobody waits for that.
#[derive(Debug)]
pub struct Resolver(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something in `wanted`, or the end.
    work: Condvar,
    /// An answer has come.
    answered: Condvar,
    /// `reverselookup.cache.ttl.default`, where it is enabled.
    ttl: Option<Duration>,
    /// `dropMsgsWithMaliciousDNSPTRRecords`.
    drops_forged: bool,
    /// [`WAIT`]; another in tests.
    wait: Duration,
    counters: Counters,
}

/// What is counted: object `resolver`.
#[derive(Debug, Default)]
struct Counters {
    /// Questions to the C library, and those that failed.
    asked: Arc<Counter>,
    failed: Arc<Counter>,
    /// Names that were known when they were asked for, and those that were not to be had in time.
    hits: Arc<Counter>,
    late: Arc<Counter>,
    /// Questions for which there was no room.
    dropped: Arc<Counter>,
    /// Messages and connections of senders with forged names that were dropped.
    forged: Arc<Counter>,
    /// Answers kept, also those that there is no name.
    kept: Arc<Counter>,
    /// Questions that wait for the thread.
    waiting: Arc<Counter>,
}

impl Counters {
    fn register(stats: &stats::Set) -> Self {
        let mut object = stats::Object::new("resolver", "core.dns");
        let counters = Self {
            asked: object.counter("asked"),
            failed: object.counter("failed"),
            hits: object.counter("hits"),
            late: object.counter("late"),
            dropped: object.counter("dropped"),
            forged: object.counter("forged"),
            kept: object.gauge("kept"),
            waiting: object.gauge("waiting"),
        };
        stats.add(object);
        counters
    }
}

#[derive(Debug, Default)]
struct State {
    /// Entries of this and of the last generation; what is used moves to `young`.
    young: HashMap<IpAddr, Entry>,
    old: HashMap<IpAddr, Entry>,
    wanted: VecDeque<SocketAddr>,
    /// Nobody waits: the last wait was in vain, and no answer has been quick since.
    is_slow: bool,
    is_closed: bool,
}

#[derive(Clone, Debug)]
enum Entry {
    /// The question is in `wanted` or under way.
    Asked,
    /// The answer, and the time until which it holds; `None` is for good.
    Known(Answer, Option<Instant>),
}

impl Resolver {
    /// A resolver that answers nothing before [`Resolver::start`]. `ttl` limits how long a name is kept;
    /// `drops_forged`: messages of senders with forged names are not taken.
    #[must_use]
    pub fn new(ttl: Option<Duration>, drops_forged: bool, stats: &stats::Set) -> Self {
        let counters = Counters::register(stats);
        Self(Arc::new(Shared { ttl, drops_forged, wait: WAIT, counters, ..Shared::default() }))
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no further thread to be had.
    pub fn start(&self) -> io::Result<()> {
        let drops = self.0.drops_forged;
        self.start_asking(Box::new(move |addr| {
            without_forgery(addr, resolve::name_of(addr), drops)
        }))
    }

    fn start_asking(&self, ask: Ask) -> io::Result<()> {
        let thread = Arc::clone(&self.0);
        process::spawn("resolver", move || thread.run(&ask)).map(drop)
    }
}

impl Names for Resolver {
    fn name(&self, addr: SocketAddr) -> Name {
        let begin = Instant::now();
        let mut waited = false;
        let mut state = lock(&self.0.state);
        loop {
            // Whoever has waited takes the answer, however short its life.
            match state.find(addr.ip(), begin) {
                Some(Entry::Known(answer, _)) => {
                    self.0.counters.hits.add(u64::from(!waited));
                    return match answer {
                        Answer::Name(name) => Name::Known(name),
                        Answer::Unknown => Name::Unknown,
                        Answer::Forged => Name::Forged,
                        Answer::Failed => Name::Pending,
                    };
                }
                Some(Entry::Asked) => {}
                None if self.0.want(&mut state, addr) => {}
                None => return self.0.late(),
            }
            if state.is_slow {
                return self.0.late();
            }
            let left = self.0.wait.saturating_sub(begin.elapsed());
            if left.is_zero() {
                state.is_slow = true;
                return self.0.late();
            }
            waited = true;
            state = wait_timeout(&self.0.answered, state, left);
        }
    }

    fn prefetch(&self, addr: SocketAddr) {
        let mut state = lock(&self.0.state);
        if state.find(addr.ip(), Instant::now()).is_none() {
            self.0.want(&mut state, addr);
        }
    }

    fn drops_forged(&self) -> bool {
        self.0.drops_forged
    }

    fn count_forged(&self) {
        self.0.counters.forged.add(1);
    }

    fn ttl(&self) -> Option<Duration> {
        self.0.ttl
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        lock(&self.0.state).is_closed = true;
        self.0.work.notify_one();
    }
}

impl Shared {
    /// A name that is not to be had in time.
    fn late(&self) -> Name {
        self.counters.late.add(1);
        Name::Pending
    }

    /// Queues the question; `false` where there is no room.
    fn want(&self, state: &mut State, addr: SocketAddr) -> bool {
        if state.wanted.len() >= WANTED_MAX {
            self.counters.dropped.add(1);
            return false;
        }
        state.wanted.push_back(addr);
        state.insert(addr.ip(), Entry::Asked);
        self.counters.waiting.set(state.wanted.len() as u64);
        self.work.notify_one();
        true
    }

    /// The thread: answers until the resolver is dropped.
    fn run(&self, ask: &Ask) {
        while let Some(addr) = self.next() {
            let begin = Instant::now();
            let answer = ask(addr);
            let life = if answer == Answer::Failed { Some(FAILURE_TIME) } else { self.ttl };
            let now = Instant::now();
            let mut state = lock(&self.state);
            if now - begin < self.wait && answer != Answer::Failed {
                state.is_slow = false;
            }
            self.counters.asked.add(1);
            self.counters.failed.add(u64::from(answer == Answer::Failed));
            state.insert(addr.ip(), Entry::Known(answer, life.map(|life| now + life)));
            self.counters.kept.set((state.young.len() + state.old.len()) as u64);
            self.counters.waiting.set(state.wanted.len() as u64);
            self.answered.notify_all();
        }
    }

    /// The next question; `None` is the end.
    fn next(&self) -> Option<SocketAddr> {
        let mut state = lock(&self.state);
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(addr) = state.wanted.pop_front() {
                return Some(addr);
            }
            state = crate::sync::wait(&self.work, state);
        }
    }
}

impl State {
    /// The entry of `ip`, if it held at `time`.
    fn find(&mut self, ip: IpAddr, time: Instant) -> Option<Entry> {
        let entry = match self.young.get(&ip) {
            Some(entry) => entry.clone(),
            None => {
                let entry = self.old.remove(&ip)?;
                self.insert(ip, entry.clone());
                entry
            }
        };
        match entry {
            Entry::Known(_, Some(until)) if until <= time => None,
            entry => Some(entry),
        }
    }

    fn insert(&mut self, ip: IpAddr, entry: Entry) {
        if self.young.len() >= GENERATION_NAMES_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(ip, entry);
    }
}

fn wait_timeout<'a>(
    condvar: &Condvar,
    state: MutexGuard<'a, State>,
    time: Duration,
) -> MutexGuard<'a, State> {
    condvar.wait_timeout(state, time).unwrap_or_else(std::sync::PoisonError::into_inner).0
}

/// A name that is itself an address is an attempt to pass for another host, and is not used; where it `drops` the
/// messages, nothing else of the sender is, either.
fn without_forgery(addr: SocketAddr, answer: Answer, drops: bool) -> Answer {
    match answer {
        Answer::Name(name) if resolve::is_address(&name) => {
            if drops {
                log::error!(
                    "Malicious PTR record, message dropped IP = \"{}\" HOST = \"{}\"",
                    addr.ip(),
                    String::from_utf8_lossy(&name),
                );
                return Answer::Forged;
            }
            log::error!(
                "Malicious PTR record (message accepted, but used IP instead of PTR name: IP = \"{}\" \
                 HOST = \"{}\")",
                addr.ip(),
                String::from_utf8_lossy(&name),
            );
            Answer::Unknown
        }
        answer => answer,
    }
}

/// The local host name, as messages of this machine carry it: what the kernel says or, where that has no
/// domain and `dns` permits, what the resolver makes of it; without its domain unless `preserve_fqdn`.
/// May block for as long as the resolver likes.
#[must_use]
pub fn local_name(dns: bool, preserve_fqdn: bool) -> Vec<u8> {
    let canonical = |host: &[u8]| if dns { resolve::canonical_name(host) } else { None };
    local_name_of(process::hostname(), canonical, preserve_fqdn)
}

fn local_name_of(
    host: Vec<u8>,
    canonical: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    preserve_fqdn: bool,
) -> Vec<u8> {
    let mut name = if host.contains(&b'.') { host } else { canonical(&host).unwrap_or(host) };
    if let Some(dot) = name.iter().position(|&b| b == b'.') {
        if preserve_fqdn {
            name.iter_mut().skip(dot).for_each(|b| b.make_ascii_lowercase());
        } else {
            name.truncate(dot);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    const PATIENCE: Duration = Duration::from_secs(60);

    fn addr(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 514))
    }

    fn name(text: &str) -> Answer {
        Answer::Name(text.as_bytes().into())
    }

    fn known(text: &str) -> Name {
        Name::Known(text.as_bytes().into())
    }

    /// A resolver whose questions arrive here and which waits for the answers from here.
    fn scripted(
        ttl: Option<Duration>,
        wait: Duration,
    ) -> (Resolver, Receiver<SocketAddr>, Sender<Answer>) {
        let (ask, asked) = channel();
        let (answers, answer) = channel::<Answer>();
        let ask = move |addr| {
            let _ = ask.send(addr);
            answer.recv().unwrap_or(Answer::Failed)
        };
        let resolver = Resolver(Arc::new(Shared { ttl, wait, ..Shared::default() }));
        resolver.start_asking(Box::new(ask)).unwrap();
        (resolver, asked, answers)
    }

    #[test]
    fn names_are_asked_for_once_per_address() {
        let (resolver, asked, answers) = scripted(None, PATIENCE);
        answers.send(name("one.Example")).unwrap();
        resolver.prefetch(addr(1));
        assert_eq!(resolver.name(addr(1)), known("one.Example"));
        let other_port = SocketAddr::new(addr(1).ip(), 9);
        assert_eq!(resolver.name(other_port), known("one.Example"));
        answers.send(Answer::Unknown).unwrap();
        assert_eq!(resolver.name(addr(2)), Name::Unknown);
        assert_eq!(resolver.name(addr(2)), Name::Unknown);
        drop(answers);
        assert_eq!(asked.try_iter().collect::<Vec<_>>(), [addr(1), addr(2)]);
    }

    #[test]
    fn a_server_that_does_not_answer_is_waited_for_once() {
        let (resolver, asked, answers) = scripted(None, Duration::from_millis(1));
        assert_eq!(resolver.name(addr(1)), Name::Pending);
        assert!(lock(&resolver.0.state).is_slow);
        for last in 2..10 {
            assert_eq!(resolver.name(addr(last)), Name::Pending);
        }
        answers.send(name("late")).unwrap();
        assert_eq!(asked.recv().unwrap(), addr(1));
        assert_eq!(asked.recv().unwrap(), addr(2)); // so the first has been taken in
        assert_eq!(resolver.name(addr(1)), known("late"));
    }

    #[test]
    fn a_quick_answer_brings_the_trust_back() {
        let (resolver, _asked, answers) = scripted(None, PATIENCE);
        lock(&resolver.0.state).is_slow = true;
        assert_eq!(resolver.name(addr(1)), Name::Pending);
        answers.send(name("quick")).unwrap();
        let mut state = lock(&resolver.0.state);
        while state.is_slow {
            state = crate::sync::wait(&resolver.0.answered, state);
        }
        drop(state);
        answers.send(name("next")).unwrap();
        assert_eq!(resolver.name(addr(2)), known("next"));
    }

    #[test]
    fn failures_are_not_answers() {
        let (resolver, _asked, answers) = scripted(None, PATIENCE);
        answers.send(Answer::Failed).unwrap();
        assert_eq!(resolver.name(addr(1)), Name::Pending);
        assert!(!lock(&resolver.0.state).is_slow, "it failed quickly");
        // As if its time was over.
        let past = Instant::now();
        let entry = Entry::Known(Answer::Failed, Some(past));
        lock(&resolver.0.state).young.insert(addr(1).ip(), entry);
        answers.send(name("back")).unwrap();
        assert_eq!(resolver.name(addr(1)), known("back"));
    }

    #[test]
    fn a_time_to_live_of_nothing_asks_every_time() {
        let (resolver, asked, answers) = scripted(Some(Duration::ZERO), PATIENCE);
        answers.send(name("a")).unwrap();
        resolver.prefetch(addr(1));
        assert_eq!(asked.recv().unwrap(), addr(1));
        answers.send(name("b")).unwrap();
        resolver.prefetch(addr(2));
        assert_eq!(asked.recv().unwrap(), addr(2));
        resolver.prefetch(addr(1));
        assert_eq!(asked.recv().unwrap(), addr(1));
        assert_eq!(resolver.ttl(), Some(Duration::ZERO));
    }

    #[test]
    fn who_waits_gets_an_answer_that_is_not_kept() {
        let (resolver, asked, answers) = scripted(Some(Duration::ZERO), PATIENCE);
        for text in ["a", "b"] {
            answers.send(name(text)).unwrap();
            assert_eq!(resolver.name(addr(1)), known(text));
        }
        assert_eq!(asked.try_iter().count(), 2);
    }

    #[test]
    fn the_cache_and_the_questions_are_bounded() {
        let (resolver, asked, answers) = scripted(None, PATIENCE);
        resolver.prefetch(addr(1));
        assert_eq!(asked.recv().unwrap(), addr(1)); // under way, not in `wanted`
        for n in 0..2 * WANTED_MAX {
            let ip = u32::try_from(n).unwrap().to_be_bytes();
            resolver.prefetch(SocketAddr::from((ip, 1)));
        }
        assert_eq!(lock(&resolver.0.state).wanted.len(), WANTED_MAX);
        drop(answers);
        let mut state = State::default();
        for n in 0..4 * GENERATION_NAMES_MAX {
            let ip = IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
            state.insert(ip, Entry::Known(Answer::Unknown, None));
            assert!(state.find(addr(9).ip(), Instant::now()).is_some() == (n > 10));
            if n == 10 {
                state.insert(addr(9).ip(), Entry::Known(Answer::Unknown, None));
            }
            assert!(state.young.len() <= GENERATION_NAMES_MAX);
            assert!(state.old.len() <= GENERATION_NAMES_MAX);
        }
    }

    #[test]
    fn names_that_are_addresses_are_not_used() {
        for (drops, forged) in [(false, Answer::Unknown), (true, Answer::Forged)] {
            let judged = |answer| without_forgery(addr(1), answer, drops);
            assert_eq!(judged(name("10.0.0.1")), forged);
            assert_eq!(judged(name("::1")), forged);
            assert_eq!(judged(name("10.example")), name("10.example"));
            assert_eq!(judged(Answer::Failed), Answer::Failed);
        }
    }

    #[test]
    fn the_local_name_is_short_unless_told_otherwise() {
        let cases: [(&str, Option<&str>, bool, &str); 8] = [
            ("vm", None, false, "vm"),
            ("vm", None, true, "vm"),
            ("VM", Some("VM.Example.NET"), false, "VM"),
            ("VM", Some("VM.Example.NET"), true, "VM.example.net"),
            ("vm", Some("other"), false, "other"),
            ("Vm.Example.Net", Some("unused.x"), false, "Vm"),
            ("Vm.Example.Net", Some("unused.x"), true, "Vm.example.net"),
            (".x", None, false, ""),
        ];
        for (host, canonical, preserve, expected) in cases {
            let canonical = |_: &[u8]| canonical.map(|c| c.as_bytes().to_vec());
            let name = local_name_of(host.as_bytes().to_vec(), canonical, preserve);
            assert_eq!(String::from_utf8(name).unwrap(), expected, "{host} {preserve}");
        }
    }
}

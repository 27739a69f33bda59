//! omfile: messages into files (`spec/queues-actions.md` section 7).
//!
//! ```text
//! push:   render into the worker's lines of that file          (no lock, no I/O)
//! commit: for each file with lines: Stream.write, one write(2) (the file's lock)
//! ```
//! `stream` is one file, `cache` the dynamic files that are open, `worker` one thread's lines, `path` the check
//! of dynamic names, `open` creation, `rotate` the size limit, `pack` compression, `build` the arguments, `params` their table.

mod build;
mod cache;
mod open;
mod pack;
mod params;
mod path;
mod rotate;
mod stream;
mod worker;

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Output, OutputKind, OutputWorker};
use crate::sys::process;
use crate::template::Template;
use cache::Cache;
use stream::{Idle, Settings, Stream};

/// Seconds between two looks for unused files.
const CLOSE_CHECK_SECONDS: i64 = 15;
/// How long a file on a disk may take for its buffered lines at the end.
const DISK_PATIENCE: Duration = Duration::from_secs(60);
/// How long a pipe or terminal may: nobody may read it.
const PIPE_PATIENCE: Duration = Duration::from_secs(1);

/// The omfile module.
pub static KIND: OutputKind = OutputKind { module: &params::MODULE, build: build::build };

/// One omfile action.
struct FileOutput {
    template: Arc<Template>,
    add_lf: bool,
    settings: Arc<Settings>,
    target: Target,
    /// Seconds without a message after which a file is closed; 0 is never.
    close_after: i64,
    /// Seconds between flushes of gathered lines by a thread of their own; 0 is none.
    flush_interval: i64,
    ticks: Mutex<Ticks>,
}

/// Seconds in which the control thread last did something.
#[derive(Default)]
struct Ticks {
    /// Looked for unused files.
    close: i64,
    /// Had gathered lines written.
    flush: i64,
}

/// Where the lines go.
enum Target {
    /// One file.
    Fixed(Arc<Stream>),
    /// Files by message.
    Dynamic(Arc<Dynamic>),
}

/// Files named by a template.
struct Dynamic {
    template: Arc<Template>,
    cache: Cache,
    /// The directory that all files must stay below.
    base: Option<Vec<u8>>,
    permit_escape: bool,
    do_not_suspend: bool,
}

impl FileOutput {
    fn streams(&self) -> Vec<Arc<Stream>> {
        match &self.target {
            Target::Fixed(stream) => vec![Arc::clone(stream)],
            Target::Dynamic(dynamic) => dynamic.cache.streams(),
        }
    }
}

impl Output for FileOutput {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        match &self.target {
            Target::Fixed(stream) => {
                let stream = Arc::clone(stream);
                Box::new(worker::FixedWorker::new(self, stream))
            }
            Target::Dynamic(dynamic) => {
                let dynamic = Arc::clone(dynamic);
                Box::new(worker::DynamicWorker::new(self, dynamic))
            }
        }
    }

    fn hup(&self) -> usize {
        self.settings.generation.fetch_add(1, Ordering::Relaxed);
        let mut streams = self.streams();
        let count = streams.len();
        streams.retain(|stream| stream.close_if_idle());
        // What holds lines back has to write, and that may take its time.
        aside("sluice-hup", streams, |stream| {
            stream.close();
        });
        count
    }

    fn tick(&self, now: i64) {
        let due = |last: &mut i64, interval: i64| {
            let due = interval > 0 && now - *last >= interval;
            if due {
                *last = now;
            }
            due
        };
        let mut ticks = self.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        if self.close_after > 0 && due(&mut ticks.close, CLOSE_CHECK_SECONDS) {
            // What holds lines back is closed at the next look.
            flush_aside(match &self.target {
                Target::Fixed(stream) => {
                    let holds = stream.close_unused(now, self.close_after) == Idle::Holds;
                    holds.then(|| Arc::clone(stream)).into_iter().collect()
                }
                Target::Dynamic(dynamic) => dynamic.cache.close_unused(now, self.close_after),
            });
        }
        if due(&mut ticks.flush, self.flush_interval) {
            let mut streams = self.streams();
            streams.retain(|stream| stream.has_gathered());
            flush_aside(streams);
        }
    }

    fn close(&self) -> usize {
        let mut streams = self.streams();
        streams.retain(|stream| stream.close_if_idle() || stream.held() > 0);
        // What holds lines back has to write; a pipe that nobody reads must keep neither the daemon nor other files.
        streams.sort_by_key(|stream| !stream.is_on_disk());
        let (sender, receiver) = mpsc::channel();
        aside("sluice-close", streams.clone(), move |stream| {
            let lost = stream.close();
            if lost > 0 {
                let path = stream.path();
                log::error!(code = 2027; "{lost} lines could not be written to file '{path}'");
            }
            // Nobody listens any more after the time is over.
            let _ = sender.send(lost);
        });
        let mut total = 0;
        for (place, stream) in streams.iter().enumerate() {
            let patience = if stream.is_on_disk() { DISK_PATIENCE } else { PIPE_PATIENCE };
            let Ok(lost) = receiver.recv_timeout(patience) else {
                let rest = streams.iter().skip(place);
                let given_up: usize = rest.map(|stream| stream.held()).sum();
                log::error!(
                    code = 2027;
                    "omfile: gave up waiting for file '{}', which takes no data; {given_up} lines that were \
                     buffered for it and for files behind it are lost",
                    stream.path()
                );
                return total + given_up;
            };
            total += lost;
        }
        total
    }
}

/// Writes what is gathered, in a thread of its own.
fn flush_aside(streams: Vec<Arc<Stream>>) {
    aside("sluice-flush", streams, |stream| {
        if let Err(failure) = stream.flush() {
            log::error!(code = failure.code; "{failure}");
        }
    });
}

/// Does `work` for each stream in a thread of its own, so that a stuck file holds nobody up.
fn aside(name: &str, streams: Vec<Arc<Stream>>, work: impl Fn(&Stream) + Send + 'static) {
    if streams.is_empty() {
        return;
    }
    if let Err(error) = process::spawn(name, move || streams.iter().for_each(|stream| work(stream)))
    {
        log::error!("omfile: cannot start a thread to write buffered lines: {error}");
    }
}

#[cfg(test)]
mod tests;

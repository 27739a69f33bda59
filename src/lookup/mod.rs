//! Lookup tables: `lookup_table()` objects, and how their files are read again while messages flow.
//!
//! ```text
//!  file ─load─► Table ◄─find── workers (a read lock for the length of a look-up)
//!               ▲
//!               └─ reload: a thread of its own reads the file, then swaps the whole table
//! ```
//! A table that cannot be read again stays as it is, unless the request gave a stub value for that case.

mod table;
mod texts;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

pub use table::Table;

use crate::limits;
use crate::param::Problem;
use crate::sync::lock;
use crate::sys::{files, process};

/// A table with its file.
#[derive(Debug)]
pub struct Lookup {
    name: String,
    file: String,
    path: PathBuf,
    reload_on_hup: bool,
    /// `None`: it never could be read.
    table: RwLock<Option<Table>>,
    reload: Mutex<Reload>,
}

/// What the thread that reads the file has to do.
#[derive(Debug, Default)]
struct Reload {
    /// There is a thread.
    running: bool,
    /// Somebody asks since the thread began to read; with the stub value for the case that it fails.
    request: Option<Option<Box<[u8]>>>,
}

impl Lookup {
    /// A table that is still to be loaded.
    #[must_use]
    pub fn new(name: String, path: PathBuf, reload_on_hup: bool) -> Self {
        let file = path.to_string_lossy().into_owned();
        let (table, reload) = (RwLock::default(), Mutex::default());
        Self { name, file, path, reload_on_hup, table, reload }
    }

    /// A table with this content and no file, for examples.
    #[cfg(test)]
    pub(crate) fn of(content: &[u8]) -> Self {
        let lookup = Self::new("example".to_owned(), PathBuf::new(), false);
        let table = Table::parse("example", "", content, &mut |problem| panic!("{problem:?}"));
        lookup.replace(table.expect("a table"));
        lookup
    }

    /// The name, by which scripts refer to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads the file; whether there is a table then. What is wrong is reported.
    pub fn load(&self, report: &mut dyn FnMut(Problem)) -> bool {
        let Some(table) = self.read(report) else { return false };
        self.replace(table);
        log::info!(code = 0; "lookup table '{}' loaded from file '{}'", self.name, self.file);
        true
    }

    /// Calls `look` with the present table. It must not look anything up itself: a reload may be waiting in
    /// between.
    pub fn with<R>(&self, look: impl FnOnce(&Table) -> R) -> Option<R> {
        self.present().as_ref().map(look)
    }

    /// Whether a reload is under way or has been asked for.
    pub fn is_reloading(&self) -> bool {
        lock(&self.reload).running
    }

    /// HUP: reads the file again unless the configuration says not to.
    pub fn hup(self: &Arc<Self>) {
        if self.reload_on_hup {
            self.request_reload(None);
        }
    }

    /// Has a thread read the file again. Requests that come before it has begun are one.
    pub fn request_reload(self: &Arc<Self>, stub: Option<&[u8]>) {
        let mut reload = lock(&self.reload);
        reload.request = Some(stub.map(Box::from));
        if reload.running {
            return;
        }
        let table = Arc::clone(self);
        match process::spawn(&format!("lkp:{}", self.name), move || table.run_reloads()) {
            Ok(_) => reload.running = true,
            Err(error) => {
                reload.request = None;
                let name = &self.name;
                log::error!(
                    code = 2175;
                    "attempt to trigger reload of lookup table '{name}' failed (not stubbing): {error}"
                );
            }
        }
    }

    /// The thread.
    fn run_reloads(&self) {
        loop {
            let mut reload = lock(&self.reload);
            let Some(stub) = reload.request.take() else {
                reload.running = false;
                return;
            };
            drop(reload);
            self.reload(stub.as_deref());
        }
    }

    fn reload(&self, stub: Option<&[u8]>) {
        let (name, file) = (&self.name, &self.file);
        if let Some(table) = self.read(&mut |problem| log_problem(&problem)) {
            self.replace(table);
            log::info!(code = 0; "lookup table '{name}' reloaded from file '{file}'");
            return;
        }
        log::error!(code = 2175; "lookup table '{name}' could not be reloaded from file '{file}'");
        let Some(value) = stub else { return };
        let shown = String::from_utf8_lossy(value);
        if self.with(|table| table.is_stub_of(value)) == Some(true) {
            log::error!(code = 0; "lookup table '{name}' is already stubbed with value '{shown}'");
            return;
        }
        log::error!(code = 0; "stubbing lookup table '{name}' with value '{shown}'");
        self.replace(Table::stub(value));
        log::error!(code = 0; "lookup table '{name}' stubbed with value '{shown}'");
    }

    fn read(&self, report: &mut dyn FnMut(Problem)) -> Option<Table> {
        let file = &self.file;
        let text = match files::read(&self.path, limits::LOOKUP_BYTES) {
            Ok(text) if text.is_empty() => {
                let text = format!("lookup table file '{file}' is empty");
                report(Problem::error(text).code(2303));
                return None;
            }
            Ok(text) => text,
            Err(error) => {
                report(unreadable(file, &error));
                return None;
            }
        };
        Table::parse(&self.name, file, &text, report)
    }

    fn present(&self) -> RwLockReadGuard<'_, Option<Table>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, table: Table) {
        let mut place = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let old = place.replace(table);
        // Taking a large table apart takes a while: not under the lock.
        drop(place);
        drop(old);
    }
}

fn unreadable(file: &str, error: &io::Error) -> Problem {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return Problem::error(format!("lookup table file '{file}' read error: {error}"))
            .code(2356);
    }
    let why = error.raw_os_error().map_or_else(|| error.to_string(), crate::sys::error::text);
    Problem::error(format!("lookup table file '{file}' could not be opened: {why}")).code(2040)
}

fn log_problem(problem: &Problem) {
    let (text, code) = (&problem.text, problem.code.unwrap_or_default());
    log::error!(code = code; "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &std::path::Path, value: &str) {
        let text = format!(r#"{{"version":1,"table":[{{"index":"k","value":"{value}"}}]}}"#);
        std::fs::write(path, text).expect("written");
    }

    fn value(lookup: &Lookup) -> Vec<u8> {
        lookup.with(|table| table.text(b"k").to_vec()).expect("a table")
    }

    /// Reloads here and now, as the thread does.
    fn reload(lookup: &Lookup, stub: Option<&[u8]>) {
        lock(&lookup.reload).request = Some(stub.map(Box::from));
        lookup.run_reloads();
    }

    #[test]
    fn a_table_that_cannot_be_read_again_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("t");
        write(&path, "one");
        let lookup = Lookup::new("t".to_owned(), path.clone(), true);
        assert!(lookup.load(&mut |problem| panic!("{problem:?}")));
        assert_eq!(value(&lookup), b"one");
        write(&path, "two");
        reload(&lookup, None);
        assert_eq!(value(&lookup), b"two");
        std::fs::write(&path, "{").expect("written");
        reload(&lookup, None);
        assert_eq!(value(&lookup), b"two");
        reload(&lookup, Some(b"stub"));
        assert_eq!(value(&lookup), b"stub");
        write(&path, "three");
        reload(&lookup, Some(b"stub"));
        assert_eq!(value(&lookup), b"three");
        assert!(!lookup.is_reloading());
    }

    #[test]
    fn files_that_cannot_be_read_are_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("t");
        let lookup = Lookup::new("t".to_owned(), path.clone(), true);
        let mut reported = Vec::new();
        assert!(!lookup.load(&mut |problem| reported.push(problem.text)));
        std::fs::write(&path, "").expect("written");
        assert!(!lookup.load(&mut |problem| reported.push(problem.text)));
        let file = path.display();
        let wanted = [
            format!("lookup table file '{file}' could not be opened: No such file or directory"),
            format!("lookup table file '{file}' is empty"),
        ];
        assert_eq!(reported, wanted);
        assert_eq!(lookup.with(|_| ()), None);
    }
}

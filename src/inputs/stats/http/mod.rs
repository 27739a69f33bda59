//! HTTP: the counters for Prometheus, for probes and for people, on loopback or a Unix socket (`http.listen`).
//!
//! ```text
//! thread `http`: poll ─► Connection: read ─► request::parse ─► routes ─► write, close
//! ```
//! One thread, no keep-alive, GET only. Everything a client can use up is bounded in `limits.rs`: connections, bytes of
//! a request, time. Nothing here is ever asked for by the data path, and a page holds up a worker for no longer than
//! any reading of the counters.
//!
//! - `address`: where to listen; [`request`]: bytes to a request; `server`: the thread.
//! - `routes`: which path is what; `metrics`, `documents`: what they say; `page.html`: what people see.

mod address;
mod documents;
mod metrics;
pub mod request;
mod routes;
mod server;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use self::address::Address;
use self::routes::Routes;
use self::server::{Server, Stop};
use crate::param::{Args, Problem};
use crate::stats::Set;
use crate::sys::process;

/// A server that is still to be opened and started.
pub(super) struct Http {
    address: Address,
    port_file: Option<PathBuf>,
    socket: Option<socket2::Socket>,
}

/// A running server.
pub(super) struct RunningHttp {
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Http {
    /// The server that `http.listen` asks for, if it does.
    pub(super) fn new(args: &Args) -> Result<Option<Self>, Problem> {
        let Some(text) = args.text("http.listen").filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let address = Address::parse(&text, args.bool("http.allow")).map_err(|why| {
            Problem::error(format!("impstats: http.listen: {why}")).at("http.listen")
        })?;
        let port_file = args.text("http.listenPortFileName").map(PathBuf::from);
        Ok(Some(Self { address, port_file, socket: None }))
    }

    /// Binds the socket.
    pub(super) fn open(&mut self) -> Result<(), Problem> {
        let problem = |error: io::Error| {
            let text = format!("impstats: cannot listen on '{}': {error}", self.address);
            Problem::error(text).at("http.listen")
        };
        let socket = self.address.bind().map_err(problem)?;
        if let (Some(path), Some(address)) =
            (&self.port_file, socket.local_addr().ok().and_then(|address| address.as_socket()))
        {
            std::fs::write(path, address.port().to_string()).map_err(|error| {
                let text = format!("impstats: cannot write '{}': {error}", path.display());
                Problem::error(text).at("http.listenPortFileName")
            })?;
        }
        self.socket = Some(socket);
        Ok(())
    }

    /// Starts the thread that shows `stats`, if the socket could be bound.
    pub(super) fn start(self, stats: Arc<Set>) -> io::Result<Option<RunningHttp>> {
        let Self { address, socket, .. } = self;
        let Some(socket) = socket else { return Ok(None) };
        let (server, stop) = Server::new(socket, Routes::new(stats, address.checks_host()))?;
        let thread = process::spawn("http", move || {
            server.run();
            address.unlink();
        })?;
        Ok(Some(RunningHttp { stop, thread }))
    }
}

impl RunningHttp {
    /// Lets the thread end. Does not wait.
    pub(super) fn stop(&self) {
        self.stop.now();
    }

    /// Waits for the thread, which has been told to end.
    pub(super) fn join(self) {
        // The release build aborts on panic; in a test build the panic has been printed.
        let _ = self.thread.join();
    }
}

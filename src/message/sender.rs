//! Who sent a message, and over which input: made once per connection (TCP) or once per address (UDP).

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What is known about the name of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// The name, as the name server writes it.
    Known(Box<[u8]>),
    /// There is none.
    Unknown,
    /// Not known yet, or not to be had for now.
    Pending,
}

/// Resolves addresses to names; implemented by `net::resolver`.
pub trait Names: Send + Sync {
    /// The host name of `addr`. May wait, for the bounded time of `net::resolver`, for an answer that is
    /// under way.
    fn name(&self, addr: SocketAddr) -> Name;

    /// Says that the name of `addr` will soon be asked for. Never waits.
    fn prefetch(&self, _addr: SocketAddr) {}

    /// How long a name may be used, where that is limited. Senders that outlive it are made anew, except
    /// for connections, which keep their name.
    fn ttl(&self) -> Option<Duration> {
        None
    }
}

/// What all messages of one configured input have in common.
#[derive(Debug, Default)]
pub struct InputInfo {
    /// The `inputname` property.
    pub name: Box<[u8]>,
    /// `defaultTZ`, seconds east of UTC: the zone of RFC 3164 times without one.
    pub default_tz: Option<i32>,
    /// Whether `fromhost` keeps its case (`preserveCase`).
    pub preserve_case: bool,
}

/// The origin of messages: address, name, input.
pub struct Sender {
    /// The input that received the messages.
    pub input: Arc<InputInfo>,
    /// Peer address as text; `127.0.0.1` for local inputs (`fromhost-ip`).
    pub ip: Box<[u8]>,
    /// Peer port as text, empty for local inputs (`fromhost-port`).
    pub port: Box<[u8]>,
    addr: Option<SocketAddr>,
    names: Option<Arc<dyn Names>>,
    fromhost: OnceLock<Box<[u8]>>,
}

impl Sender {
    /// A network peer; `names` resolves `fromhost` on first use, `None` leaves the address.
    #[must_use]
    pub fn network(input: Arc<InputInfo>, addr: SocketAddr, names: Option<Arc<dyn Names>>) -> Self {
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        if let Some(names) = &names {
            names.prefetch(addr);
        }
        Self {
            input,
            ip: addr.ip().to_string().into_bytes().into(),
            port: addr.port().to_string().into_bytes().into(),
            addr: Some(addr),
            names,
            fromhost: OnceLock::new(),
        }
    }

    /// The machine itself: local inputs and the daemon's own messages.
    #[must_use]
    pub fn local(input: Arc<InputInfo>, hostname: &[u8]) -> Self {
        Self {
            input,
            ip: b"127.0.0.1".as_slice().into(),
            port: Box::default(),
            addr: None,
            names: None,
            fromhost: OnceLock::from(Box::from(hostname)),
        }
    }

    /// The peer's address; `None` for local inputs.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// The name if it is known by now, else the address text: for log lines, which do not wait for DNS.
    pub fn known_host(&self) -> &[u8] {
        self.fromhost.get().unwrap_or(&self.ip)
    }

    /// The `fromhost` property: the resolved name, else the address text. Resolved on first use; while the
    /// name is not to be had, messages show the address and the next one asks again.
    pub fn fromhost(&self) -> &[u8] {
        if let Some(name) = self.fromhost.get() {
            return name;
        }
        let name = match (self.addr, &self.names) {
            (Some(addr), Some(names)) => names.name(addr),
            _ => Name::Unknown,
        };
        match name {
            Name::Known(mut name) => self.fromhost.get_or_init(|| {
                if !self.input.preserve_case {
                    name.make_ascii_lowercase();
                }
                name
            }),
            Name::Unknown => self.fromhost.get_or_init(|| self.ip.clone()),
            Name::Pending => &self.ip,
        }
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("ip", &String::from_utf8_lossy(&self.ip))
            .field("port", &String::from_utf8_lossy(&self.port))
            .finish_non_exhaustive()
    }
}

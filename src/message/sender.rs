//! Who sent a message, and over which input: made once per connection (TCP) or once per address (UDP).

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::labels::Labels;
use crate::sys::resolve;

/// What is known about the name of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// The name, as the name server writes it.
    Known(Box<[u8]>),
    /// There is none.
    Unknown,
    /// Not known yet, or not to be had for now.
    Pending,
    /// It passes for another address.
    Forged,
}

/// Resolves addresses to names; implemented by `net::resolver`.
pub trait Names: Send + Sync {
    /// The host name of `addr`. May wait, for the bounded time of `net::resolver`, for an answer that is
    /// under way.
    fn name(&self, addr: SocketAddr) -> Name;

    /// Says that the name of `addr` will soon be asked for. Never waits.
    fn prefetch(&self, _addr: SocketAddr) {}

    /// Whether messages of senders with a forged name are dropped (`dropMsgsWithMaliciousDNSPTRRecords`).
    fn drops_forged(&self) -> bool {
        false
    }

    /// Counts such a message, or connection.
    fn count_forged(&self) {}

    /// How long a name may be used, where that is limited. Senders that outlive it are made anew, except
    /// for connections, which keep their name.
    fn ttl(&self) -> Option<Duration> {
        None
    }
}

/// Decides by name whether a sender is allowed to send (`allowedSender` with host names).
pub trait Gate: Send + Sync {
    /// Whether a sender of that name may send.
    fn allows(&self, name: &[u8]) -> bool;

    /// A message of `sender` was received at `received` (microseconds since the epoch) and is not taken.
    fn refused(&self, sender: &Sender, received: i64);
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
    /// What documents say about the input.
    pub labels: Labels,
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
    gate: Option<Arc<dyn Gate>>,
    allowed: OnceLock<bool>,
}

impl Sender {
    /// A network peer; `names` resolves `fromhost` on first use, `None` leaves the address.
    #[must_use]
    pub fn network(input: Arc<InputInfo>, addr: SocketAddr, names: Option<Arc<dyn Names>>) -> Self {
        let mut addr = addr;
        if addr.ip().to_canonical().is_ipv4() {
            addr.set_ip(addr.ip().to_canonical()); // an IPv4 address in IPv6 clothes
        }
        if let Some(names) = &names {
            names.prefetch(addr);
        }
        Self {
            input,
            ip: address_text(addr).into_bytes().into(),
            port: addr.port().to_string().into_bytes().into(),
            addr: Some(addr),
            names,
            fromhost: OnceLock::new(),
            gate: None,
            allowed: OnceLock::new(),
        }
    }

    /// With a gate that must be asked before a message is taken (`Flags::CHECK_SENDER`).
    #[must_use]
    pub fn behind(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gate = Some(gate);
        self
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
            gate: None,
            allowed: OnceLock::new(),
        }
    }

    /// The same with another name (`fromhost`), or another address text (`fromhost-ip`).
    #[must_use]
    pub fn renamed(&self, name: Option<Box<[u8]>>, address: Option<Box<[u8]>>) -> Self {
        let name = name.unwrap_or_else(|| self.fromhost().into());
        Self {
            input: Arc::clone(&self.input),
            ip: address.unwrap_or_else(|| self.ip.clone()),
            port: self.port.clone(),
            addr: self.addr,
            names: self.names.clone(),
            fromhost: OnceLock::from(name),
            gate: self.gate.clone(),
            allowed: self.allowed.clone(),
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
        match self.resolve() {
            Name::Known(mut name) => self.fromhost.get_or_init(|| {
                if !self.input.preserve_case {
                    name.make_ascii_lowercase();
                }
                name
            }),
            Name::Unknown | Name::Forged => self.fromhost.get_or_init(|| self.ip.clone()),
            Name::Pending => &self.ip,
        }
    }

    fn resolve(&self) -> Name {
        match (self.addr, &self.names) {
            (Some(addr), Some(names)) => names.name(addr),
            _ => Name::Unknown,
        }
    }

    /// Who knows names, where forged ones cost the messages.
    fn drops_forged(&self) -> Option<&dyn Names> {
        self.names.as_deref().filter(|names| names.drops_forged())
    }

    /// Whether [`Sender::is_allowed`] must be asked (`Flags::CHECK_SENDER`).
    #[must_use]
    pub fn has_gate(&self) -> bool {
        self.gate.is_some() || self.drops_forged().is_some()
    }

    /// Whether it is known by now what the sender is called, or that it has no name; waits no longer than
    /// [`Sender::fromhost`].
    #[must_use]
    pub fn has_answer(&self) -> bool {
        self.resolve() != Name::Pending
    }

    /// Whether a message received at `received` (microseconds since the epoch) is taken. One of a sender with a
    /// forged name is not, where that is configured; a name that is late counts as honest. Without a name there
    /// is no way through a gate; for as long as the name is not to be had, messages are refused.
    pub fn is_allowed(&self, received: i64) -> bool {
        if let Some(names) = self.drops_forged()
            && self.resolve() == Name::Forged
        {
            names.count_forged();
            return false;
        }
        let Some(gate) = &self.gate else { return true };
        let allowed = self.allowed.get().copied().unwrap_or_else(|| match self.resolve() {
            Name::Known(name) => *self.allowed.get_or_init(|| gate.allows(&name)),
            Name::Unknown | Name::Forged => *self.allowed.get_or_init(|| false),
            Name::Pending => false,
        });
        if !allowed {
            gate.refused(self, received);
        }
        allowed
    }
}

/// The address without the port; a link-local one with its interface, as getnameinfo(3) writes it.
fn address_text(addr: SocketAddr) -> String {
    match addr {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let interface = resolve::interface_name(v6.scope_id());
            format!("{}%{}", v6.ip(), interface.unwrap_or_else(|| v6.scope_id().to_string()))
        }
        addr => addr.ip().to_string(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Answers from a list, last first.
    struct Script(Mutex<Vec<Name>>);

    impl Names for Script {
        fn name(&self, _addr: SocketAddr) -> Name {
            self.0.lock().unwrap().pop().expect("asked more often than scripted")
        }
    }

    fn sender(addr: &str, preserve_case: bool, answers: &[Name]) -> Sender {
        let input = Arc::new(InputInfo { preserve_case, ..InputInfo::default() });
        let script = Script(Mutex::new(answers.iter().rev().cloned().collect()));
        Sender::network(input, addr.parse().unwrap(), Some(Arc::new(script)))
    }

    #[test]
    fn names_are_lower_case_unless_preserved_and_asked_for_once() {
        let known = Name::Known(b"Host.Example".as_slice().into());
        for (preserve, expected) in [(true, "Host.Example"), (false, "host.example")] {
            let sender = sender("192.0.2.1:5", preserve, std::slice::from_ref(&known));
            assert_eq!(sender.known_host(), b"192.0.2.1");
            assert_eq!(sender.fromhost(), expected.as_bytes());
            assert_eq!(sender.fromhost(), expected.as_bytes());
            assert_eq!(sender.known_host(), expected.as_bytes());
        }
        let nameless = sender("192.0.2.1:5", false, &[Name::Unknown]);
        assert_eq!(
            (nameless.fromhost(), nameless.fromhost()),
            (&b"192.0.2.1"[..], &b"192.0.2.1"[..])
        );
    }

    #[test]
    fn a_pending_name_shows_the_address_and_is_asked_for_again() {
        let known = Name::Known(b"late".as_slice().into());
        let sender = sender("192.0.2.1:5", false, &[Name::Pending, Name::Pending, known]);
        let seen = [(); 4].map(|()| String::from_utf8_lossy(sender.fromhost()).into_owned());
        assert_eq!(seen, ["192.0.2.1", "192.0.2.1", "late", "late"]);
    }

    #[test]
    fn a_gate_is_passed_by_name_only() {
        struct Only(&'static [u8], Mutex<Vec<i64>>);
        impl Gate for Only {
            fn allows(&self, name: &[u8]) -> bool {
                name == self.0
            }
            fn refused(&self, sender: &Sender, received: i64) {
                assert_eq!(&*sender.ip, b"192.0.2.1");
                self.1.lock().unwrap().push(received);
            }
        }
        let known = Name::Known(b"Good".as_slice().into());
        let cases: [(&[Name], [bool; 3]); 3] = [
            (&[Name::Pending, known.clone()], [false, true, true]),
            (&[Name::Unknown], [false, false, false]),
            (&[Name::Known(b"bad".as_slice().into())], [false, false, false]),
        ];
        for (answers, expected) in cases {
            let gate = Arc::new(Only(b"Good", Mutex::default()));
            let sender = sender("192.0.2.1:5", false, answers);
            let sender = sender.behind(Arc::<Only>::clone(&gate));
            assert_eq!([0, 1, 2].map(|time| sender.is_allowed(time)), expected);
            let refused: Vec<_> =
                (0..3).zip(expected).filter(|(_, ok)| !ok).map(|(n, _)| n).collect();
            assert_eq!(*gate.1.lock().unwrap(), refused);
        }
        assert!(Sender::network(Arc::default(), "[::1]:1".parse().unwrap(), None).is_allowed(0));
    }

    #[test]
    fn a_forged_name_costs_the_messages_where_it_is_told_to() {
        struct Forged(bool, std::sync::atomic::AtomicU64);
        impl Names for Forged {
            fn name(&self, _addr: SocketAddr) -> Name {
                Name::Forged
            }
            fn drops_forged(&self) -> bool {
                self.0
            }
            fn count_forged(&self) {
                self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        for drops in [false, true] {
            let names = Arc::new(Forged(drops, 0.into()));
            let shared = Arc::<Forged>::clone(&names) as Arc<dyn Names>;
            let sender =
                Sender::network(Arc::default(), "192.0.2.1:1".parse().unwrap(), Some(shared));
            assert_eq!((sender.has_gate(), sender.is_allowed(0)), (drops, !drops));
            assert_eq!(sender.fromhost(), b"192.0.2.1");
            assert_eq!(names.1.load(std::sync::atomic::Ordering::Relaxed), u64::from(drops));
        }
    }

    #[test]
    fn addresses_as_text() {
        let cases = [
            ("192.0.2.1:514", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:514", "192.0.2.1"),
            ("[2001:db8::1]:514", "2001:db8::1"),
            ("[fe80::1%1]:514", "fe80::1%lo"),
            ("[fe80::1%4000000000]:514", "fe80::1%4000000000"),
        ];
        for (addr, expected) in cases {
            let sender = Sender::network(Arc::default(), addr.parse().unwrap(), None);
            assert_eq!(String::from_utf8_lossy(&sender.ip), expected);
            assert_eq!(&*sender.port, b"514");
            assert_eq!(sender.fromhost(), expected.as_bytes());
        }
    }
}

//! Names of addresses: getnameinfo(3) and getaddrinfo(3). All of it may block for as long as the resolver
//! likes (many seconds with a dead name server), so only `net::resolver` and the start of the daemon call it.

use std::ffi::{CStr, CString, c_char, c_int};
use std::net::SocketAddr;
use std::ptr;

use socket2::SockAddr;

/// What became of a question to the resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The name, in the case it was answered in.
    Name(Box<[u8]>),
    /// There is none.
    Unknown,
    /// It passes for an address; see [`is_address`]. Not given by [`name_of`].
    Forged,
    /// No answer for now: a time-out, a failing server, no memory.
    Failed,
}

/// The name of `address`; never an address text.
#[must_use]
pub fn name_of(address: SocketAddr) -> Answer {
    let address = SockAddr::from(address);
    let mut name = [0 as c_char; libc::NI_MAXHOST as usize];
    // SAFETY: the address is valid for the length it says, the buffer for `NI_MAXHOST` bytes, and no
    // service is asked for.
    let rc = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            name.as_mut_ptr(),
            libc::NI_MAXHOST,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    match rc {
        // SAFETY: on success the name ends in NUL within the buffer.
        0 => Answer::Name(unsafe { CStr::from_ptr(name.as_ptr()) }.to_bytes().into()),
        libc::EAI_AGAIN | libc::EAI_FAIL | libc::EAI_MEMORY | libc::EAI_SYSTEM => Answer::Failed,
        _ => Answer::Unknown,
    }
}

/// Whether the C library reads `name` as an address: not only `192.0.2.1`, also `3221225985` or `192.513`.
#[must_use]
pub fn is_address(name: &[u8]) -> bool {
    addresses(name, libc::AI_NUMERICHOST, |_| ()).is_some()
}

/// The canonical name of `host`, usually with its domain; `None` where the resolver does not know `host`.
#[must_use]
pub fn canonical_name(host: &[u8]) -> Option<Vec<u8>> {
    addresses(host, libc::AI_CANONNAME, |first| {
        // SAFETY: the canonical name of the first element is null or ends in NUL.
        let name =
            (!first.ai_canonname.is_null()).then(|| unsafe { CStr::from_ptr(first.ai_canonname) });
        name.map(|name| name.to_bytes().to_vec()).filter(|name| !name.is_empty())
    })?
}

/// The name of the network interface with number `index`. Never blocks.
#[must_use]
pub fn interface_name(index: u32) -> Option<String> {
    let mut name = [0 as c_char; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the size that the call asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    // SAFETY: on success the name ends in NUL within the buffer.
    (!found.is_null())
        .then(|| unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// Whether `name` matches the shell pattern (`*`, `?`, `[…]`), in any case. Never blocks.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    /// GNU; see fnmatch(3).
    const FNM_CASEFOLD: c_int = 1 << 4;
    let (Ok(pattern), Ok(name)) = (CString::new(pattern), CString::new(name)) else { return false };
    let flags = libc::FNM_NOESCAPE | FNM_CASEFOLD;
    // SAFETY: both strings end in NUL and live through the call.
    unsafe { libc::fnmatch(pattern.as_ptr(), name.as_ptr(), flags) == 0 }
}

/// Resolves `host` and has a look at the first result.
fn addresses<T>(host: &[u8], flags: c_int, look: impl FnOnce(&libc::addrinfo) -> T) -> Option<T> {
    let host = CString::new(host).ok()?;
    // SAFETY: all-zero bytes are a valid addrinfo: any family, null pointers.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_flags = flags;
    let mut list = ptr::null_mut();
    // SAFETY: host and hints live through the call; `list` is written on success.
    let rc =
        unsafe { libc::getaddrinfo(host.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if rc != 0 {
        return None;
    }
    // SAFETY: on success the list has an element, valid until freeaddrinfo.
    let result = unsafe { list.as_ref() }.map(look);
    // SAFETY: the list came from getaddrinfo and is not used any more.
    unsafe { libc::freeaddrinfo(list) };
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_the_library_reads_as_an_address_is_one() {
        for name in ["192.0.2.1", "::1", "fe80::1", "192.513", "3221225985", "0x7f.1"] {
            assert!(is_address(name.as_bytes()), "{name}");
        }
        for name in ["localhost", "a.example", "192.0.2.1.example", "", "1\0"] {
            assert!(!is_address(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn patterns() {
        let cases = [
            ("*.example.net", "a.Example.NET", true),
            ("*.example.net", "example.net", false),
            ("h?.x", "h1.x", true),
            ("h?.x", "h12.x", false),
            ("h[12]", "H2", true),
            ("h\\*", "h\\ost", true),
            ("*", "", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn an_address_without_a_name_gets_no_address_text() {
        // 127.0.0.1 is `localhost` on every machine with /etc/hosts; elsewhere it has any name or none.
        match name_of(SocketAddr::from(([127, 0, 0, 1], 514))) {
            Answer::Name(name) => assert!(!is_address(&name)),
            Answer::Unknown | Answer::Forged | Answer::Failed => {}
        }
    }
}

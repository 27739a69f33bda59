//! What the machine is: for documents that say where they were made.

use std::fs;
use std::io::Read as _;

use nix::ifaddrs::getifaddrs;

use super::process;

/// Facts that do not change while the process lives. What is not to be had is empty.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Host name.
    pub hostname: String,
    /// `x86_64` and the like.
    pub architecture: &'static str,
    /// The machine id, 32 hexadecimal digits.
    pub id: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Whether it is a container.
    pub is_container: bool,
    /// Values of os-release by name.
    pub os: Vec<(String, String)>,
    /// Addresses of the interfaces, without loopback.
    pub addresses: Vec<String>,
    /// Hardware addresses of the interfaces, as `00-11-22-33-44-55`.
    pub hardware: Vec<String>,
}

impl Machine {
    /// Looks the facts up.
    #[must_use]
    pub fn look() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let (addresses, hardware) = interfaces();
        Self {
            hostname: String::from_utf8_lossy(&process::hostname()).into_owned(),
            architecture: std::env::consts::ARCH,
            id: read("/etc/machine-id"),
            kernel: read("/proc/sys/kernel/osrelease"),
            is_container: fs::metadata("/.dockerenv").is_ok()
                || fs::metadata("/run/.containerenv").is_ok()
                || read("/proc/1/cgroup").contains("/docker"),
            os: os_release(&read("/etc/os-release")),
            addresses,
            hardware,
        }
    }

    /// A value of os-release.
    #[must_use]
    pub fn os(&self, name: &str) -> Option<&str> {
        let found = self.os.iter().find(|(known, _)| known == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }
}

/// Bytes from the kernel's random source.
///
/// # Panics
/// There is none, as in a chroot without devices on a kernel older than 3.17: nothing may be keyed then.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= 256) }
    let mut bytes = [0; N];
    // SAFETY: the pointer is valid for `N` bytes; getrandom(2): "requests of up to 256 bytes will always return as many
    // bytes as requested and will not be interrupted by signals".
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    if usize::try_from(got) != Ok(N) {
        let read = fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
        assert!(read.is_ok(), "neither getrandom(2) nor /dev/urandom: {read:?}");
    }
    bytes
}

fn interfaces() -> (Vec<String>, Vec<String>) {
    let (mut addresses, mut hardware) = (Vec::new(), Vec::new());
    let Ok(interfaces) = getifaddrs() else { return (addresses, hardware) };
    for address in interfaces.filter_map(|interface| interface.address) {
        if let Some(v4) = address.as_sockaddr_in() {
            addresses.extend((!v4.ip().is_loopback()).then(|| v4.ip().to_string()));
        } else if let Some(v6) = address.as_sockaddr_in6() {
            addresses.extend((!v6.ip().is_loopback()).then(|| v6.ip().to_string()));
        } else if let Some(bytes) = address.as_link_addr().and_then(|link| link.addr())
            && bytes != [0; 6]
        {
            hardware.push(bytes.map(|byte| format!("{byte:02X}")).join("-"));
        }
    }
    hardware.sort();
    hardware.dedup();
    (addresses, hardware)
}

/// `NAME="value"` lines.
fn os_release(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        let machine = Machine::look();
        assert!(!machine.hostname.is_empty() && !machine.kernel.is_empty());
        assert_ne!(random_bytes::<16>(), random_bytes());
        let os = os_release("ID=debian\nVERSION_ID=\"12\"\nbroken");
        assert_eq!(os, [("ID".into(), "debian".into()), ("VERSION_ID".into(), "12".into())]);
    }
}

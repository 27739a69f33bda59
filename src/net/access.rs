//! Who may send: the list behind `allowedSender` and `$AllowedSender` (`spec/imtcp.md` section 5).
//!
//! An entry is an address, a network, or a host name. A plain name stands for the addresses it has when the
//! list is made; one with `*` or `?` is compared with the sender's own name, which is known later than its
//! address, and not on the receive path: see [`Verdict::ByName`].

use std::net::{IpAddr, ToSocketAddrs as _};

use crate::param::Problem;
use crate::sys::resolve;

/// The global parameters about such lists.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// `net.enableDNS`: without it, entries with names are ignored.
    pub dns: bool,
    /// `net.aclResolveHostname`: plain names become addresses rather than patterns.
    pub resolve_names: bool,
    /// `net.aclAddHostnameOnFail`: names that have no address become patterns rather than being left out.
    pub keep_unresolved: bool,
    /// `net.permitACLWarning`: refused senders are reported.
    pub report: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { dns: true, resolve_names: true, keep_unresolved: false, report: true }
    }
}

/// What an address is to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May send.
    Allowed,
    /// May not.
    Refused,
    /// Depends on the sender's name: [`Access::allows_name`].
    ByName,
}

/// The list. What is on none of its entries is refused, all of them if there is no usable entry.
#[derive(Clone, Debug, Default)]
pub struct Access {
    networks: Vec<Network>,
    patterns: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// Leading bits that count.
    bits: u32,
}

impl Access {
    /// Makes the list; what is wrong with an entry is added to `problems`, and the entry left out.
    /// Asks the resolver for plain names, so it may block.
    #[must_use]
    pub fn new(entries: &[Vec<u8>], rules: Rules, problems: &mut Vec<Problem>) -> Self {
        Self::with_resolver(entries, rules, problems, &|name| {
            let found = (name, 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            found.unwrap_or_default().into_iter().map(|address| address.ip()).collect()
        })
    }

    fn with_resolver(
        entries: &[Vec<u8>],
        rules: Rules,
        problems: &mut Vec<Problem>,
        addresses: &dyn Fn(&str) -> Vec<IpAddr>,
    ) -> Self {
        let mut access = Self::default();
        for entry in entries {
            let mut problem =
                |text: String| problems.push(Problem::error(text).at("allowedSender"));
            let text = String::from_utf8_lossy(entry);
            let (host, bits) = split(text.trim());
            if bits.is_some_and(|bits| bits.trim().parse::<u32>().is_err()) {
                continue; // `malformed` has said so
            }
            match host.parse::<IpAddr>() {
                Ok(address) => access.networks.extend(network(address, bits, &mut |_| ())),
                Err(_) if !rules.dns => {
                    problem("Ignoring hostname based ACLs because DNS is disabled.".to_owned());
                }
                Err(_) if is_pattern(host) || !rules.resolve_names => {
                    access.patterns.push(host.as_bytes().to_vec());
                }
                Err(_) => {
                    let found = addresses(host);
                    if found.is_empty() {
                        problem(format!("DNS error: Can't resolve \"{host}\""));
                        if rules.keep_unresolved {
                            problem(format!(
                                "Adding hostname \"{host}\" to ACL as a wildcard entry."
                            ));
                            access.patterns.push(host.as_bytes().to_vec());
                        } else {
                            problem(format!("Hostname \"{host}\" WON'T be added to ACL."));
                            let text = format!(
                                "Error -2004 adding allowedSender entry '{host}' - ignoring."
                            );
                            problems.push(Problem::error(text).code(2004).at("allowedSender"));
                        }
                    }
                    access.networks.extend(found.into_iter().map(Network::host));
                }
            }
        }
        access
    }

    /// What the list says about an address.
    #[must_use]
    pub fn check(&self, address: IpAddr) -> Verdict {
        let address = address.to_canonical();
        if self.networks.iter().any(|network| network.contains(address)) {
            Verdict::Allowed
        } else if self.patterns.is_empty() {
            Verdict::Refused
        } else {
            Verdict::ByName
        }
    }

    /// Whether a sender whose address gave [`Verdict::ByName`] may send.
    #[must_use]
    pub fn allows_name(&self, name: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| resolve::matches(pattern, name))
    }
}

/// Says which entries cannot be read, or not as they are; [`Access::new`] leaves them out, or puts them right.
#[must_use]
pub fn malformed(entries: &[Vec<u8>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in entries {
        let text = String::from_utf8_lossy(entry);
        let (host, bits) = split(text.trim());
        if bits.is_some_and(|bits| bits.trim().parse::<u32>().is_err()) {
            let text = format!("Error parsing address '{text}' in allowed sender list - ignoring.");
            problems.push(Problem::error(text).code(3005).at("allowedSender"));
        } else if let Ok(address) = host.parse() {
            network(address, bits, &mut |text| {
                problems.push(Problem::error(text).at("allowedSender"));
            });
        }
    }
    problems
}

/// Host and the text after the slash. IPv6 addresses may stand in brackets; the reference wants them.
fn split(entry: &str) -> (&str, Option<&str>) {
    let (host, bits) = match entry.split_once('/') {
        Some((host, bits)) => (host, Some(bits)),
        None => (entry, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    (bare.unwrap_or(host), bits)
}

fn is_pattern(host: &str) -> bool {
    host.contains(['*', '?'])
}

/// The network, with the number of bits put right as the reference does; `None` where it is no number.
fn network(
    address: IpAddr,
    bits: Option<&str>,
    problem: &mut impl FnMut(String),
) -> Option<Network> {
    let host = Network::host(address);
    let Some(bits) = bits else { return Some(host) };
    let bits: u32 = bits.trim().parse().ok()?;
    if bits == 0 {
        problem(
            "You can not specify 0 bits of the netmask, this would match ALL systems. If you \
             really intend to do that, remove all $AllowedSender directives."
                .to_owned(),
        );
    }
    // A mapped address counts its bits as IPv6 does.
    let mapped = if address.is_ipv6() && host.address.is_ipv4() { 96 } else { 0 };
    match bits.checked_sub(mapped) {
        Some(bits) if (1..=host.bits).contains(&bits) => Some(Network { bits, ..host }),
        _ => {
            let family = if host.address.is_ipv4() { "IPv4" } else { "IPv6" };
            problem(format!(
                "Invalid number of bits ({bits}) in {family} address - adjusted to {}",
                host.bits
            ));
            Some(host)
        }
    }
}

impl Network {
    /// The network of a single address.
    fn host(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(entries: &[&str], rules: Rules) -> (Access, Vec<String>) {
        let entries: Vec<_> = entries.iter().map(|e| e.as_bytes().to_vec()).collect();
        let mut problems = Vec::new();
        let addresses = |name: &str| match name {
            "two.example" => vec!["192.0.2.2".parse().unwrap(), "2001:db8::2".parse().unwrap()],
            _ => Vec::new(),
        };
        let access = Access::with_resolver(&entries, rules, &mut problems, &addresses);
        (access, problems.into_iter().map(|p| p.text).collect())
    }

    fn check(access: &Access, address: &str) -> Verdict {
        access.check(address.parse().unwrap())
    }

    #[test]
    fn addresses_and_networks() {
        let cases: [(&[&str], &[&str], &[&str]); 6] = [
            (&["10.0.0.0/8"], &["10.255.0.1", "::ffff:10.1.1.1"], &["11.0.0.1", "::1"]),
            (&["127.0.0.1"], &["127.0.0.1"], &["127.0.0.2", "::1"]),
            (&["[2001:db8::]/32"], &["2001:db8:ffff::1"], &["2001:db9::1", "10.0.0.1"]),
            (&["::1", "192.0.2.77/25"], &["::1", "192.0.2.1"], &["::2", "192.0.2.128"]),
            (&["::ffff:10.0.0.0/104"], &["10.9.9.9"], &["11.0.0.0"]),
            (&["two.example"], &["192.0.2.2", "2001:db8::2"], &["192.0.2.3"]),
        ];
        for (entries, allowed, refused) in cases {
            let (access, problems) = access(entries, Rules::default());
            assert_eq!(problems, Vec::<String>::new());
            for address in allowed {
                assert_eq!(check(&access, address), Verdict::Allowed, "{entries:?} {address}");
            }
            for address in refused {
                assert_eq!(check(&access, address), Verdict::Refused, "{entries:?} {address}");
            }
        }
    }

    #[test]
    fn patterns_wait_for_the_name() {
        let (access, _) = access(&["*.Example.net", "10.0.0.0/8"], Rules::default());
        assert_eq!(check(&access, "10.0.0.1"), Verdict::Allowed);
        assert_eq!(check(&access, "192.0.2.1"), Verdict::ByName);
        assert!(access.allows_name(b"host.example.NET"));
        assert!(!access.allows_name(b"example.net"));
        assert!(!access.allows_name(b""));
    }

    #[test]
    fn wrong_entries_are_reported_and_never_open_the_gate() {
        let zero = "You can not specify 0 bits of the netmask, this would match ALL systems. If you \
                    really intend to do that, remove all $AllowedSender directives.";
        let off = Rules { dns: false, ..Rules::default() };
        let keep = Rules { keep_unresolved: true, ..Rules::default() };
        let cases: [(&str, Rules, &[&str]); 7] = [
            (
                "10.0.0.1/0",
                Rules::default(),
                &[zero, "Invalid number of bits (0) in IPv4 address - adjusted to 32"],
            ),
            (
                "10.0.0.1/33",
                Rules::default(),
                &["Invalid number of bits (33) in IPv4 address - adjusted to 32"],
            ),
            (
                "[::1]/129",
                Rules::default(),
                &["Invalid number of bits (129) in IPv6 address - adjusted to 128"],
            ),
            (
                "10.0.0.1/x",
                Rules::default(),
                &["Error parsing address '10.0.0.1/x' in allowed sender list - ignoring."],
            ),
            ("*.example", off, &["Ignoring hostname based ACLs because DNS is disabled."]),
            (
                "none.example",
                Rules::default(),
                &[
                    "DNS error: Can't resolve \"none.example\"",
                    "Hostname \"none.example\" WON'T be added to ACL.",
                    "Error -2004 adding allowedSender entry 'none.example' - ignoring.",
                ],
            ),
            (
                "none.example",
                keep,
                &[
                    "DNS error: Can't resolve \"none.example\"",
                    "Adding hostname \"none.example\" to ACL as a wildcard entry.",
                ],
            ),
        ];
        for (entry, rules, expected) in cases {
            let (access, mut problems) = access(&[entry], rules);
            problems.extend(malformed(&[entry.into()]).into_iter().map(|problem| problem.text));
            assert_eq!(problems, expected, "{entry}");
            let verdict = check(&access, "192.0.2.200");
            let named = rules.keep_unresolved;
            assert_eq!(verdict, if named { Verdict::ByName } else { Verdict::Refused }, "{entry}");
            assert_eq!(access.allows_name(b"none.example"), named);
        }
        let lazy = Rules { resolve_names: false, ..Rules::default() };
        assert_eq!(check(&access(&["two.example"], lazy).0, "192.0.2.2"), Verdict::ByName);
    }
}

//! GnuTLS's priority strings, as far as OpenSSL can do what they say: keyword, then `+`, `-` and `!` items, then
//! `%` options. What has no counterpart is an error, not a guess.

/// A suite of TLS 1.2: OpenSSL's name; key exchange, cipher and MAC in GnuTLS's words.
type Suite = (&'static str, &'static str, &'static str, &'static str);

/// In OpenSSL's order of preference.
const SUITES: &[Suite] = &[
    ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA", "AES-256-GCM", "AEAD"),
    ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA", "AES-256-GCM", "AEAD"),
    ("DHE-RSA-AES256-GCM-SHA384", "DHE-RSA", "AES-256-GCM", "AEAD"),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA", "CHACHA20-POLY1305", "AEAD"),
    ("ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA", "CHACHA20-POLY1305", "AEAD"),
    ("DHE-RSA-CHACHA20-POLY1305", "DHE-RSA", "CHACHA20-POLY1305", "AEAD"),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA", "AES-128-GCM", "AEAD"),
    ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA", "AES-128-GCM", "AEAD"),
    ("DHE-RSA-AES128-GCM-SHA256", "DHE-RSA", "AES-128-GCM", "AEAD"),
    ("ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA", "AES-256-CBC", "SHA384"),
    ("ECDHE-RSA-AES256-SHA384", "ECDHE-RSA", "AES-256-CBC", "SHA384"),
    ("DHE-RSA-AES256-SHA256", "DHE-RSA", "AES-256-CBC", "SHA256"),
    ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA", "AES-128-CBC", "SHA256"),
    ("ECDHE-RSA-AES128-SHA256", "ECDHE-RSA", "AES-128-CBC", "SHA256"),
    ("DHE-RSA-AES128-SHA256", "DHE-RSA", "AES-128-CBC", "SHA256"),
    ("ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA", "AES-256-CBC", "SHA1"),
    ("ECDHE-RSA-AES256-SHA", "ECDHE-RSA", "AES-256-CBC", "SHA1"),
    ("DHE-RSA-AES256-SHA", "DHE-RSA", "AES-256-CBC", "SHA1"),
    ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA", "AES-128-CBC", "SHA1"),
    ("ECDHE-RSA-AES128-SHA", "ECDHE-RSA", "AES-128-CBC", "SHA1"),
    ("DHE-RSA-AES128-SHA", "DHE-RSA", "AES-128-CBC", "SHA1"),
    ("AES256-GCM-SHA384", "RSA", "AES-256-GCM", "AEAD"),
    ("AES128-GCM-SHA256", "RSA", "AES-128-GCM", "AEAD"),
    ("AES256-SHA256", "RSA", "AES-256-CBC", "SHA256"),
    ("AES128-SHA256", "RSA", "AES-128-CBC", "SHA256"),
    ("AES256-SHA", "RSA", "AES-256-CBC", "SHA1"),
    ("AES128-SHA", "RSA", "AES-128-CBC", "SHA1"),
];

/// Suites of TLS 1.3, and their ciphers.
const SUITES_13: &[(&str, &str)] = &[
    ("TLS_AES_256_GCM_SHA384", "AES-256-GCM"),
    ("TLS_CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    ("TLS_AES_128_GCM_SHA256", "AES-128-GCM"),
];

/// Ours and GnuTLS's name of a protocol version.
const VERSIONS: &[(&str, &str)] =
    &[("TLSv1", "TLS1.0"), ("TLSv1.1", "TLS1.1"), ("TLSv1.2", "TLS1.2"), ("TLSv1.3", "TLS1.3")];

/// Ours and GnuTLS's name of a group.
const GROUPS: &[(&str, &str)] = &[
    ("X25519", "X25519"),
    ("P-256", "SECP256R1"),
    ("X448", "X448"),
    ("P-521", "SECP521R1"),
    ("P-384", "SECP384R1"),
];

const EXCHANGES: &[&str] = &["ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA", "RSA"];
const CIPHERS: &[&str] =
    &["AES-256-GCM", "CHACHA20-POLY1305", "AES-128-GCM", "AES-256-CBC", "AES-128-CBC"];
const MACS: &[&str] = &["AEAD", "SHA384", "SHA256", "SHA1"];

/// What of each kind is in use.
struct Selection {
    versions: Vec<&'static str>,
    exchanges: Vec<&'static str>,
    ciphers: Vec<&'static str>,
    macs: Vec<&'static str>,
    groups: Vec<&'static str>,
    level: Option<u8>,
    options: Vec<&'static str>,
}

/// Translates a priority string into commands of `SSL_CONF_cmd(3)`.
///
/// # Errors
/// The first item that OpenSSL cannot do.
pub(super) fn translate(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut items = text.trim().split(':').map(str::trim).filter(|item| !item.is_empty());
    let Some(keyword) = items.next() else { return Ok(Vec::new()) };
    let mut selection = Selection::of(keyword).ok_or_else(|| bad(keyword))?;
    for item in items {
        selection.change(item).ok_or_else(|| bad(item))?;
    }
    selection.commands()
}

fn bad(item: &str) -> String {
    format!(
        "Syntax error or unsupported option in Priority String near: \"{item}\"; OpenSSL does the work here, \
         so what GnuTLS alone knows is to be written as OpenSSL commands, e.g. MinProtocol=TLSv1.2"
    )
}

impl Selection {
    fn of(keyword: &str) -> Option<Self> {
        let all = |rows: &'static [(&str, &'static str)]| rows.iter().map(|row| row.1).collect();
        let mut selection = Self {
            versions: vec!["TLS1.2", "TLS1.3"],
            exchanges: EXCHANGES.to_vec(),
            ciphers: CIPHERS.to_vec(),
            macs: MACS.to_vec(),
            groups: all(GROUPS),
            level: None,
            options: Vec::new(),
        };
        match keyword.to_ascii_uppercase().as_str() {
            "NORMAL" | "@SYSTEM" | "PERFORMANCE" | "SECURE128" | "SECURE" => {}
            "PFS" => selection.exchanges.retain(|name| *name != "RSA"),
            "SECURE192" | "SECURE256" => {
                selection.ciphers.retain(|name| !name.starts_with("AES-128"));
                selection.macs.retain(|name| *name != "SHA1");
                selection.groups.retain(|name| matches!(*name, "SECP384R1" | "SECP521R1" | "X448"));
            }
            "LEGACY" => {
                selection.versions = all(VERSIONS);
                selection.level = Some(0);
            }
            "NONE" => {
                for list in selection.lists() {
                    list.clear();
                }
            }
            _ => return None,
        }
        Some(selection)
    }

    fn lists(&mut self) -> [&mut Vec<&'static str>; 5] {
        let Self { versions, exchanges, ciphers, macs, groups, .. } = self;
        [versions, exchanges, ciphers, macs, groups]
    }

    /// Adds or takes away one item; `None` where OpenSSL cannot.
    fn change(&mut self, item: &str) -> Option<()> {
        let upper = item.to_ascii_uppercase();
        if let Some(option) = upper.strip_prefix('%') {
            return self.option(option);
        }
        let (add, name) = match upper.strip_prefix('+') {
            Some(name) => (true, name),
            None => (false, upper.strip_prefix('-').or_else(|| upper.strip_prefix('!'))?),
        };
        let second = |rows: &'static [(&str, &'static str)]| -> Vec<_> {
            rows.iter().map(|row| row.1).collect()
        };
        let versions = name.strip_prefix("VERS-").map(|name| match name {
            "TLS-ALL" => "ALL",
            name => name,
        });
        let groups = name.strip_prefix("GROUP-").or_else(|| name.strip_prefix("CURVE-"));
        // Nothing to do for what is never or always so here.
        let void = match name {
            "COMP-NULL" | "CTYPE-X509" | "CTYPE-X.509" | "SIGN-ALL" => add,
            "COMP-ALL" | "COMP-DEFLATE" | "CTYPE-OPENPGP" | "MD5" | "ARCFOUR-128" | "3DES-CBC" => {
                !add
            }
            _ => groups.is_some_and(|name| name.starts_with("FFDHE")),
        };
        if void {
            return Some(());
        }
        let lists: [(Option<&str>, Vec<&'static str>); 5] = [
            (versions, second(VERSIONS)),
            (Some(name.strip_prefix("KX-").unwrap_or(name)), EXCHANGES.to_vec()),
            (Some(name.strip_prefix("CIPHER-").unwrap_or(name)), CIPHERS.to_vec()),
            (Some(name.strip_prefix("MAC-").unwrap_or(name)), MACS.to_vec()),
            (groups, second(GROUPS)),
        ];
        for ((wanted, known), list) in lists.into_iter().zip(self.lists()) {
            let Some(wanted) = wanted else { continue };
            // A bare ALL names no kind.
            let all = wanted == "ALL" && wanted != name;
            let meant: Vec<_> = known.into_iter().filter(|name| all || *name == wanted).collect();
            if meant.is_empty() {
                continue;
            }
            list.retain(|name| !meant.contains(name));
            if add {
                list.extend(meant);
            }
            return Some(());
        }
        None
    }

    fn option(&mut self, option: &str) -> Option<()> {
        match option {
            "SERVER_PRECEDENCE" => self.options.push("ServerPreference"),
            "NO_TICKETS" => self.options.push("-SessionTicket"),
            // So it is here without being told.
            "SAFE_RENEGOTIATION" | "COMPAT" | "VERIFY_DISABLE_CRL_CHECKS" => {}
            _ => {
                self.level = Some(match option.strip_prefix("PROFILE_")? {
                    "VERY_WEAK" => 0,
                    "LOW" | "LEGACY" => 1,
                    "MEDIUM" => 2,
                    "HIGH" => 3,
                    "ULTRA" => 4,
                    "FUTURE" => 5,
                    _ => return None,
                });
            }
        }
        Some(())
    }

    fn commands(&self) -> Result<Vec<(String, String)>, String> {
        let Self { versions, exchanges, ciphers, macs, groups, level, options } = self;
        let used: Vec<bool> = VERSIONS.iter().map(|row| versions.contains(&row.1)).collect();
        let (Some(first), Some(last)) =
            (used.iter().position(|used| *used), used.iter().rposition(|used| *used))
        else {
            return Err("the priority string leaves no protocol version".to_owned());
        };
        let name = |index: usize| VERSIONS.get(index).map_or("", |row| row.0).to_owned();
        let mut commands =
            vec![("MinProtocol".to_owned(), name(first)), ("MaxProtocol".to_owned(), name(last))];
        for hole in (first..last).filter(|index| used.get(*index) == Some(&false)) {
            commands.push(("Protocol".to_owned(), format!("-{}", name(hole))));
        }
        let suites = SUITES.iter().filter(|(_, exchange, cipher, mac)| {
            exchanges.contains(exchange) && ciphers.contains(cipher) && macs.contains(mac)
        });
        let suites: Vec<_> = suites.map(|suite| suite.0).collect();
        let suites_13 = SUITES_13.iter().filter(|(_, cipher)| ciphers.contains(cipher));
        let suites_13: Vec<_> = suites_13.map(|suite| suite.0).collect();
        if (first < 3 && suites.is_empty()) || (last == 3 && suites_13.is_empty()) {
            return Err("the priority string leaves no cipher suite".to_owned());
        }
        let level = level.map_or_else(String::new, |level| format!("@SECLEVEL={level}"));
        if first < 3 {
            commands.push(("CipherString".to_owned(), suites.join(":") + &level));
        }
        if last == 3 {
            commands.push(("Ciphersuites".to_owned(), suites_13.join(":")));
        }
        let groups = GROUPS.iter().filter(|row| groups.contains(&row.1)).map(|row| row.0);
        let groups: Vec<_> = groups.collect();
        if !groups.is_empty() && groups.len() < GROUPS.len() {
            commands.push(("Groups".to_owned(), groups.join(":")));
        }
        commands.extend(options.iter().map(|option| ("Options".to_owned(), (*option).to_owned())));
        Ok(commands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> Option<String> {
        let commands = translate(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        commands.into_iter().find(|command| command.0 == name).map(|command| command.1)
    }

    #[test]
    fn versions() {
        for (text, min, max) in [
            ("NORMAL", "TLSv1.2", "TLSv1.3"),
            ("NORMAL:-VERS-ALL:+VERS-TLS1.3", "TLSv1.3", "TLSv1.3"),
            ("normal:-vers-tls-all:+vers-tls1.2", "TLSv1.2", "TLSv1.2"),
            ("SECURE128:-VERS-TLS1.3:!VERS-TLS1.0", "TLSv1.2", "TLSv1.2"),
            ("LEGACY", "TLSv1", "TLSv1.3"),
        ] {
            assert_eq!(value(text, "MinProtocol").as_deref(), Some(min), "{text}");
            assert_eq!(value(text, "MaxProtocol").as_deref(), Some(max), "{text}");
        }
        assert_eq!(value("LEGACY:-VERS-TLS1.1", "Protocol").as_deref(), Some("-TLSv1.1"));
        assert!(translate("NORMAL:-VERS-ALL").is_err());
    }

    #[test]
    fn suites_groups_and_options() {
        let only =
            "NONE:+VERS-TLS1.2:+ECDHE-RSA:+AES-128-GCM:+AEAD:+SIGN-ALL:+COMP-NULL:+GROUP-SECP384R1";
        assert_eq!(value(only, "CipherString").as_deref(), Some("ECDHE-RSA-AES128-GCM-SHA256"));
        assert_eq!(value(only, "Ciphersuites"), None);
        assert_eq!(value(only, "Groups").as_deref(), Some("P-384"));
        let pfs = value("PFS:-CIPHER-ALL:+AES-256-GCM", "CipherString").unwrap();
        assert!(
            pfs.starts_with("ECDHE-ECDSA-AES256-GCM-SHA384:") && !pfs.contains(":AES256"),
            "{pfs}"
        );
        assert_eq!(
            value("NORMAL:%SERVER_PRECEDENCE", "Options").as_deref(),
            Some("ServerPreference")
        );
        assert!(value("NORMAL:%PROFILE_HIGH", "CipherString").unwrap().ends_with("@SECLEVEL=3"));
        assert_eq!(translate(""), Ok(vec![]));
    }

    #[test]
    fn what_openssl_cannot_do_is_an_error() {
        for text in [
            "NOTHING",
            "NORMAL:AES-128-GCM",
            "NORMAL:+3DES-CBC",
            "NORMAL:+ANON-DH",
            "NORMAL:+COMP-DEFLATE",
            "NORMAL:%NO_EXTENSIONS",
            "NORMAL:-SIGN-RSA-SHA256",
            "NORMAL:+ALL",
            "NONE:+VERS-TLS1.3",
        ] {
            assert!(translate(text).is_err(), "{text}");
        }
    }
}

//! Keeps dynamic file names inside their directory: message contents must not choose any file of the host.
//!
//! Purely lexical; a symbolic link as last component is what `followSymlinks` is about.

/// The directory that names of a template must stay below: its leading constant text up to the last slash,
/// normalised. `None` where there is none.
pub(super) fn base(leading_constant: &[u8]) -> Option<Vec<u8>> {
    let slash = leading_constant.iter().rposition(|&byte| byte == b'/')?;
    let base = normalise(leading_constant.get(..slash.max(1))?);
    (base != b".").then_some(base)
}

/// Whether the rendered `name` may be opened.
///
/// # Errors
/// The reference's message.
pub(super) fn check(name: &[u8], base: Option<&[u8]>) -> Result<(), String> {
    let shown = String::from_utf8_lossy(name);
    if name.contains(&0) {
        return Err(format!(
            "omfile: dynafile path traversal blocked: '{shown}' contains a NUL byte"
        ));
    }
    let normal = normalise(name);
    match base {
        Some(base) if !is_below(&normal, base) => Err(format!(
            "omfile: dynafile path traversal blocked: '{shown}' resolves outside base '{}'",
            String::from_utf8_lossy(base)
        )),
        None if normal.starts_with(b"/") || starts_with_parent(&normal) => {
            Err(format!("omfile: dynafile path traversal blocked: '{shown}'"))
        }
        _ => Ok(()),
    }
}

fn is_below(path: &[u8], base: &[u8]) -> bool {
    if base == b"/" {
        return path.starts_with(base);
    }
    let rest = path.strip_prefix(base);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn starts_with_parent(path: &[u8]) -> bool {
    path == b".." || path.starts_with(b"../")
}

/// Resolves `.`, `..` and repeated slashes without looking at the file system.
fn normalise(path: &[u8]) -> Vec<u8> {
    let absolute = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| last != b"..") => {
                parts.pop();
            }
            b".." if absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (absolute, joined.is_empty()) {
        (true, _) => [b"/".as_slice(), &joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        let cases: [(&str, &str); 10] = [
            ("/var/log/a.log", "/var/log/a.log"),
            ("/var//log/./a", "/var/log/a"),
            ("/var/log/../../../etc", "/etc"),
            ("/..", "/"),
            ("a/../..", ".."),
            ("../../a", "../../a"),
            ("a/b/..", "a"),
            ("./", "."),
            ("", "."),
            ("a/", "a"),
        ];
        for (path, normal) in cases {
            assert_eq!(normalise(path.as_bytes()), normal.as_bytes(), "{path}");
        }
    }

    #[test]
    fn bases() {
        let cases: [(&str, Option<&str>); 9] = [
            ("/var/log/", Some("/var/log")),
            ("/var/log/host-", Some("/var/log")),
            ("/var/log", Some("/var")),
            ("logs/", Some("logs")),
            ("/", Some("/")),
            ("/x", Some("/")),
            ("../x/", Some("../x")),
            ("host-", None),
            ("", None),
        ];
        for (constant, expected) in cases {
            assert_eq!(
                base(constant.as_bytes()).as_deref(),
                expected.map(str::as_bytes),
                "{constant}"
            );
        }
    }

    #[test]
    fn names_stay_below_their_base() {
        let base = Some(b"/var/log".as_slice());
        for name in ["/var/log/a", "/var/log/a/../b", "/var/log//x/y.log", "/var/log"] {
            assert_eq!(check(name.as_bytes(), base), Ok(()), "{name}");
        }
        for name in ["/var/log/../x", "/var/logs/x", "/etc/passwd", "var/log/x", "/var/log/a\0b"] {
            assert!(check(name.as_bytes(), base).is_err(), "{name}");
        }
        assert_eq!(check(b"/etc/passwd", Some(b"/")), Ok(()), "the template says so");
        let text = "omfile: dynafile path traversal blocked: '/var/log/../x' resolves outside base '/var/log'";
        assert_eq!(check(b"/var/log/../x", base), Err(text.to_owned()));
    }

    #[test]
    fn without_a_base_only_relative_names_that_stay() {
        for (name, ok) in [
            ("a", true),
            ("a/b", true),
            ("a/../b", true),
            ("/a", false),
            ("../a", false),
            ("a/../..", false),
        ] {
            assert_eq!(check(name.as_bytes(), None).is_ok(), ok, "{name}");
        }
    }
}

//! The command line: one table of flags, a getopt-like reader for it, nothing that acts.
//!
//! Flags are rsyslogd's (`spec/local-inputs.md` section 6): single letters that may be bundled (`-dn`), a value
//! may follow at once (`-iNONE`) or as the next word. Only `--help`, `--version` and `--stats` are ours.

use std::ffi::OsString;

use crate::config::Format;

/// One flag, as help and man page show it.
#[derive(Debug)]
pub(crate) struct Flag {
    /// The letter.
    pub(crate) letter: char,
    /// Placeholder of the value it takes.
    pub(crate) value: Option<&'static str>,
    /// One sentence.
    pub(crate) doc: &'static str,
    /// For flags that rsyslog has dropped: what to write in the configuration instead.
    pub(crate) gone: Option<&'static str>,
}

const fn flag(letter: char, value: Option<&'static str>, doc: &'static str) -> Flag {
    Flag { letter, value, doc, gone: None }
}

const fn gone(letter: char, instead: &'static str) -> Flag {
    Flag { letter, value: None, doc: "Gone; accepted with a notice.", gone: Some(instead) }
}

/// All flags, in the order of help.
pub(crate) static FLAGS: &[Flag] = &[
    flag('f', Some("FILE"), "Read this configuration file (default /etc/rsyslog.conf)."),
    flag('i', Some("FILE"), "Write the process id to this file; NONE for no file."),
    flag('n', None, "Stay in the foreground."),
    flag(
        'N',
        Some("LEVEL"),
        "Check the configuration and exit: 1 whole, 2 or 3 also without actions.",
    ),
    flag('d', None, "Debug: foreground, debug output and counters at exit on standard error."),
    flag('D', None, "Show the configuration's statements as they are read."),
    flag('C', None, "Do not change the working directory to /."),
    flag('M', Some("DIRS"), "Accepted and ignored: modules are compiled in."),
    flag(
        'o',
        Some("FILE"),
        "Write the complete configuration, includes resolved and private keys masked, to this file; - is standard output.",
    ),
    flag(
        'F',
        Some("FORMAT"),
        "With -N1 and -o: translate the configuration into rainerscript or yaml.",
    ),
    flag('T', Some("DIR"), "Change the root directory first."),
    flag('v', None, "Show the version and exit."),
    flag('V', None, "Show the version and exit."),
    flag('h', None, "Show this help and exit with 1, as rsyslogd does."),
    flag('u', Some("MASK"), "Old bit mask: 2 is -C, 1 is gone."),
    flag(
        'S',
        Some("ADDRESS"),
        "Accepted with a notice: omrelp is not implemented in this version.",
    ),
    flag(
        'A',
        None,
        "Actions of omfwd send datagrams to all addresses of their target, unless udp.sendToAll says otherwise.",
    ),
    gone('4', "global(net.ipprotocol=\"ipv4-only\")"),
    gone('6', "global(net.ipprotocol=\"ipv6-only\")"),
    gone('q', "global(net.aclAddHostnameOnFail=\"on\")"),
    gone('Q', "global(net.aclResolveHostname=\"off\")"),
    gone('w', "global(net.permitACLWarning=\"off\")"),
    gone('x', "global(net.enableDNS=\"off\")"),
];

/// What the user asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Run, or check the configuration.
    Run(Options),
    /// `-v`, `-V`, `--version`.
    Version,
    /// `--help`, with the module to explain.
    Help(Option<String>),
    /// `--stats`
    Stats(StatsRequest),
    /// `--explain`, with the configuration to report on.
    Explain(String),
    /// `-h`, or a command line that makes no sense: the text says why.
    Usage(Option<String>),
}

/// What `--stats` is to show.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StatsRequest {
    /// Where the daemon listens: a path, or an address with a port.
    pub(crate) address: String,
    /// Every second, until the daemon ends.
    pub(crate) watch: bool,
}

/// The flags that were given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `-f`
    pub(crate) config: String,
    /// `-i`; `None` where it was not given.
    pub(crate) pid_file: Option<String>,
    /// `-n`
    pub(crate) foreground: bool,
    /// `-N`; 0 is an ordinary run.
    pub(crate) check_level: i32,
    /// `-d`
    pub(crate) debug: bool,
    /// `-D`
    pub(crate) show_statements: bool,
    /// `-C`, `-u2`
    pub(crate) keep_directory: bool,
    /// `-o`
    pub(crate) output: Option<String>,
    /// `-F`
    pub(crate) translate: Option<Format>,
    /// `-T`
    pub(crate) chroot: Option<String>,
    /// `-A`
    pub(crate) send_to_all: bool,
    /// What to tell the user on standard error before anything else.
    pub(crate) notices: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: "/etc/rsyslog.conf".into(),
            pid_file: None,
            foreground: false,
            check_level: 0,
            debug: false,
            show_statements: false,
            keep_directory: false,
            send_to_all: false,
            output: None,
            translate: None,
            chroot: None,
            notices: Vec::new(),
        }
    }
}

/// Reads the command line, without the program's name.
pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Request {
    let mut options = Options::default();
    let mut args = args.into_iter().map(|a| a.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--version" => return Request::Version,
            "--help" => return Request::Help(args.next()),
            "--stats" => return stats(args),
            "--explain" => {
                return Request::Explain(args.next().unwrap_or(options.config));
            }
            "--" => return stray(args.next()).unwrap_or(Request::Run(options)),
            _ => {}
        }
        let Some(letters) =
            arg.strip_prefix('-').filter(|l| !l.is_empty() && !arg.starts_with("--"))
        else {
            return stray(Some(arg)).unwrap_or(Request::Usage(None));
        };
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            let Some(flag) = FLAGS.iter().find(|f| f.letter == letter) else {
                return Request::Usage(Some(format!("unknown option -{letter}")));
            };
            let value = match flag.value {
                None => String::new(),
                Some(placeholder) => {
                    let attached: String = rest.by_ref().collect();
                    let value = if attached.is_empty() { args.next() } else { Some(attached) };
                    match value {
                        Some(value) => value,
                        None => {
                            return Request::Usage(Some(format!(
                                "-{letter} needs a {placeholder}"
                            )));
                        }
                    }
                }
            };
            if let Some(other) = apply(&mut options, flag, value) {
                return other;
            }
        }
    }
    Request::Run(options)
}

/// `--stats SOCKET [--watch]`, the two in either order.
fn stats(args: impl Iterator<Item = String>) -> Request {
    let (mut address, mut watch) = (None, false);
    for arg in args {
        match arg.as_str() {
            "--watch" => watch = true,
            _ if address.is_some() || arg.starts_with('-') => {
                return stray(Some(arg)).unwrap_or(Request::Usage(None));
            }
            _ => address = Some(arg),
        }
    }
    match address {
        Some(address) => Request::Stats(StatsRequest { address, watch }),
        None => Request::Usage(Some("--stats needs a SOCKET".to_owned())),
    }
}

fn stray(arg: Option<String>) -> Option<Request> {
    arg.map(|arg| Request::Usage(Some(format!("unexpected argument '{arg}'"))))
}

fn apply(options: &mut Options, flag: &Flag, value: String) -> Option<Request> {
    if let Some(instead) = flag.gone {
        options.notices.push(format!(
            "the -{} command line option has gone away.\nPlease use the {instead} configuration parameter instead.",
            flag.letter
        ));
        return None;
    }
    match flag.letter {
        'f' => options.config = value,
        'i' => options.pid_file = Some(value),
        'n' => options.foreground = true,
        'N' => options.check_level = number(&value),
        'd' => options.debug = true,
        'D' => options.show_statements = true,
        'C' => options.keep_directory = true,
        'M' => {}
        'o' => options.output = Some(value),
        'F' => {
            options.translate = match value.to_ascii_lowercase().as_str() {
                "rainerscript" => Some(Format::RainerScript),
                "yaml" => Some(Format::Yaml),
                _ => {
                    let why = format!(
                        "unsupported translation format '{value}'; it is rainerscript or yaml"
                    );
                    return Some(Request::Usage(Some(why)));
                }
            };
        }
        'T' => options.chroot = Some(value),
        'u' => {
            let mask = number(&value);
            if mask & 1 != 0 {
                options.notices.push(
                    "bit 1 of -u has gone away.\nPlease use the \
                     global(parser.parseHostnameAndTag=\"off\") configuration parameter instead."
                        .into(),
                );
            }
            options.keep_directory |= mask & 2 != 0;
        }
        'A' => options.send_to_all = true,
        'S' => options.notices.push(format!("-{}: {}", flag.letter, flag.doc)),
        'v' | 'V' => return Some(Request::Version),
        _ => return Some(Request::Usage(None)),
    }
    None
}

/// The number that `text` begins with, as atoi(3) reads it; 0 where there is none.
fn number(text: &str) -> i32 {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    text[..text.len() - digits.len() + end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Options {
        match read(args.iter().map(OsString::from)) {
            Request::Run(options) => options,
            other => panic!("{args:?} gave {other:?}"),
        }
    }

    #[test]
    fn values_attach_or_follow_and_letters_bundle() {
        let o = options(&["-dnC", "-iNONE", "-f", "x.conf", "-N1", "-M../a:../b"]);
        assert!(o.debug && o.foreground && o.keep_directory);
        assert_eq!(
            (o.pid_file.as_deref(), o.config.as_str(), o.check_level),
            (Some("NONE"), "x.conf", 1)
        );
    }

    #[test]
    fn levels_are_read_as_atoi_does() {
        for (text, level) in [("1", 1), ("2x", 2), ("-1", -1), (" +3 4", 3), ("x", 0), ("-", 0)] {
            assert_eq!(options(&["-N", text]).check_level, level, "{text:?}");
        }
    }

    #[test]
    fn gone_options_leave_a_notice() {
        assert_eq!(options(&["-4x"]).notices.len(), 2);
        assert!(options(&["-u3"]).keep_directory);
    }

    #[test]
    fn nonsense_is_usage() {
        for args in [&["-Z"][..], &["stray"], &["-f"], &["--wrong"], &["-"], &["--", "x"]] {
            let request = read(args.iter().map(OsString::from));
            assert!(matches!(request, Request::Usage(_)), "{args:?} gave {request:?}");
        }
        for args in [&["--stats"][..], &["--stats", "-n", "x"], &["--stats", "x", "y"]] {
            let request = read(args.iter().map(OsString::from));
            assert!(matches!(request, Request::Usage(Some(_))), "{args:?} gave {request:?}");
        }
        for args in [["--stats", "/s", "--watch"], ["--stats", "--watch", "/s"]] {
            let expected = StatsRequest { address: "/s".into(), watch: true };
            assert_eq!(read(args.iter().map(OsString::from)), Request::Stats(expected));
        }
        assert_eq!(read(["-nv".into()]), Request::Version);
        assert_eq!(read(["--help".into(), "imtcp".into()]), Request::Help(Some("imtcp".into())));
    }

    #[test]
    fn every_flag_is_documented_once() {
        for (i, flag) in FLAGS.iter().enumerate() {
            assert!(flag.doc.ends_with('.'), "-{}", flag.letter);
            assert!(FLAGS[i + 1..].iter().all(|f| f.letter != flag.letter), "-{}", flag.letter);
        }
    }
}

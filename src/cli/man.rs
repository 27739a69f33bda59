//! The man pages, rendered in mdoc from the flag table and the modules' parameter tables.
//! `man/` holds the result; a test fails while it is stale (`UPDATE_EXPECT=1` rewrites it).

use std::fmt::Write as _;

use super::flags::FLAGS;
use super::help::kind;
use super::man_metrics;
use crate::config::tables;
use crate::param::{Class, Param, Support};
use crate::registry;

/// Pages by file name.
pub(crate) fn pages() -> [(&'static str, String); 3] {
    let metrics = ("sluice-metrics.5", man_metrics::page());
    [("sluiced.8", daemon()), ("sluice.conf.5", configuration()), metrics]
}

/// Text as mdoc takes it: no line starts with a control character, backslashes and quotes are literal.
pub(super) fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('"', "\\(dq").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn daemon() -> String {
    let mut out = String::from(
        ".Dd November 20, 2026\n.Dt SLUICED 8\n.Os\n.Sh NAME\n.Nm sluiced\n.Nd syslog daemon that reads rsyslog's configuration\n\
         .Sh SYNOPSIS\n.Nm\n.Op Ar options\n.Sh DESCRIPTION\n.Nm\nreceives syslog messages over TCP and UDP, parses them, \
         runs the rules of its configuration and writes them to files.\nConfiguration language, file formats, counters and \
         exit codes are those of rsyslogd.\n.Sh OPTIONS\n.Bl -tag -width Ds\n",
    );
    for flag in FLAGS {
        let _ = match flag.value {
            Some(value) => writeln!(out, ".It Fl {} Ar {value}", flag.letter),
            None => writeln!(out, ".It Fl {}", flag.letter),
        };
        let _ = match flag.gone {
            Some(instead) => writeln!(out, "Gone; use {}.", escape(instead)),
            None => writeln!(out, "{}", escape(flag.doc)),
        };
    }
    out.push_str(
        ".It Fl \\-explain Ar file\nReport what becomes of a configuration here: what loads, what is not supported, what differs.\n.It Fl \\-help Op Ar module\nShow all options, or the parameters of a module.\n.It Fl \\-version\nShow the version.\n.It Fl \\-stats Ar socket Op Fl \\-watch\nShow what a running daemon has received, processed, holds and has \
         dropped, by input, queue and action.\nIts impstats needs\n.Li http.listen\nwith the same socket, a path or an address with a port.\nWith\n\
         .Fl \\-watch\nit is shown every second, with rates.\n.El\n\
         .Sh SIGNALS\n.Bl -tag -width Ds\n.It HUP\nClose files; they are opened again when the next message comes.\n\
         The configuration is not read again.\n.It TERM\nStop receiving, empty the queues within their \
         .Li timeoutShutdown ,\nwrite everything out, exit with 0.\n.It INT , QUIT\nAs TERM, in debug mode or with\n\
         .Li shutdown.enable.ctlc ;\nignored otherwise.\n.It USR1\nSwitch debug output on or off.\n.El\n\
         .Sh EXIT STATUS\n.Bl -tag -width Ds\n.It 0\nNormal end; configuration without errors.\n.It 1\nWrong usage, \
         a configuration with errors under\n.Fl N ,\nor no start.\n.It 2\n.Li abortOnUncleanConfig\nis on and the configuration has \
         errors.\n.El\n.Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/rsyslog.conf\nConfiguration.\n.It Pa /run/rsyslogd.pid\n\
         Process id.\n.El\n.Sh SEE ALSO\n.Xr sluice.conf 5 ,\n.Xr sluice\\-metrics 5\n",
    );
    out
}

fn configuration() -> String {
    let mut out = String::from(
        ".Dd November 20, 2026\n.Dt SLUICE.CONF 5\n.Os\n.Sh NAME\n.Nm sluice.conf\n.Nd parameters that sluiced knows\n\
         .Sh DESCRIPTION\n.Xr sluiced 8\nreads rsyslog's configuration language.\nThis page lists every object and module with its \
         parameters.\nA parameter marked\n.Em not implemented\nis known, and refused with an error that says so.\n",
    );
    let objects: [(&str, &[Param]); 5] = [
        ("global()", tables::GLOBAL),
        ("main_queue(), ruleset() with a queue", tables::QUEUE_RULESET),
        ("action(), common to all", tables::ACTION),
        ("action(), queue", tables::QUEUE_ACTION),
        ("property() in a template", tables::PROPERTY),
    ];
    for (title, params) in objects {
        let _ = writeln!(out, ".Sh {}", escape(title));
        list(&mut out, params);
    }
    for module in registry::modules() {
        let _ = writeln!(out, ".Sh MODULE {}\n{}", module.name, escape(module.summary));
        let object = match module.class {
            Class::Input => "input",
            Class::Parser => "parser",
            _ => "action",
        };
        for (title, params) in [("module", module.module_params), (object, module.params)] {
            if !params.is_empty() {
                let _ = writeln!(out, ".Ss Parameters of {title}()");
                list(&mut out, params);
            }
        }
        if !module.counters.is_empty() {
            out.push_str(".Ss Counters\n.Bl -tag -width Ds\n");
            for (name, doc) in module.counters {
                let _ = writeln!(out, ".It Li {}\n{}", escape(name), escape(doc));
            }
            out.push_str(".El\n");
        }
        for example in module.examples {
            out.push_str(".Ss Example\n.Bd -literal\n");
            example.trim_end().lines().for_each(|line| {
                let _ = writeln!(out, "{}", escape(line));
            });
            out.push_str(".Ed\n");
        }
    }
    super::elastic::section(&mut out);
    out.push_str(".Sh SEE ALSO\n.Xr sluiced 8\n");
    out
}

fn list(out: &mut String, params: &[Param]) {
    out.push_str(".Bl -tag -width Ds\n");
    for param in params {
        let _ = write!(out, ".It Li {}\n{}", escape(param.name), escape(&kind(&param.kind)));
        let _ = match (param.required, param.default) {
            (true, _) => write!(out, ", required"),
            (false, Some(default)) => write!(out, ", default {}", escape(default)),
            (false, None) => Ok(()),
        };
        let _ = writeln!(out, ".\n{}", escape(param.doc));
        match param.support {
            Support::Full => {}
            Support::Missing => out.push_str("Not implemented in this version.\n"),
            Support::Deprecated(advice) => {
                let _ = writeln!(out, "Deprecated: {}", escape(advice));
            }
            Support::NoEffect { reason, .. } => {
                let _ = writeln!(out, "Accepted without effect: {}.", escape(reason));
            }
        }
        for directive in param.legacy.into_iter().chain(param.legacy_alias) {
            let only = if param.legacy_only { ", the only way to write it" } else { "" };
            let _ = writeln!(out, "Legacy directive: ${directive}{only}.");
        }
    }
    out.push_str(".El\n");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn committed_pages_are_fresh() {
        for (name, text) in super::pages() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man").join(name);
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == text,
                "man/{name} is stale: UPDATE_EXPECT=1 cargo test committed_pages"
            );
        }
    }
}

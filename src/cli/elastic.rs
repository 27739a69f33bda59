//! The man page's section for users of Elastic's Custom TCP Logs integration: each of its settings, and ours.

use std::fmt::Write as _;

use super::man::escape;

/// Appends the section.
pub(super) fn section(out: &mut String) {
    out.push_str(
        ".Sh FROM ELASTIC'S CUSTOM TCP LOGS\nThe integration's input is module\n.Li imrawtcp ,\nits documents are template\n\
         .Li SLUICE_ECS ,\nits output is\n.Li omelasticsearch\nwith\n.Li dataStream .\n\
         .Pa conf/elastic-tcp.conf\nis the integration's default set-up.\n.Bl -tag -width Ds\n",
    );
    for (theirs, module, ours, note) in SETTINGS {
        let _ = writeln!(out, ".It Li {}", escape(theirs));
        if !ours.is_empty() {
            let _ = writeln!(out, ".Li {}\nof {module}.", escape(ours));
        }
        if !note.is_empty() {
            let _ = writeln!(out, "{}", escape(note));
        }
    }
    out.push_str(".El\n");
}

/// Elastic's setting; our module and its parameter, where there is one; what else to know.
const SETTINGS: &[(&str, &str, &str, &str)] = &[
    ("listen_address", "imrawtcp", "address", ""),
    ("listen_port", "imrawtcp", "port", ""),
    (
        "data_stream.dataset",
        "imrawtcp",
        "dataset",
        "Names that Elasticsearch would not take are refused.",
    ),
    ("data_stream.namespace", "imrawtcp", "namespace", ""),
    ("pipeline", "imrawtcp", "pipeline", "It goes with each document."),
    (
        "max_message_size",
        "imrawtcp",
        "maxMessageSize",
        "Write 20m for 20MiB. The delimiter does not count.",
    ),
    ("framing", "imrawtcp", "framing", ""),
    ("line_delimiter", "imrawtcp", "lineDelimiter", ""),
    (
        "max_connections",
        "imrawtcp",
        "maxConnections",
        "Connections beyond it wait, as with Elastic.",
    ),
    ("timeout", "imrawtcp", "timeout", ""),
    ("keep_null", "imrawtcp", "keepNull", ""),
    ("tags", "imrawtcp", "tags", "With the tag forwarded documents have no host, as with Elastic."),
    ("preserve_original_event", "imrawtcp", "preserveOriginalEvent", ""),
    ("syslog", "imrawtcp", "syslog", ""),
    ("syslog_options.field", "imrawtcp", "syslog.field", ""),
    ("syslog_options.format", "imrawtcp", "syslog.format", ""),
    ("syslog_options.timezone", "imrawtcp", "syslog.timezone", ""),
    ("syslog_options.overwrite_keys", "imrawtcp", "syslog.overwriteKeys", ""),
    ("syslog_options.ignore_missing", "imrawtcp", "syslog.ignoreMissing", ""),
    ("syslog_options.ignore_failure", "imrawtcp", "syslog.ignoreFailure", ""),
    ("syslog_options.tag", "", "", "None: it labels the agent's own log lines only."),
    (
        "processors",
        "",
        "",
        "Rules: filters, templates of your own, and the functions of RainerScript.",
    ),
    ("custom", "", "", "None: there is no other configuration to merge into."),
    ("number_of_workers", "imrawtcp", "workerThreads", ""),
    ("ssl.enabled", "imrawtcp", "tls.enabled", ""),
    ("ssl.certificate", "imrawtcp", "tls.certificate", ""),
    ("ssl.key", "imrawtcp", "tls.key", ""),
    ("ssl.key_passphrase", "imrawtcp", "tls.keyPassphrase", ""),
    ("ssl.certificate_authorities", "imrawtcp", "tls.certificateAuthorities", ""),
    ("ssl.client_authentication", "imrawtcp", "tls.clientAuthentication", ""),
    ("output hosts", "omelasticsearch", "server", ""),
    ("output username, password", "omelasticsearch", "uid", "And pwd."),
    ("output api_key", "omelasticsearch", "apikey", ""),
    ("output compression_level", "omelasticsearch", "compressionLevel", ""),
    ("output timeout", "omelasticsearch", "indexTimeout", "In milliseconds."),
    (
        "output backoff.init, backoff.max",
        "omelasticsearch",
        "backoff.init",
        "And backoff.max, in milliseconds.",
    ),
    ("output bulk_max_size", "", "", "queue.dequeueBatchSize of the action."),
    ("output worker", "", "", "queue.workerThreads of the action."),
    ("output ssl.certificate_authorities", "omelasticsearch", "tls.caCert", "One file."),
    ("output ssl.certificate, ssl.key", "omelasticsearch", "tls.myCert", "And tls.myPrivKey."),
    (
        "output ssl.verification_mode",
        "omelasticsearch",
        "skipVerifyHost",
        "For certificate; allowUnsignedCerts for none.",
    ),
    (
        "output queue.mem.events",
        "",
        "",
        "queue.size of the action. A full queue makes senders wait.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    #[test]
    fn our_parameters_exist() {
        for (theirs, module, ours, note) in SETTINGS {
            if ours.is_empty() {
                assert!(!note.is_empty(), "{theirs}");
                continue;
            }
            let found = registry::modules().find(|known| known.name == *module).expect("a module");
            assert!(found.params.iter().any(|param| param.name == *ours), "{theirs}: {ours}");
        }
    }
}

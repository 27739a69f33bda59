//! The man page's section for users of Elastic's Custom TCP Logs integration: each of its settings, and ours.

use std::fmt::Write as _;

use super::man::escape;

/// Appends the section.
pub(super) fn section(out: &mut String) {
    out.push_str(
        ".Sh FROM ELASTIC'S CUSTOM TCP LOGS\nThe integration's input is module\n.Li imrawtcp ,\nits documents are template\n\
         .Li SLUICE_ECS ,\nits output is\n.Li omelasticsearch\nwith\n.Li dataStream .\n\
         .Pa conf/elastic-tcp.conf\nis the integration's default set-up.\n",
    );
    for Part { title, module, table } in PARTS {
        let _ = writeln!(out, ".Ss {title}\n.Bl -tag -width Ds");
        for Row { theirs, ours, note } in rows(table) {
            let _ = writeln!(out, ".It Li {}", escape(theirs));
            if let Some(ours) = ours {
                let _ = writeln!(out, ".Li {}\nof {module}.", escape(ours));
            }
            if !note.is_empty() {
                let _ = writeln!(out, "{}", escape(note));
            }
        }
        out.push_str(".El\n");
    }
}

/// Settings that lead to one module.
struct Part {
    title: &'static str,
    module: &'static str,
    table: &'static str,
}

struct Row<'a> {
    theirs: &'a str,
    /// The parameter that does the same, where there is one.
    ours: Option<&'a str>,
    note: &'a str,
}

/// The rows of a table: columns have two blanks or more between them; `-` is no parameter of ours.
fn rows<'a>(table: &'a str) -> impl Iterator<Item = Row<'a>> {
    table.trim().lines().map(|line: &'a str| {
        let mut columns = line.splitn(2, "  ");
        let theirs = columns.next().unwrap_or_default();
        let rest = columns.next().unwrap_or_default().trim_start();
        let (ours, note) = rest.split_once("  ").unwrap_or((rest, ""));
        Row { theirs, ours: Some(ours).filter(|ours| *ours != "-"), note: note.trim_start() }
    })
}

const PARTS: &[Part] = &[
    Part { title: "The input and its syslog processor", module: "imrawtcp", table: INPUT },
    Part { title: "TLS of the input", module: "imrawtcp", table: TLS },
    Part { title: "The output to Elasticsearch", module: "omelasticsearch", table: OUTPUT },
    Part {
        title: "Metrics of the input and of its syslog processor",
        module: "imrawtcp",
        table: METRICS,
    },
];

const INPUT: &str = "
listen_address  address
listen_port  port
host  address  And port: the input's own setting has both.
data_stream.dataset  dataset  Names that Elasticsearch would not take are refused.
data_stream.namespace  namespace
pipeline  pipeline  It goes with each document.
max_message_size  maxMessageSize  Write 20m for 20MiB. The delimiter does not count. A longer message ends its connection, or is cut with oversize.
framing  framing
line_delimiter  lineDelimiter
max_connections  maxConnections  Connections beyond it wait, as with Elastic.
timeout  timeout
number_of_workers  workerThreads
network  address  An address of that family.
keep_null  keepNull
tags  tags  With the tag forwarded documents have no host, as with Elastic.
preserve_original_event  preserveOriginalEvent
processors  -  Rules: filters, templates of your own, and the functions of RainerScript.
custom  -  None: there is no other configuration to merge into.
syslog  syslog
syslog_options.field  syslog.field
syslog_options.format  syslog.format
syslog_options.timezone  syslog.timezone
syslog_options.overwrite_keys  syslog.overwriteKeys
syslog_options.ignore_missing  syslog.ignoreMissing
syslog_options.ignore_failure  syslog.ignoreFailure
syslog_options.tag  syslog.tag  A label of the processor and of its counters, not of documents.
";

const TLS: &str = "
ssl.enabled  tls.enabled
ssl.certificate  tls.certificate  A file, or the PEM text.
ssl.key  tls.key  A file, or the PEM text.
ssl.key_passphrase  tls.keyPassphrase
ssl.certificate_authorities  tls.certificateAuthorities  Files, or PEM texts.
ssl.client_authentication  tls.clientAuthentication  The same defaults.
ssl.verification_mode  tls.verificationMode  Clients have no name to be checked, so full, strict and certificate are the same.
ssl.supported_protocols  tls.supportedProtocols
ssl.cipher_suites  tls.cipherSuites  The same names. Those of TLS 1.3 are always on.
ssl.curve_types  tls.curveTypes
ssl.ca_sha256  tls.caSha256
ssl.renegotiation  -  Never, as with Elastic's default.
ssl.restart_on_cert_change.enabled, .period  -  HUP reads certificates and keys again, without a restart and without closing connections.
ssl.certificate_reload.enabled  -  The same.
";

const OUTPUT: &str = "
hosts  server
protocol  useHttps  Or https:// before the host.
path  server  Behind the host: http://host:9200/path.
username  uid
password  pwd
api_key  apikey
bulk_max_size  -  queue.dequeueBatchSize of the action; maxBytes bounds the request as well.
worker  -  queue.workerThreads of the action.
loadbalance  loadBalance  Servers take turns, request by request; one that fails is passed over for 30 seconds.
compression_level  compressionLevel
timeout  indexTimeout  In milliseconds.
backoff.init  backoff.init  In milliseconds.
backoff.max  backoff.max  In milliseconds.
max_retries  -  action.resumeRetryCount of the action; -1, without end, as Filebeat does.
idle_connection_timeout  idleConnectionTimeout  In milliseconds.
queue.mem.events  -  queue.size of the action. A full queue makes senders wait.
queue.mem.flush.min_events  -  queue.minDequeueBatchSize of the action.
queue.mem.flush.timeout  -  queue.minDequeueBatchSize.timeout of the action, in milliseconds.
headers  headers  A list, each as Name: value.
parameters  parameters  A list, each as name=value.
proxy_url  proxyUrl  HTTP and HTTPS proxies, asked for a tunnel (CONNECT) also where the server speaks plain HTTP. The environment's proxies are not used.
non_indexable_policy  errorFile  Documents that the cluster refuses, with its reply; without it they are dropped, and counted.
ssl.enabled  useHttps  Or https:// before the host.
ssl.certificate_authorities  tls.caCert  One file.
ssl.certificate  tls.myCert
ssl.key  tls.myPrivKey
ssl.key_passphrase  tls.keyPassphrase
ssl.supported_protocols  tls.tlsVersion  The oldest one.
ssl.cipher_suites  tls.cipherSuites  Those of TLS 1.3.
ssl.curve_types  tls.keyExchangeGroups
ssl.verification_mode  skipVerifyHost  For certificate; allowUnsignedCerts for none.
ssl.ca_sha256, ssl.ca_trusted_fingerprint  -  None: tls.caCert names the only authorities that are believed.
index  searchIndex  Unset: the data stream of the input.
pipeline  pipelineName  That of the input comes first.
";

const METRICS: &str = "
received_events_total  -  Counter submitted of the input.
received_bytes_total  -  Counter bytes.received of the input.
receive_queue_length  -  Counter size of the queue behind the input; what the kernel holds is not counted.
system_packet_drops  -  None: TCP drops nothing; who is not read waits.
arrival_period, processing_time  -  None.
processor.syslog.success, .failure, .missing  -  The same counters, in the object processor.syslog, or processor.syslog.TAG with syslog.tag; counted for each document made.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Support;
    use crate::registry;

    #[test]
    fn our_parameters_exist_and_are_obeyed() {
        for Part { module, table, .. } in PARTS {
            let found = registry::modules().find(|known| known.name == *module).expect("a module");
            for Row { theirs, ours, note } in rows(table) {
                let Some(ours) = ours else {
                    assert!(!note.is_empty(), "{theirs}");
                    continue;
                };
                let param = found.params.iter().find(|param| param.name == ours);
                let param = param.unwrap_or_else(|| panic!("{theirs}: {ours}"));
                assert!(param.support != Support::Missing, "{theirs}: {ours} is not implemented");
                let sentence = note.is_empty() || note.ends_with('.');
                assert!(sentence && !note.starts_with(' '), "{theirs}: {note}");
            }
        }
    }

    /// `spec/elastic-tcp.md` sections 1, 2, 4.1, 6 and 8.2.
    #[test]
    fn no_setting_of_theirs_is_left_out() {
        let input = "listen_address listen_port data_stream.dataset pipeline max_message_size framing line_delimiter \
             max_connections timeout keep_null processors tags syslog preserve_original_event custom host \
             number_of_workers";
        let syslog = "field format timezone overwrite_keys ignore_missing ignore_failure tag";
        let tls = "enabled certificate key key_passphrase certificate_authorities client_authentication verification_mode \
             supported_protocols cipher_suites curve_types ca_sha256 renegotiation";
        let output = "hosts protocol path username password api_key bulk_max_size worker loadbalance compression_level timeout \
             backoff.init backoff.max max_retries idle_connection_timeout queue.mem.events queue.mem.flush.min_events \
             queue.mem.flush.timeout headers parameters proxy_url non_indexable_policy";
        let metrics =
            "received_events_total received_bytes_total receive_queue_length system_packet_drops";
        let has = |table: &str, name: &str| rows(table).any(|row| row.theirs == name);
        for (table, prefix, names) in [
            (INPUT, "", input),
            (INPUT, "syslog_options.", syslog),
            (TLS, "ssl.", tls),
            (OUTPUT, "", output),
            (METRICS, "", metrics),
        ] {
            for name in names.split_whitespace() {
                assert!(has(table, &format!("{prefix}{name}")), "{prefix}{name}");
            }
        }
    }
}

//! The manual page of what the daemon serves over HTTP: paths, and the names of metrics.

use std::fmt::Write as _;

use super::man::escape;

/// The page.
pub(super) fn page() -> String {
    let mut out = String::from(
        ".Dd November 21, 2026\n.Dt SLUICE-METRICS 5\n.Os\n.Sh NAME\n.Nm sluice\\-metrics\n.Nd what sluiced says of itself over HTTP\n\
         .Sh SYNOPSIS\n.Li \"module(load=\\(dqimpstats\\(dq log.syslog=\\(dqoff\\(dq http.listen=\\(dq127.0.0.1:9153\\(dq)\"\n\
         .Sh DESCRIPTION\nWith\n.Li http.listen ,\n.Xr sluiced 8\nanswers GET requests, on loopback or on a Unix socket, and with\n\
         .Li http.allow=\\(dqon\\(dq\non any address. On loopback a request must be for an address or for localhost.\nThere is no \
         encryption and no password: what protects the answers is who can reach the socket.\n.Sh PATHS\n.Bl -tag -width Ds\n",
    );
    for (path, what) in PATHS {
        let _ = writeln!(out, ".It Li {}\n{}", escape(path), escape(what));
    }
    out.push_str(
        ".El\n.Sh METRICS\nNames stay as they are from version to version. A counter of\n.Xr sluice.conf 5\nis the metric\n\
         .Li sluice_ORIGIN_COUNTER ,\nwith dots and other signs as underscores, and with\n.Li _total\nat the end where it only \
         grows; the label\n.Li object\nsays whose counter it is. Counters count from the start, whatever\n.Li resetCounters\nsays. \
         What scripts name after what messages bring is in the label\n.Li counter .\nThese are worth watching:\n.Bl -tag -width Ds\n",
    );
    for (name, what) in METRICS {
        let _ = writeln!(out, ".It Li {}\n{}", escape(name), escape(what));
    }
    out.push_str(
        ".El\n.Sh FILES\n.Bl -tag -width Ds\n.It Pa conf/monitoring/sluice.rules.yml\nAlert rules for Prometheus.\n\
         .It Pa conf/monitoring/sluice\\-dashboard.json\nA dashboard for Grafana.\n.El\n.Sh SEE ALSO\n.Xr sluiced 8 ,\n.Xr sluice.conf 5\n",
    );
    out
}

const PATHS: &[(&str, &str)] = &[
    ("/", "A page that draws what follows, for people. It loads nothing from elsewhere."),
    ("/metrics", "All counters in Prometheus' text format."),
    (
        "/stats.json",
        "All counters, the ledger and what keeps the daemon from being ready, as JSON. Times are in milliseconds.",
    ),
    (
        "/senders.json?top=N",
        "Of each omsendertrack action: the N senders with the most messages (20 if not given, 1000 at most), and of those not heard of \
         for alarm.silence seconds (300 without) the N with the most messages.",
    ),
    ("/healthz", "200 as long as the daemon runs."),
    (
        "/readyz",
        "200 if no queue is above its high mark and no action is suspended; else 503, with the reasons.",
    ),
];

/// Metrics with their meaning.
const METRICS: &[(&str, &str)] = &[
    ("sluice_build_info", "Always 1; the label version is the version."),
    ("sluice_start_time_seconds", "When counting began."),
    (
        "sluice_ledger_received_total",
        "Messages that came into an input, queue or action (label stage). Received = processed + queued + dropped.",
    ),
    ("sluice_ledger_processed_total", "Messages that it has handed on."),
    ("sluice_ledger_queued", "Messages that it holds."),
    ("sluice_ledger_dropped_total", "Messages that it has dropped, by reason (label reason)."),
    ("sluice_core_queue_size", "Messages in a queue."),
    ("sluice_core_queue_size_limit", "How many it takes: queue.size."),
    ("sluice_core_queue_size_high", "Its high mark: queue.highWatermark."),
    ("sluice_core_queue_enqueued_total", "Messages that were put into it."),
    ("sluice_core_queue_full_total", "Times it was full."),
    ("sluice_core_queue_discarded_full_total", "Messages dropped because it was full."),
    (
        "sluice_core_queue_discarded_nf_total",
        "Messages dropped because it was nearly full and they were unimportant.",
    ),
    (
        "sluice_core_queue_lost_shutdown_total",
        "Messages that were still in it when the daemon had to end.",
    ),
    ("sluice_core_action_processed_total", "Messages given to an action."),
    ("sluice_core_action_written_total", "Messages it has written."),
    ("sluice_core_action_failed_total", "Messages it has lost."),
    ("sluice_core_action_suspended_now", "1 while its output does not work."),
    ("sluice_core_action_suspended_total", "Times its output stopped working."),
    (
        "sluice_core_oversize_messages_total",
        "Messages longer than maxMessageSize that came through an input; sluice_core_oversize_split_added_total counts those \
         that splitting made of them.",
    ),
    ("sluice_imtcp_submitted_total", "Messages received over TCP."),
    ("sluice_imtcp_bytes_received_total", "Bytes received over TCP."),
    ("sluice_imtcp_sessions_open", "Connections that are open."),
    ("sluice_imtcp_sessions_limit", "How many may be: maxSessions."),
    ("sluice_imtcp_sessions_rejected_total", "Connections closed because there were as many."),
    ("sluice_imtcp_read_total", "Receives of a worker."),
    (
        "sluice_imtcp_starvation_protect_total",
        "Times a worker sent a busy connection to the end of the line.",
    ),
    (
        "sluice_imtcp_tls_certificate_notafter_seconds",
        "When the first certificate of a TLS input's chain ends, seconds since the epoch; read again on HUP.",
    ),
    ("sluice_imrawtcp_tls_certificate_notafter_seconds", "The same of an imrawtcp input."),
    ("sluice_imudp_submitted_total", "Messages received over UDP."),
    ("sluice_imudp_msgs_received_total", "Datagrams that a worker received."),
    ("sluice_omsendertrack_senders", "Senders in a table."),
    ("sluice_omsendertrack_messages_total", "Messages counted in it."),
    (
        "sluice_omsendertrack_others_total",
        "Of these: counted as _other, because the table was full.",
    ),
    ("sluice_omsendertrack_writes_total", "Times the state file was written."),
    ("sluice_omsendertrack_write_errors_total", "Times it could not be."),
    ("sluice_omsendertrack_commands_total", "Commands executed."),
    ("sluice_omsendertrack_evicted_total", "Senders forgotten after expire seconds."),
    ("sluice_omsendertrack_silent", "Senders that are silent, by alarm.silence."),
    ("sluice_omsendertrack_silence_alarms_total", "Alarms about senders that fell silent."),
    ("sluice_omsendertrack_flooding", "Senders above alarm.rate."),
    ("sluice_omsendertrack_rate_alarms_total", "Alarms about senders that went above it."),
];

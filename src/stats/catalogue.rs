//! Which counters the reference has (`spec/impstats.md` section 8). Reports that must be the reference's, byte by
//! byte, show no others; those are for the ledger, `-d` and HTTP.

/// The reference's counters by origin. Origins that are not here have no counters of ours.
const REFERENCE: &[(&str, &[&str])] = &[
    (
        "core.action",
        &[
            "processed",
            "batchesprocessed",
            "failed",
            "suspended",
            "suspended.duration",
            "resumed",
            "ratelimit.allowed",
            "ratelimit.dropped",
            "ratelimit.paced",
            "ratelimit.paced_usec",
        ],
    ),
    (
        "core.queue",
        &[
            "size",
            "enqueued",
            "size.enqueued",
            "full",
            "discarded.full",
            "discarded.nf",
            "maxqsize",
            "disk.usage",
        ],
    ),
    (
        "imtcp",
        &[
            "submitted",
            "bytes.received",
            "bytes.decompressed",
            "decompression.errors",
            "runs",
            "read",
            "emptyread",
            "starvation_protect",
            "accept",
        ],
    ),
    ("imudp", &["submitted", "disallowed", "called.recvmmsg", "called.recvmsg", "msgs.received"]),
    (
        "imptcp",
        &[
            "submitted",
            "sessions.opened",
            "sessions.openfailed",
            "sessions.closed",
            "bytes.received",
            "bytes.decompressed",
            "enqueued",
            "maxqsize",
        ],
    ),
    ("imuxsock", &["submitted", "ratelimit.discarded", "ratelimit.numratelimiters"]),
    ("imfile", &["bytes.processed", "lines.processed"]),
    ("omfwd", &["bytes.sent", "messages.sent", "num.connects"]),
    ("omfile", &["requests", "level0", "missed", "evicted", "maxused", "closetimeouts"]),
    (
        "omelasticsearch",
        &[
            "submitted",
            "failed.http",
            "failed.httprequests",
            "failed.checkConn",
            "failed.es",
            "response.success",
            "response.bad",
            "response.duplicate",
            "response.badargument",
            "response.bulkrejection",
            "response.other",
            "rebinds",
        ],
    ),
    (
        "ratelimit",
        &[
            "per_source_allowed",
            "per_source_dropped",
            "per_source_evicted",
            "per_source_key_tpl_evals",
            "per_source_key_parse_evals",
        ],
    ),
    // Objects of ours.
    ("core", &[]),
    ("core.parser", &[]),
];

fn counters(origin: &str) -> Option<&'static [&'static str]> {
    REFERENCE.iter().find(|(known, _)| *known == origin).map(|(_, counters)| *counters)
}

/// Whether the reference has no objects of this origin.
#[must_use]
pub fn is_our_object(origin: &str) -> bool {
    counters(origin).is_some_and(<[_]>::is_empty)
}

/// Whether the reference's objects of this origin have no such counter.
#[must_use]
pub fn is_our_counter(origin: &str, counter: &str) -> bool {
    counters(origin).is_some_and(|known| !known.contains(&counter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_told_from_the_references() {
        assert!(is_our_counter("core.action", "written"));
        assert!(!is_our_counter("core.action", "processed"));
        assert!(!is_our_counter("dynstats.bucket", "whatever"));
        assert!(is_our_object("core.parser") && !is_our_object("percentile"));
    }
}

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
    ("core.dns", &[]),
    ("imklog", &[]),
    ("imkmsg", &[]),
    ("immark", &[]),
    ("core.oversize", &[]),
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

/// Where an object stands among the others: the order in which the reference makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Before all others, imdiag's.
    First,
    /// Made from the configuration, in its order.
    Configured,
    /// When that is complete: impstats' own.
    Reporter,
    /// When the daemon starts.
    Queue,
    /// By threads that run.
    Worker,
}

/// The rank of an object.
#[must_use]
pub fn rank(origin: &str, name: &str) -> Rank {
    let is_worker = match origin {
        "imtcp" => name.split_once('/').is_some_and(|(worker, _)| is_numbered(worker, "w")),
        "imudp" => {
            let number = name.strip_prefix("imudp(").and_then(|name| name.strip_suffix(')'));
            number.is_some_and(|worker| is_numbered(worker, "w"))
        }
        "imptcp" => name == "io-work-q",
        "imfile" => true,
        _ => false,
    };
    match origin {
        _ if is_worker => Rank::Worker,
        "impstats" => Rank::Reporter,
        "core.queue" => Rank::Queue,
        _ => Rank::Configured,
    }
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|number| number.parse::<u32>().is_ok())
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

//! Every limit of the program, in one place, with the relations between them checked at compile time.
//!
//! Limits that a configuration can change stand here with their default; limits that guard against a
//! peer stand here with their only value. Units are in the names' last word or in the comment.

use std::time::Duration;

/// Bytes of storage in one [`Batch`](crate::message::Batch): 256 KiB. Offsets into it are `u32`.
pub const BATCH_BYTES: usize = 256 * 1024;
/// Records in one batch before it is sealed.
pub const BATCH_RECORDS: usize = 1024;
/// Bytes one `recv` may bring; the reference's imtcp uses the same figure (`spec/imtcp.md` section 3).
pub const RECV_BYTES: usize = 128 * 1024;
/// Free storage below which a builder is sealed rather than read into.
pub const RECV_BYTES_MIN: usize = 32 * 1024;
/// Bytes of an unfinished message from which on imrawtcp receives into storage of its own, and counts it as large.
pub const LARGE_BYTES: usize = JOIN_BYTES;
/// Shortest and longest time between two looks for silent peers.
pub const SILENCE_LOOK_MIN: Duration = Duration::from_millis(5);
/// See [`SILENCE_LOOK_MIN`].
pub const SILENCE_LOOK_MAX: Duration = Duration::from_secs(10);
/// Bytes of one receive after which a worker looks at the session again before it gives it back.
pub const STAY_BYTES: usize = 16 * 1024;
/// Room that a receive leaves in the builder for frames joined of two receives' bytes; what does not fit
/// there is allocated.
pub const JOIN_BYTES: usize = RECV_BYTES_MIN / 2;
/// Batch storages kept for reuse: one being filled by each of 8 workers, one being consumed by each of
/// 8 queue workers, and as many in between.
pub const POOL_STORAGES: usize = 8 + 8 + 16;

/// Default of `global(maxMessageSize=…)`, bytes (`spec/message-model.md` section 9).
pub const MESSAGE_BYTES_DEFAULT: usize = 8096;
/// Smallest accepted `maxMessageSize`, bytes.
pub const MESSAGE_BYTES_MIN: usize = 128;
/// Largest accepted `maxMessageSize`, bytes: a batch of one message must still fit `u32` offsets.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Default of imtcp's `maxFrameSize`, bytes (`spec/imtcp.md` section 1.1).
pub const FRAME_BYTES_DEFAULT: u32 = 200_000;
/// A header field beyond this offset or length counts as not parsed: fields are `u16`.
pub const HEADER_BYTES: usize = u16::MAX as usize;

/// Bytes of a batch up to which modifiers may put changed texts to its end: a loop of the configuration over what
/// a message brings must not fill the memory.
pub const AMENDED_BATCH_BYTES: usize = 256 * 1024 * 1024;
/// Bytes of a compressed stream that are received at a time.
pub const COMPRESSED_BYTES: usize = 16 * 1024;
/// Bytes decompressed before they are looked at.
pub const INFLATE_BYTES: usize = 64 * 1024;

/// Bytes of a PROXY protocol header, the longest of version 2 that is read: addresses and what is added to them.
pub const PROXY_HEADER_BYTES: usize = 16 + 2048;

/// Events taken from one `epoll_wait`.
pub const POLL_EVENTS: usize = 128;
/// Largest backlog a listener asks for unless configured: what Linux grants by default (`somaxconn`).
pub const BACKLOG_MAX: usize = 4096;
/// Connections accepted before the poller looks for other events again.
pub const ACCEPTS_PER_TURN: usize = 64;
/// Milliseconds a listener rests when no descriptor or memory is left for a connection.
pub const ACCEPT_REST_MSEC: u64 = 100;
/// Log lines that the peers of one input may cause in [`PEER_REPORTS_SECS`]: half of what the daemon's own
/// messages are limited to by default, so that peers cannot silence it.
pub const PEER_REPORTS: u32 = 50;
/// Seconds for which [`PEER_REPORTS`] counts.
pub const PEER_REPORTS_SECS: i64 = 60;
/// Receives of one session after the input was told to stop; what is unread then stays with the peer.
pub const FINAL_READS: usize = 64;
/// Milliseconds for these receives of all sessions together, however slow the queue is.
pub const FINAL_READ_MSEC: u64 = 1000;

/// How long a connection to a server may take to be made.
pub const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Bytes that one read of a TLS session's socket may bring: several records of 16 KiB. The buffer is there only while
/// records lie in it.
pub const TLS_READ_BYTES: usize = 64 * 1024;
/// Seconds for which a TLS session can be resumed.
pub const TLS_RESUME_SECS: u16 = 3600;
/// Milliseconds for which an unfinished handshake keeps its place when another connection wants it.
pub const HANDSHAKE_STALL_MSEC: u64 = 2000;
/// Milliseconds until the poller looks again at a handshake that a worker is busy with.
pub const HANDSHAKE_LOOK_MSEC: u64 = 100;
/// How long an OCSP responder may take to answer, as in the reference.
pub const OCSP_PATIENCE: Duration = Duration::from_secs(5);
/// Responders of a certificate that are asked one after the other: a handshake's default time is enough for these.
pub const OCSP_RESPONDERS: usize = 3;
/// Bytes of a responder's answer: some kilobytes with the certificates in it.
pub const OCSP_ANSWER_BYTES: u64 = 64 * 1024;
/// Questions that are asked at a time, each by a thread of its own.
pub const OCSP_THREADS: usize = 16;
/// Those of them to one responder: one that does not answer leaves room for others.
pub const OCSP_PER_RESPONDER: usize = 4;
/// Certificates whose status is remembered or being asked for, per input.
pub const OCSP_KNOWN: usize = 4096;
/// How long an answer is kept that does not say until when it is valid, as in the reference.
pub const OCSP_KEEP_DEFAULT: Duration = Duration::from_secs(3600);
/// How long an answer is kept at most, however long it is valid.
pub const OCSP_KEEP_MAX: Duration = Duration::from_secs(24 * 3600);
/// Seconds by which a responder's clock may differ from ours, as in the reference.
pub const OCSP_LEEWAY_SECS: u32 = 300;
/// Senders that `senders.keepTrack` counts one by one; those of a datacenter, not those an attacker invents.
pub const SENDERS_TRACKED: usize = 100_000;

/// Bytes of an environment variable's name in `global(environment=…)`, as in the reference.
pub const ENVIRONMENT_NAME_BYTES: usize = 127;
/// Levels of nested `include`.
pub const INCLUDE_DEPTH: usize = 32;
/// Lists and mappings within each other in a configuration in YAML.
pub const YAML_DEPTH: usize = 64;
/// Levels of nested blocks and parentheses in the configuration language.
pub const NESTING_DEPTH: usize = 128;
/// Levels of nested operators and calls in one expression; `a or b or c` is one level.
pub const EXPRESSION_DEPTH: usize = 256;
/// Files of one configuration, each inclusion counted.
pub const INCLUDE_FILES: usize = 10_000;
/// Bytes of all files of a configuration.
pub const CONFIG_BYTES: usize = 64 * 1024 * 1024;
/// Shortest time between two looks at a watched file. Half of its debounce time is looked for.
pub const WATCH_INTERVAL_MIN: Duration = Duration::from_millis(50);
/// Longest time between them.
pub const WATCH_INTERVAL_MAX: Duration = Duration::from_secs(1);
/// Bytes of a rate limit's policy file.
pub const POLICY_BYTES: usize = 4 * 1024 * 1024;
/// Levels of nesting in it, as in the reference.
pub const POLICY_DEPTH: usize = 8;
/// Sources with a rule of their own in it, as in the reference.
pub const POLICY_OVERRIDES: usize = 10_000;
/// Default of `ratelimit(perSourceMaxStates=…)`: sources kept.
pub const RATE_SOURCES: usize = 10_000;
/// Default of `ratelimit(perSourceTopN=…)`: sources shown that lost most.
pub const RATE_SOURCES_TOP: usize = 10;
/// Processes of this machine whose messages are limited one by one, as in the reference.
pub const RATE_PROCESSES: usize = 4096;
/// Those of them that are kept before it is looked for the first time which have ended.
pub const RATE_PROCESSES_LOOK: usize = 64;
/// Datagrams that imuxsock takes with one system call.
pub const LOCAL_DATAGRAMS: usize = 32;
/// Bytes of receive buffers for them: with a large `maxMessageSize` there are fewer.
pub const LOCAL_RECEIVE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a property of a sending process (`annotate`), as in the reference.
pub const TRUSTED_BYTES: usize = 1023;
/// Bytes of a TAG that the parser of local messages takes, as in the reference.
pub const LOCAL_TAG_BYTES: usize = 511;
/// Keys of one `percentile_stats()` object.
pub const PERCENTILE_KEYS: usize = 10_000;
/// Bytes of the file of a lookup table.
pub const LOOKUP_BYTES: usize = 1024 * 1024 * 1024;
/// Senders that one omsendertrack action keeps apart, whatever `maxSenders` says: 16 million, 1.5 GiB or so.
pub const SENDERS: usize = 16 * 1024 * 1024;
/// Bytes of a sender's id; what has a longer one is counted as `_other`.
pub const SENDER_BYTES: usize = 64 * 1024;
/// Bytes of an omsendertrack state file.
pub const SENDER_STATE_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Bytes of a state file of `dyn_stats()`.
pub const DYN_STATS_STATE_BYTES: u64 = 256 * 1024 * 1024;
/// HTTP clients at a time.
pub const HTTP_CONNECTIONS: usize = 64;
/// How long the HTTP server waits for a descriptor before it tries to accept again.
pub const HTTP_REST: Duration = Duration::from_millis(100);
/// Bytes of an HTTP request.
pub const HTTP_REQUEST_BYTES: usize = 8 * 1024;
/// Header fields of an HTTP request.
pub const HTTP_HEADERS: usize = 64;
/// Time for an HTTP client to send its request.
pub const HTTP_REQUEST_TIME: Duration = Duration::from_secs(5);
/// Time for it to take the answer.
pub const HTTP_ANSWER_TIME: Duration = Duration::from_secs(10);
/// Time for it to close its end.
pub const HTTP_DRAIN_TIME: Duration = Duration::from_secs(1);
/// Senders of each kind in `/senders.json`.
pub const HTTP_SENDERS: usize = 1000;
/// Bytes of an omsendertrack command file.
pub const SENDER_COMMANDS_BYTES: u64 = 1024 * 1024;
/// Senders that one look at all names in alarms of one kind.
pub const SENDER_ALARMS: usize = 20;
/// Bytes of a line of it.
pub const SENDER_COMMAND_BYTES: usize = 4096;
/// Messages in a queue above which inputs that can wait a little are paced, as long as the queue moves: what
/// has to wait anyway waits in the sender, not here, where it costs memory, cache and the patience of messages
/// behind it. Eight batches: some milliseconds of work.
pub const QUEUE_PACE: usize = 8 * BATCH_RECORDS;

/// Messages that a queue's worker takes at once where `queue.dequeueBatchSize` is not set: a file system takes
/// large writes for less (`manual::decisions`, 14). About half a millisecond of work.
pub const TAKE_RECORDS: usize = 4 * BATCH_RECORDS;

/// Parameters of structured data, elements counted too, that become a JSON object; with more it stays text. Names are
/// compared with each other, which takes some 50 µs for so many.
pub const SD_PARAMS: usize = 256;
/// Longest time for an `http_request()`.
pub const SCRIPT_REQUEST_TIME: Duration = Duration::from_secs(30);
/// Bytes of the answer that it takes.
pub const SCRIPT_REPLY_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of an answer to a bulk request: some 200 for each document of the largest one.
pub const REPLY_BYTES: u64 = 64 * 1024 * 1024;
/// How long omelasticsearch passes over a server that did not serve, while there are others.
pub const SERVER_REST: Duration = Duration::from_secs(30);
/// Levels of nesting in JSON text that a message brings, as in the reference's library.
pub const JSON_DEPTH: usize = 32;
/// Bytes in one part of a variable's name, as in the reference.
pub const VARIABLE_NAME_BYTES: usize = 1023;
/// Values of a variable that an mmcount action counts messages by.
pub const COUNTED_VALUES: usize = 100_000;
/// Addresses that an mmanon action remembers the replacements of.
pub const REPLACED_ADDRESSES: usize = 1_000_000;
/// Levels of nested `call` (`spec/config-language.md` section 9).
pub const CALL_DEPTH: usize = 1024;
/// `call` statements run for one message: calls that branch cannot run for ever either.
pub const CALLS: usize = 64 * 1024;
/// Diagnostics collected before the loader stops reporting more.
pub const DIAGNOSTICS: usize = 1000;

const _: () = assert!(RECV_BYTES + RECV_BYTES_MIN <= BATCH_BYTES);
const _: () = assert!(MESSAGE_BYTES_DEFAULT <= JOIN_BYTES);
const _: () = assert!(TAKE_RECORDS <= QUEUE_PACE / 2);
const _: () = assert!(BATCH_BYTES < u32::MAX as usize);
const _: () = assert!(
    MESSAGE_BYTES_MAX * 4 + BATCH_BYTES < u32::MAX as usize,
    "an escaped message quadruples"
);
const _: () = assert!(MESSAGE_BYTES_MIN <= MESSAGE_BYTES_DEFAULT);

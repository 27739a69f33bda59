//! What a peer, a configuration and a local user can do, and what bounds them.
//!
//! | who | may try | bound |
//! |---|---|---|
//! | TCP peer | endless frame | `maxMessageSize` pieces; the session's buffer never exceeds one message |
//! | TCP peer | huge octet count | clamped, no allocation follows from a number on the wire |
//! | TCP peer | large messages, unfinished | imrawtcp: `memoryBudget`; beyond it peers wait, and a stalled one is closed after `timeout` |
//! | TCP peer | many connections | `maxSessions`, then EOF and a counter; EMFILE pauses accepting, never spins |
//! | TCP peer | flood | `starvationProtection.maxReads`, then the tail of the ready queue |
//! | TCP peer | send without us reading | the kernel's window closes; nothing is buffered for it |
//! | TLS peer | stop in the midst of a handshake, or dribble it | `handshakeTimeout`; gives way to others after two seconds; `maxHandshakes` |
//! | TLS peer | send before it is let in | its bytes stay in OpenSSL until the verdict (`tls::transport`) |
//! | TLS peer | a certificate with strange or many names | names are compared as bytes, never as C strings; OpenSSL bounds their size |
//! | TLS peer | renegotiate, resume past a withdrawn certificate | not allowed; tickets end with HUP and are judged anew |
//! | UDP peer | flood | kernel drops are counted (`SO_MEMINFO`), a full queue discards and counts |
//! | UDP peer | many source addresses | the sender cache is bounded |
//! | local sender | flood | it waits for us; a rate limit for each process is kept of 4096 processes at most |
//! | local sender | claim to be another process | `annotate` and `usePidFromSystem` go by what the kernel says |
//! | local sender | attach descriptors | there is no room to receive them: the kernel closes them |
//! | local user | symlink in place of a log socket | it is replaced; the mode is set without following one |
//! | any peer | bytes that confuse a parser | every byte string yields a message; parsers cannot panic (fuzzed) |
//! | any peer | provoke log floods | messages about a peer are rate-limited, occurrences counted |
//! | any peer | invent senders (`omsendertrack`) | `maxSenders`, and 16 million at most; more are counted as one; ids are hashed with a secret key |
//! | any peer | name a file (`dynafile`) | contained below the template's constant directory; `..` is blocked |
//! | slow DNS | hold up messages | one bounded wait, then addresses are used until it answers quickly again |
//! | configuration | recursion, includes, size | depth and size limits in `limits.rs`, each a diagnostic |
//! | local user | commands for omsendertrack | only a regular file of root or the daemon that others cannot write |
//! | HTTP client | slow, huge or many requests | 64 at a time, 8 KiB, 5 s; the oldest one goes when there are more; GET of six paths |
//! | web page elsewhere | read counters through a browser here | on loopback `Host` must be an address; nothing allows other origins |
//! | reader of logs | private keys in the configuration | masked in diagnostics and by `-o`, never in an error (`tls::Pem`) |
//! | local user | symlink in place of a log file | `followSymlinks="off"` opens with `O_NOFOLLOW` |
//!
//! Not defended against in this version: a peer that can forge UDP source addresses, and anyone who can write the
//! configuration (it names files and commands that run as the daemon).

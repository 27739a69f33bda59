//! Every thread, what it owns, the locks and their order.
//!
//! | thread (name) | number | owns | waits on |
//! |---|---|---|---|
//! | main | 1 | signals, start and stop | signal pipe, one-second tick |
//! | `control` | 1 | tasks: statistics, state files, MARK messages ([`task`](crate::task)) | its events, the next task that is due |
//! | `in:imtcp` poller | 1 per input | its epoll set and listeners; with `workerThreads="1"` also what a worker owns | `epoll_wait` |
//! | `w0/imtcp` and other workers | `workerThreads` per input, if more than 1 | a builder; the sessions it has read since it last submitted | ready queue |
//! | imudp | `threads` | a builder, a receive slab | `epoll_wait`; a rest of a millisecond at most |
//! | `rs:main Q:Reg` and other queue workers | `queue.workerThreads` | a batch, its actions' buffers, regular expressions | queue |
//! | `in:imuxsock` | 1 | a builder per socket, a receive slab | `epoll_wait` |
//! | `in:imklog`, `in:imkmsg` | 1 each | a builder, a read buffer | `poll` |
//! | resolver | 1 | nothing | its questions |
//! | `lkp:<table>` | 1 per lookup table while its file is read again | the new content | nothing |
//! | `ocsp` | 16 at most, while certificates are being asked about ([`tls::revocation`](crate::tls::revocation)) | a question | a responder, 5 s at most |
//! | `http` | 1, with `http.listen` | its listener and clients | `poll` |
//! | internal | 1 | the daemon's own messages | its list |
//!
//! Signals are blocked everywhere but in the main thread.
//!
//! # Sessions
//! A session is in exactly one of {armed, queued, running, closed}; the transitions are the table at the top of
//! [`net::ready`](crate::net::ready). Whoever runs it owns it; re-arming is the last touch. A worker gives sessions
//! back only after it has submitted what it read from them: that keeps each connection's messages in order.
//!
//! # Locks
//! Each is held for a few instructions, and never while another one is taken, except where this list says so.
//! 1. ready queue and session table of an input, one lock (`net::ready`): once per `epoll_wait`, per session popped,
//!    and per batch to give sessions back; while they are given back, their sockets are armed under it.
//! 2. batch pool (`message::batch`): once per batch.
//! 3. queue (`queue::memory`): once per push, once per pop.
//! 4. action state (`actions::retry`): on state changes, and once per commit.
//! 5. file of an omfile action (`actions::file`): during a commit's write. HUP and ticks only try this lock; who holds
//!    it sees the new generation when the write returns.
//! 6. lookup table (`lookup`): read by each look-up for its length, written when a reload swaps the content.
//! 7. rate limiter of a listener (`ratelimit`): once per batch; before it, that of the sources; under it, the list of own
//!    messages, and a bounded wait for a name where that tells sources apart or begins a notice.
//! 8. memory budget of an imrawtcp input: per 128 KiB of a large message; the ready queue is locked after it is let go.
//! 9. shard of a table of senders (`actions::sendertrack`): once per commit and shard, and by the control thread while it
//!    copies the shard; within it, where a sender comes or goes, the table's number of senders.
//! 10. error file of oversize messages (`ruleset::oversize`): for a write of such a message.
//! 11. what is known of certificates (`tls::revocation`), and one answer: per handshake with a check; where an answer
//!     comes, sessions are woken (1) after both are let go.
//! 12. policy of an mmjsontransform action: per message, to take what it says now.
//! 13. resolver cache, own-message list, statistics set, TLS context of an input (per connection and per HUP): leaves.
//!
//! # Stop
//! inputs stop accepting and submit what they hold → queues let go of whoever waits → input threads are joined →
//! tasks are told so (last statistics) → main queue drains within its `timeoutShutdown` → ruleset queues → action
//! queues → outputs close → tasks stop (last state files).

//! Every thread, what it owns, the locks and their order.
//!
//! | thread (name) | number | owns | waits on |
//! |---|---|---|---|
//! | main | 1 | signals, timers, start and stop | signal pipe, one-second tick |
//! | imtcp poller | 1 per input | its epoll set | `epoll_wait` |
//! | imtcp worker | `workerThreads` per input | a builder; a session while it reads it | ready queue |
//! | imudp | `threads` | a builder, a receive slab | `epoll_wait` |
//! | `rs:main Q:Reg` and other queue workers | `queue.workerThreads` | a batch, its actions' buffers, regular expressions | queue |
//! | resolver | 1 | nothing | its questions |
//! | internal | 1 | the daemon's own messages | its list |
//!
//! Signals are blocked everywhere but in the main thread.
//!
//! # Sessions
//! A session is in exactly one of {armed, queued, running, closed}; the transitions are the table at the top of
//! [`net::ready`](crate::net::ready). Whoever runs it owns it; re-arming is the last touch.
//!
//! # Locks
//! Each is held for a few instructions, and never while another one is taken, except where this list says so.
//! 1. ready queue of an input (`net::ready`): once per `epoll_wait`, once per session popped.
//! 2. session table slot (`net::session`): while a worker owns the session.
//! 3. batch pool (`message::batch`): once per batch.
//! 4. queue (`queue::memory`): once per push, once per pop.
//! 5. action state (`actions::retry`): on state changes, and once per commit.
//! 6. file of an omfile action (`actions::file`): during a commit's write. HUP and ticks only try this lock; who holds
//!    it sees the new generation when the write returns.
//! 7. resolver cache, own-message list, statistics set: leaves.
//!
//! # Stop
//! inputs stop accepting and submit what they hold → queues let go of whoever waits → input threads are joined →
//! main queue drains within its `timeoutShutdown` → ruleset queues → action queues → outputs close.

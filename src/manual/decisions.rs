//! Choices that were weighed, with the numbers.
//!
//! # 1. All inputs of one module are one object (2026-11-20)
//! The plan had one `Input` per `input()` statement. imudp's threads serve all listeners of the module, so the trait
//! became: build from `module()`, `add` each `input()`, then open and start. imtcp keeps a pool per statement inside.
//!
//! # 2. A batch is cut by the consumer, not by the builder (2026-11-20)
//! `queue.dequeueBatchSize` bounds what one commit covers. Builders fill batches of up to 1,024 messages whatever
//! the queue's setting; the queue's worker processes them in slices and commits after each. So inputs need not
//! know the queue, and a batch that grew large is not copied to be cut.
//!
//! # 3. Rules are a flat list with jumps (2026-11-20)
//! Statements compile to operations with forward jumps instead of a tree that is walked recursively: nesting and
//! `call` depth cost no stack, and a bound on steps is a bound on time.
//!
//! # 4. Inputs that can wait a little are paced long before the light-delay mark (2026-11-20)
//! A TCP flood fills any queue up to the mark that holds it up, by default 70,000 messages. They cost memory and cache,
//! and every other message waits behind them. What has to wait anyway can wait in the sender: above eight batches
//! ([`limits::QUEUE_PACE`](crate::limits::QUEUE_PACE)) such an input waits for the queue to halve, as long as workers
//! commit; a queue that stands still fills as configured. Four connections flooding: from 1.2 to 2.9 million messages/s,
//! median delay of a message beside them from 66 to 5 ms, peak memory from 28 to 8 MiB.
//! It also keeps messages in order, since no second worker starts at 40,000.
//!
//! # 5. At the end a queue forgets its window and its pauses (2026-11-20)
//! `queue.dequeueTimeBegin`/`End` and `queue.dequeueSlowdown` hold messages back; the reference loses those in memory
//! at shutdown. Here the queue is emptied at full speed, still within `queue.timeoutShutdown`.

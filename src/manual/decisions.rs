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

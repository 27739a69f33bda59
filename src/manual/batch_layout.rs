//! Where the bytes of a message lie at each stage.
//!
//! ```text
//! after recv     |<13>Oct 11 22:14:15 h t: a<LF><13>Oct 11 ..|                 spare                    |
//! after framing   ^ raw of record 0          ^ raw of record 1 is unfinished: copied to the session
//! after sanitise |<13>… t: a<TAB>b|  …      |<13>… t: a#011b|   a text that had to change is appended, raw re-pointed
//! after parse     raw ├─ts─┤├host┤├tag┤├──msg──┤              header fields are (u16, u16) relative to raw
//! ```
//! - A [`Record`](crate::message::Record) is 64 bytes and never holds text.
//! - A field past 64 KiB counts as empty: no header is that long.
//! - Most messages are never copied between `recv` and the output buffer. Exceptions: the one frame that two
//!   receives share, texts that sanitising changes, datagrams (copied from the receive slab so that batches are
//!   dense), and the part of a batch that did not fit a full queue.
//! - [`Builder::seal`](crate::message::Builder::seal) copies a batch that fills less than a quarter of its storage into
//!   storage of its own size: a queue of 50,000 one-message batches holds 50,000 messages, not 12 GiB.

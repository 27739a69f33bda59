//! A checklist for a new input, output, parser or function.
//!
//! 1. One file `src/inputs/<name>.rs` (or `actions/`, `modifiers/`, `parsers/`), opening with `//!` and
//!    `pub static MODULE: Module`: name, summary, parameter tables, counters, examples.
//!    Defaults stand there as configuration text. What rsyslog has and you leave out is marked `.missing()`,
//!    never left out of the table and never accepted without being obeyed.
//! 2. `pub static KIND` with the constructor. It touches nothing outside: `-N1` runs it.
//! 3. One line in `registry.rs`.
//! 4. Limits go to `limits.rs`, system calls to `sys/`.
//! 5. Tests: in the file for the logic; one end-to-end test under `tests/`; conformance cases where rsyslogd has the
//!    same module.
//! 6. `UPDATE_EXPECT=1 cargo test committed_pages` rewrites the man pages, which are rendered from the tables.
//! 7. `scripts/test`.

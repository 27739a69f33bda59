//! What an input says about its messages beside their texts: for documents in the Elastic Common Schema, and for
//! where they go (`spec/elastic-tcp.md` sections 1, 4.1, 5 and 7).

use std::sync::Arc;

use super::zoneinfo::Zoneinfo;
use crate::stats::Counter;

/// The labels of one configured input.
#[derive(Clone, Debug)]
pub struct Labels {
    /// `input.type`.
    pub input: &'static str,
    /// `tags`, in order.
    pub tags: Vec<Box<[u8]>>,
    /// `data_stream.dataset`.
    pub dataset: Box<str>,
    /// `data_stream.namespace`.
    pub namespace: Box<str>,
    /// The ingest pipeline that Elasticsearch is to send the messages through.
    pub pipeline: Option<Box<str>>,
    /// Whether the text as it was received is kept beside the parsed one.
    pub preserve_original: bool,
    /// Whether header fields that are left out become `null`.
    pub keep_null: bool,
    /// How the text is read as syslog; `None`: not at all.
    pub syslog: Option<Syslog>,
}

/// How a text is read as syslog.
#[derive(Clone, Debug)]
pub struct Syslog {
    /// Which header it has.
    pub format: Format,
    /// The zone of times without one.
    pub zone: LogZone,
    /// The field that holds the text. Only `message` and, where it is kept, `event.original` exist.
    pub field: Box<str>,
    /// Whether a time without a year that would lie more than a day ahead is taken for last year's.
    pub year_rollover: bool,
    /// Whether `message` and `@timestamp` give way to what the header says.
    pub overwrite_keys: bool,
    /// Whether it is no failure that `field` does not exist.
    pub ignore_missing: bool,
    /// Whether failures leave no `error.message`.
    pub ignore_failure: bool,
    /// What became of texts.
    pub outcomes: Arc<Outcomes>,
}

/// Counters of texts that were read as syslog, each time one became a document.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Without an error.
    pub success: Arc<Counter>,
    /// With one.
    pub failure: Arc<Counter>,
    /// The field was not there.
    pub missing: Arc<Counter>,
}

/// Which syslog header a text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// RFC 5424's where the text begins like one, else RFC 3164's.
    #[default]
    Auto,
    /// RFC 3164's.
    Rfc3164,
    /// RFC 5424's.
    Rfc5424,
}

/// The zone of times that are written without one.
#[derive(Clone, Debug, Default)]
pub enum LogZone {
    /// The machine's.
    #[default]
    Local,
    /// Seconds east of UTC.
    Fixed(i32),
    /// A zone of the tz database.
    Named(Zoneinfo),
}

impl Default for Syslog {
    fn default() -> Self {
        Self {
            format: Format::Auto,
            zone: LogZone::Local,
            field: "message".into(),
            year_rollover: true,
            overwrite_keys: true,
            ignore_missing: false,
            ignore_failure: false,
            outcomes: Arc::default(),
        }
    }
}

impl Labels {
    /// The labels of a syslog input: its messages are read as syslog, their data stream is `<input>.generic`.
    #[must_use]
    pub fn syslog(input: &'static str) -> Self {
        Self {
            input,
            tags: Vec::new(),
            dataset: format!("{input}.generic").into(),
            namespace: "default".into(),
            pipeline: None,
            preserve_original: false,
            keep_null: false,
            syslog: Some(Syslog::default()),
        }
    }

    /// `logs-<dataset>-<namespace>`: the data stream the messages belong to.
    #[must_use]
    pub fn data_stream(&self) -> String {
        format!("logs-{}-{}", self.dataset, self.namespace)
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::syslog("syslog")
    }
}

//! omelasticsearch's table (`spec/queues-actions.md` section 10, `spec/elastic-tcp.md` section 8).

use crate::param::{Class, Kind, Module, Param};

/// omelasticsearch's descriptor.
pub(super) static MODULE: Module = Module {
    name: "omelasticsearch",
    class: Class::Output,
    builtin: false,
    summary: "Sends documents to Elasticsearch, one by one, in bulk, or into data streams.",
    module_params: &[],
    params: PARAMS,
    legacy_create: None,
    counters: &[
        ("submitted", "Documents handed to the action."),
        (
            "failed.http",
            "Documents of requests that no server answered in full, or that were answered with status 401, 403, 429, 5xx; each time they were sent.",
        ),
        (
            "failed.httprequests",
            "Requests that no server answered in full, or that were answered with an error status.",
        ),
        ("failed.checkConn", "Health checks that failed."),
        (
            "failed.es",
            "Requests of which the cluster refused documents for good, or could not take some and retryFailures is off.",
        ),
        (
            "response.success",
            "With retryFailures or dataStream, as the next ones: documents stored.",
        ),
        ("response.bad", "Replies that could not be understood."),
        ("response.duplicate", "Documents that were there already; they count as delivered."),
        (
            "response.failurestore",
            "Of response.success, documents that the data stream's failure store took, because the stream could not.",
        ),
        ("response.badargument", "Documents refused with status 400."),
        ("response.bulkrejection", "Documents that the cluster was too busy for (429)."),
        ("response.other", "Documents with any other status."),
        ("rebinds", "Connections closed because of rebindInterval."),
        ("discarded.ratelimit", "Messages to retryRuleset beyond the rate limit."),
        (
            "discarded.persource",
            "Messages to retryRuleset beyond what the rate limit allows their source.",
        ),
        ("repeated.held", "Messages to retryRuleset held back by $RepeatedMsgReduction."),
        ("repeated.told", "Messages submitted in their place."),
    ],
    examples: &[
        r#"module(load="omelasticsearch")
action(type="omelasticsearch" server="es.example.net" bulkMode="on" searchIndex="syslog"
       queue.type="LinkedList" action.resumeRetryCount="-1")"#,
        r#"module(load="omelasticsearch")
action(type="omelasticsearch" server=["https://es1.example.net", "https://es2.example.net"] dataStream="on"
       apikey="aWQ6a2V5" tls.caCert="/etc/ssl/certs/ca-certificates.crt"
       errorFile="/var/log/elasticsearch-refused.json" queue.type="LinkedList" queue.size="100000")"#,
        r#"module(load="omelasticsearch")
template(name="document" type="list") { property(name="$!") }
ruleset(name="elastic" queue.type="LinkedList") {
  if strlen($.omes!status) > 0 then {
    if $.omes!status < 300 or $.omes!status == 409 then stop
    if $.omes!status == 400 then {
      action(type="omfile" file="/var/log/elasticsearch-refused.json" template="document")
      stop
    }
  } else
    set $!message = $msg;
  action(type="omelasticsearch" server="es.example.net" bulkMode="on" searchIndex="syslog" writeOperation="create"
         template="document" retryFailures="on" retryRuleset="elastic")
}"#,
    ],
};

const PARAMS: &[Param] = &[
    Param::new(
        "server",
        Kind::Array,
        Some("localhost"),
        "Servers, as host, host:port or URL. They take turns; one that fails is passed over for a while.",
    ),
    Param::new(
        "loadBalance",
        Kind::Bool,
        Some("on"),
        "Servers take turns; off: the first gets all, and those behind it only when it is away.",
    ),
    Param::new(
        "serverport",
        Kind::Int { min: 1, max: 65535 },
        Some("9200"),
        "Port of servers without one.",
    ),
    Param::new(
        "useHttps",
        Kind::Bool,
        Some("off"),
        "HTTPS for servers without http:// or https://.",
    ),
    Param::new(
        "dataStream",
        Kind::Bool,
        Some("off"),
        "Documents go to data stream logs-DATASET-NAMESPACE of their input, with create and an id of their own, compressed; template defaults to SLUICE_ECS, retryFailures to on, action.resumeRetryCount to -1.",
    ),
    Param::new("uid", Kind::Word, None, "User for basic authentication."),
    Param::new("pwd", Kind::Word, None, "Password for basic authentication."),
    Param::new("apikey", Kind::Word, None, "API key, as Elasticsearch encodes it, or as id:key."),
    Param::new(
        "headers",
        Kind::Array,
        None,
        "Headers that go with every request, as \"Name: value\".",
    ),
    Param::new(
        "parameters",
        Kind::Array,
        None,
        "Query parameters of requests with documents, as name=value.",
    ),
    Param::new(
        "proxyUrl",
        Kind::Word,
        None,
        "HTTP proxy, as http://host:port, with user:password@ where it wants them. Requests go through it by CONNECT. The environment's proxies are not used.",
    ),
    Param::new(
        "searchIndex",
        Kind::Word,
        None,
        "Index, or with dynSearchIndex the template that makes its name; unset is system.",
    ),
    Param::new("dynSearchIndex", Kind::Bool, Some("off"), "searchIndex is a template's name."),
    Param::new(
        "searchType",
        Kind::Word,
        None,
        "Type of the documents. Types are gone from Elasticsearch 8.",
    ),
    Param::new("dynSearchType", Kind::Bool, Some("off"), "searchType is a template's name."),
    Param::new("parent", Kind::Word, None, "Parent of the documents."),
    Param::new("dynParent", Kind::Bool, Some("off"), "parent is a template's name."),
    Param::new(
        "pipelineName",
        Kind::Word,
        None,
        "Ingest pipeline; in data streams that of the input comes first.",
    ),
    Param::new("dynPipelineName", Kind::Bool, Some("off"), "pipelineName is a template's name."),
    Param::new(
        "skipPipelineIfEmpty",
        Kind::Bool,
        Some("off"),
        "No pipeline where its name is empty.",
    ),
    Param::new(
        "bulkMode",
        Kind::Bool,
        Some("off"),
        "Send documents in bulk; always so with dataStream.",
    ),
    Param::new(
        "bulkId",
        Kind::Word,
        None,
        "Id of the documents, or with dynBulkId the template that makes it.",
    ),
    Param::new("dynBulkId", Kind::Bool, Some("off"), "bulkId is a template's name."),
    Param::new(
        "documentIds",
        Kind::Bool,
        Some("on"),
        "With dataStream: give documents ids, so that none is stored twice.",
    ),
    Param::new(
        "writeOperation",
        Kind::Choice(&["index", "create"]),
        Some("index"),
        "What a bulk request does with documents; always create with dataStream.",
    ),
    Param::new(
        "maxBytes",
        Kind::Size { min: 1, max: u64::MAX },
        Some("104857600"),
        "Longest body of a request, before compression.",
    ),
    Param::new(
        "compressionLevel",
        Kind::Int { min: 0, max: 9 },
        None,
        "gzip level of request bodies, 0 for none; unset is 1 with dataStream, else 0.",
    ),
    Param::new(
        "timeout",
        Kind::Word,
        None,
        "Parameter timeout of requests, e.g. 1m: how long the cluster may wait.",
    ),
    Param::new(
        "indexTimeout",
        Kind::NONNEG,
        None,
        "Milliseconds a request may take; unset is 90000 with dataStream, else no limit (0).",
    ),
    Param::new(
        "healthCheckTimeout",
        Kind::NONNEG,
        Some("3500"),
        "Milliseconds to connect, and for a health check.",
    ),
    Param::new(
        "template",
        Kind::Word,
        None,
        "Template of the documents; unset is StdJSONFmt, or SLUICE_ECS with dataStream.",
    ),
    Param::new(
        "errorFile",
        Kind::Str,
        None,
        "File for documents that the cluster refused, with its reply.",
    ),
    Param::new(
        "errorOnly",
        Kind::Bool,
        Some("off"),
        "errorFile gets the refused documents of a request, not all of it; always so with dataStream.",
    ),
    Param::new(
        "interleaved",
        Kind::Bool,
        Some("off"),
        "errorFile gets each document with its reply, not first all documents and then all replies.",
    ),
    Param::new(
        "retryFailures",
        Kind::Bool,
        Some("off"),
        "Documents that the cluster could not take now (429, 5xx) are sent again; always so with dataStream.",
    ),
    Param::new(
        "retryRuleset",
        Kind::Str,
        None,
        "With retryFailures and bulkMode: where a request had failures, all its documents go to this ruleset as messages instead of being sent again; $! is the document, $.omes says what the cluster did with it.",
    ),
    Param::new(
        "rateLimit.interval",
        Kind::Int { min: 0, max: u32::MAX as i64 },
        Some("600"),
        "Seconds of the window for messages to retryRuleset; 0 is no limit.",
    ),
    Param::new(
        "rateLimit.burst",
        Kind::Int { min: 0, max: u32::MAX as i64 },
        Some("20000"),
        "Messages to retryRuleset let through in a window.",
    ),
    Param::new(
        "rateLimit.name",
        Kind::Str,
        None,
        "A ratelimit() object to use instead of interval and burst.",
    ),
    Param::new(
        "backoff.init",
        Kind::POSITIVE,
        Some("1000"),
        "Milliseconds before documents are sent again, at first; doubled each time, with jitter.",
    ),
    Param::new(
        "backoff.max",
        Kind::POSITIVE,
        Some("60000"),
        "Milliseconds before documents are sent again, at most.",
    ),
    Param::new(
        "rebindInterval",
        Kind::INT,
        Some("-1"),
        "Requests after which connections are made anew; -1 is never.",
    ),
    Param::new(
        "idleConnectionTimeout",
        Kind::NONNEG,
        Some("15000"),
        "Milliseconds after which a connection that was not used is closed.",
    ),
    Param::new(
        "esversion.major",
        Kind::POSITIVE,
        None,
        "Major version of the servers: from 8 on there is no default for searchIndex.",
    ),
    Param::new(
        "tls.caCert",
        Kind::Str,
        None,
        "File of certificates that servers' ones are checked with; unset is the system's.",
    ),
    Param::new("tls.myCert", Kind::Str, None, "File of the client's certificate and its chain."),
    Param::new("tls.myPrivKey", Kind::Str, None, "File of the client's private key."),
    Param::new("tls.keyPassphrase", Kind::Str, None, "Passphrase of the private key."),
    Param::new("allowUnsignedCerts", Kind::Bool, Some("off"), "Take any certificate."),
    Param::new("skipVerifyHost", Kind::Bool, Some("off"), "Take certificates of other names."),
    Param::new(
        "tls.tlsVersion",
        Kind::Choice(&["TLSv1.2", "TLSv1.3"]),
        None,
        "Oldest version of TLS; unset is the library's.",
    ),
    Param::new(
        "tls.cipherSuites",
        Kind::Str,
        None,
        "Cipher suites of TLS 1.3, with colons between them; unset are the library's.",
    ),
    Param::new(
        "tls.keyExchangeGroups",
        Kind::Str,
        None,
        "Key exchange groups, with colons between them; unset are the library's.",
    ),
    Param::new("asyncRepl", Kind::Gone, None, "Gone."),
];

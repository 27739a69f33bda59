//! A checked action.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openssl::base64::encode_block as base64;
use openssl::ssl::SslVersion;

use super::super::OutputEnv;
use crate::param::{Args, Problem};
use crate::template::Template;
use crate::tls::http as tls;

/// A text that is the same for all documents, or made of each message.
pub(super) enum Text {
    Fixed(Vec<u8>),
    Made(Arc<Template>),
}

/// A checked action.
pub(super) struct Conf {
    /// Base URLs, ending in `/`.
    pub(super) servers: Vec<String>,
    /// Value of the Authorization header.
    pub(super) authorization: Option<String>,
    /// Whether documents go to the data streams of their inputs.
    pub(super) streams: bool,
    pub(super) bulk: bool,
    /// `create` rather than `index`.
    pub(super) creates: bool,
    pub(super) index: Option<Text>,
    pub(super) kind: Option<Text>,
    pub(super) parent: Option<Text>,
    pub(super) pipeline: Option<Text>,
    pub(super) skip_pipeline_if_empty: bool,
    pub(super) id: Option<Text>,
    /// Whether documents get ids of ours.
    pub(super) own_ids: bool,
    pub(super) template: Arc<Template>,
    pub(super) max_bytes: usize,
    pub(super) gzip_level: u32,
    /// The `timeout` parameter of requests.
    pub(super) wait: Option<String>,
    pub(super) request_timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) error_file: Option<PathBuf>,
    pub(super) error_only: bool,
    pub(super) interleaved: bool,
    pub(super) retries: bool,
    pub(super) pauses: (Duration, Duration),
    /// Requests on one set of connections.
    pub(super) rebind: Option<u64>,
    pub(super) tls: tls::Options,
}

impl Conf {
    /// Checks the arguments.
    ///
    /// # Errors
    /// What is wrong with them; the action does not exist then.
    pub(super) fn new(args: &Args, env: &OutputEnv<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut note = |problem| problems.push(problem);
        let streams = args.bool("dataStream");
        let mut texts = Texts { args, env, templates: 1 };
        let index = texts.text("searchIndex", "dynSearchIndex").map_err(&mut note).ok().flatten();
        let kind = texts.text("searchType", "dynSearchType").map_err(&mut note).ok().flatten();
        let parent = texts.text("parent", "dynParent").map_err(&mut note).ok().flatten();
        let id = texts.text("bulkId", "dynBulkId").map_err(&mut note).ok().flatten();
        let pipeline =
            texts.text("pipelineName", "dynPipelineName").map_err(&mut note).ok().flatten();
        let default = if streams { "SLUICE_ECS" } else { " StdJSONFmt" };
        let name = args.str("template").unwrap_or(default.as_bytes());
        let template = env.template_or_problem(0, name).map_err(&mut note).ok();
        let authorization = authorization(args).map_err(&mut note).ok().flatten();
        let servers = servers(args).map_err(&mut note).unwrap_or_default();
        let tls = tls_options(args).map_err(&mut note).unwrap_or_default();
        let (Some(template), true) = (template, problems.is_empty()) else { return Err(problems) };
        let old = args.int("esversion.major").is_none_or(|major| major < 8);
        let system = || (old && !streams).then(|| Text::Fixed(b"system".to_vec()));
        let msec =
            |name| args.int(name).and_then(|n| u64::try_from(n).ok()).map(Duration::from_millis);
        let limit = |time: Option<Duration>| time.filter(|time| !time.is_zero());
        let level = args.int("compressionLevel").and_then(|level| u32::try_from(level).ok());
        let default_timeout = streams.then_some(REQUEST_TIMEOUT);
        Ok(Self {
            servers,
            authorization,
            streams,
            bulk: streams || args.bool("bulkMode"),
            creates: streams || args.str("writeOperation") == Some(b"create"),
            own_ids: streams && id.is_none() && args.bool("documentIds"),
            index: index.or_else(system),
            kind,
            parent,
            pipeline,
            skip_pipeline_if_empty: args.bool("skipPipelineIfEmpty"),
            id,
            template,
            max_bytes: usize::try_from(args.size("maxBytes").unwrap_or(0)).unwrap_or(usize::MAX),
            gzip_level: level.unwrap_or(u32::from(streams)),
            wait: args.text("timeout"),
            request_timeout: limit(msec("indexTimeout").or(default_timeout)),
            connect_timeout: limit(msec("healthCheckTimeout")),
            error_file: args.str("errorFile").map(|path| PathBuf::from(OsStr::from_bytes(path))),
            error_only: streams || args.bool("errorOnly"),
            interleaved: streams || args.bool("interleaved"),
            retries: streams || args.bool("retryFailures"),
            pauses: (
                msec("backoff.init").unwrap_or_default(),
                msec("backoff.max").unwrap_or_default(),
            ),
            rebind: args
                .int("rebindInterval")
                .and_then(|n| u64::try_from(n).ok())
                .filter(|n| *n > 0),
            tls,
        })
    }
}

/// How long a request into a data stream may take, unless configured.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// Reads texts that may be templates' names.
struct Texts<'a> {
    args: &'a Args,
    env: &'a OutputEnv<'a>,
    /// Templates asked for so far.
    templates: usize,
}

impl Texts<'_> {
    fn text(&mut self, name: &'static str, dynamic: &'static str) -> Result<Option<Text>, Problem> {
        let value = self.args.str(name);
        if !self.args.bool(dynamic) {
            return Ok(value.map(|text| Text::Fixed(text.to_vec())));
        }
        let Some(template) = value else {
            let text = format!(
                "omelasticsearch: {dynamic} is on, but {name} names no template - action definition invalid"
            );
            return Err(Problem::error(text).at(dynamic));
        };
        self.templates += 1;
        let found = self.env.template_or_problem(self.templates - 1, template);
        found.map(|template| Some(Text::Made(template))).map_err(|problem| problem.at(name))
    }
}

fn authorization(args: &Args) -> Result<Option<String>, Problem> {
    let refuse = |text: &str, at| Err(Problem::error(format!("omelasticsearch: {text}")).at(at));
    let (user, password) = (args.str("uid"), args.str("pwd"));
    match (args.str("apikey"), user) {
        (Some(_), Some(_)) => refuse("apikey and uid are both given; give one of them", "apikey"),
        (Some(key), None) if key.contains(&b':') => Ok(Some(format!("ApiKey {}", base64(key)))),
        (Some(key), None) => Ok(Some(format!("ApiKey {}", String::from_utf8_lossy(key)))),
        (None, None) if password.is_some() => {
            refuse("password is provided, but no uid - action definition invalid", "pwd")
        }
        (None, None) => Ok(None),
        (None, Some(user)) => {
            let both = [user, b":", password.unwrap_or_default()].concat();
            Ok(Some(format!("Basic {}", base64(&both))))
        }
    }
}

fn servers(args: &Args) -> Result<Vec<String>, Problem> {
    let port = args.int("serverport").unwrap_or(9200);
    let scheme = if args.bool("useHttps") { "https" } else { "http" };
    let mut servers = Vec::new();
    for server in args.array("server").unwrap_or_default() {
        let server = String::from_utf8_lossy(server).trim_end_matches('/').to_owned();
        let (scheme, rest) = match server.split_once("://") {
            Some((own, rest)) => (own.to_ascii_lowercase(), rest),
            None => (scheme.to_owned(), server.as_str()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // An IPv6 address has its colons in brackets.
        let has_port = authority.rsplit_once(']').map_or(authority, |(_, port)| port).contains(':');
        let port = if has_port { String::new() } else { format!(":{port}") };
        let slash = if path.is_empty() { "" } else { "/" };
        if authority.is_empty() || !matches!(scheme.as_str(), "http" | "https") {
            let text =
                format!("omelasticsearch: server '{server}' is no host and no http or https URL");
            return Err(Problem::error(text).at("server"));
        }
        servers.push(format!("{scheme}://{authority}{port}/{path}{slash}"));
    }
    if servers.is_empty() {
        return Err(Problem::error("omelasticsearch: server is empty").at("server"));
    }
    Ok(servers)
}

fn tls_options(args: &Args) -> Result<tls::Options, Problem> {
    let path = |name| args.str(name).map(|path| PathBuf::from(OsStr::from_bytes(path)));
    let options = tls::Options {
        authorities: path("tls.caCert"),
        certificate: path("tls.myCert"),
        key: path("tls.myPrivKey"),
        passphrase: args.str("tls.keyPassphrase").map(<[u8]>::to_vec),
        version: match args.str("tls.tlsVersion") {
            Some(b"TLSv1.2") => Some(SslVersion::TLS1_2),
            Some(b"TLSv1.3") => Some(SslVersion::TLS1_3),
            _ => None,
        },
        suites: args.text("tls.cipherSuites"),
        groups: args.text("tls.keyExchangeGroups"),
        takes_any: args.bool("allowUnsignedCerts"),
        skips_name: args.bool("skipVerifyHost"),
    };
    if options.certificate.is_some() != options.key.is_some() {
        return Err(Problem::error(
            "omelasticsearch: tls.myCert and tls.myPrivKey belong together; one is missing",
        )
        .at(if options.key.is_none() { "tls.myCert" } else { "tls.myPrivKey" }));
    }
    // One by one, to name the one at fault.
    for (param, alone) in [
        ("tls.cipherSuites", tls::Options { suites: options.suites.clone(), ..Default::default() }),
        (
            "tls.keyExchangeGroups",
            tls::Options { groups: options.groups.clone(), ..Default::default() },
        ),
    ] {
        if let Err(why) = alone.builder() {
            let value = args.text(param).unwrap_or_default();
            let text = format!("omelasticsearch: OpenSSL does not take {param} \"{value}\": {why}");
            return Err(Problem::error(text).at(param));
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::super::parameters::MODULE;
    use super::*;
    use crate::param::Value;
    use crate::stats;
    use crate::task::Tasks;

    fn check(params: &[(&'static str, Value)]) -> Result<Conf, Vec<Problem>> {
        let mut args = Args::defaults(&[MODULE.params]);
        for (name, value) in params {
            args.set(name, value.clone());
        }
        let env = OutputEnv {
            template: &crate::template::builtin,
            report: &|problem| panic!("{problem:?}"),
            stats: Arc::new(stats::Set::default()),
            tasks: &Tasks::default(),
            reentries: &Default::default(),
            message_bytes: 8096,
            ip_protocol: Default::default(),
            name: "es",
            files: &Default::default(),
            own_defaults: false,
        };
        Conf::new(&args, &env)
    }

    fn text(value: &str) -> Value {
        Value::Str(value.as_bytes().to_vec())
    }

    #[test]
    fn servers_are_completed() {
        for (server, https, url) in [
            ("h", false, "http://h:9200/"),
            ("h:1", true, "https://h:1/"),
            ("http://h", true, "http://h:9200/"),
            ("https://h/es/", false, "https://h:9200/es/"),
            ("[::1]", false, "http://[::1]:9200/"),
            ("[::1]:5", false, "http://[::1]:5/"),
        ] {
            let list = Value::Array(vec![server.as_bytes().to_vec()]);
            let conf = check(&[("server", list), ("useHttps", Value::Bool(https))]);
            assert_eq!(conf.map(|conf| conf.servers).ok(), Some(vec![url.to_owned()]), "{server}");
        }
    }

    #[test]
    fn authentication() {
        let header = |params: &[(&'static str, Value)]| {
            check(params).map(|c| c.authorization).ok().flatten()
        };
        let basic = header(&[("uid", text("Aladdin")), ("pwd", text("open sesame"))]);
        assert_eq!(basic.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(header(&[("apikey", text("id:key"))]).as_deref(), Some("ApiKey aWQ6a2V5"));
        assert_eq!(header(&[("apikey", text("aWQ6a2V5"))]).as_deref(), Some("ApiKey aWQ6a2V5"));
        assert_eq!(base64(b"ab"), "YWI=");
    }

    /// Row 47 of the specification, and others.
    #[test]
    fn what_is_refused_is_named() {
        for (params, at) in [
            (vec![("apikey", text("a:b")), ("uid", text("u"))], "apikey"),
            (vec![("pwd", text("p"))], "pwd"),
            (vec![("dynSearchIndex", Value::Bool(true))], "dynSearchIndex"),
            (
                vec![("searchIndex", text("nope")), ("dynSearchIndex", Value::Bool(true))],
                "searchIndex",
            ),
            (vec![("tls.myCert", text("c"))], "tls.myCert"),
            (vec![("tls.cipherSuites", text("NO_SUCH_SUITE"))], "tls.cipherSuites"),
            (vec![("tls.keyExchangeGroups", text("no-such-group"))], "tls.keyExchangeGroups"),
            (vec![("server", Value::Array(vec![b"ftp://x".to_vec()]))], "server"),
        ] {
            let problems = check(&params).err().unwrap_or_default();
            assert_eq!(problems.first().and_then(|p| p.param), Some(at));
        }
    }
}

//! A checked action.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::OutputEnv;
use super::target::Target;
use crate::param::{Args, Problem};
use crate::template::Template;

/// A text that is the same for all documents, or made of each message.
pub(super) enum Text {
    Fixed(Vec<u8>),
    Made(Arc<Template>),
}

/// A checked action.
pub(super) struct Conf {
    pub(super) target: Target,
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
        if args.given("searchType") {
            (env.report)(Problem::warning(OLD_TYPE).code(DEPRECATED).at("searchType"));
        }
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
        let target = Target::new(args, &mut note);
        let (Some(template), Some(target), true) = (template, target, problems.is_empty()) else {
            return Err(problems);
        };
        let old = args.int("esversion.major").is_none_or(|major| major < 8);
        let system = || (old && !streams).then(|| Text::Fixed(b"system".to_vec()));
        let msec =
            |name| args.int(name).and_then(|n| u64::try_from(n).ok()).map(Duration::from_millis);
        let limit = |time: Option<Duration>| time.filter(|time| !time.is_zero());
        let level = args.int("compressionLevel").and_then(|level| u32::try_from(level).ok());
        let default_timeout = streams.then_some(REQUEST_TIMEOUT);
        Ok(Self {
            target,
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
        })
    }
}

/// The reference's words and code.
const OLD_TYPE: &str = "omelasticsearch: parameter 'searchType' is deprecated because Elasticsearch mapping types are obsolete; \
                        remove this parameter for Elasticsearch 8 and later";
const DEPRECATED: u16 = 2307;
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::parameters::MODULE;
    use super::*;
    use crate::param::Value;
    use crate::stats;
    use crate::task::Tasks;

    fn check(params: &[(&'static str, Value)]) -> Result<Conf, Vec<Problem>> {
        check_with(params, &|problem| panic!("{problem:?}"))
    }

    fn check_with(
        params: &[(&'static str, Value)],
        report: &dyn Fn(Problem),
    ) -> Result<Conf, Vec<Problem>> {
        let mut args = Args::defaults(&[MODULE.params]);
        for (name, value) in params {
            args.set(name, value.clone());
        }
        let env = OutputEnv {
            template: &crate::template::builtin,
            report,
            stats: Arc::new(stats::Set::default()),
            tasks: &Tasks::default(),
            reentries: &Default::default(),
            message_bytes: 8096,
            ip_protocol: Default::default(),
            name: "es",
            files: &Default::default(),
            own_defaults: false,
            child_exits: Default::default(),
            secure: crate::param::SecureDefaults::Compatible,
            tls: &Default::default(),
            send_to_all: false,
        };
        Conf::new(&args, &env)
    }

    fn text(value: &str) -> Value {
        Value::Str(value.as_bytes().to_vec())
    }

    /// The defaults of `spec/elastic-tcp.md` section 8.2 with a data stream, and the reference's without.
    #[test]
    fn defaults() {
        let second = Duration::from_secs;
        for (streams, level, timeout) in [(true, 1, Some(second(90))), (false, 0, None)] {
            let Ok(conf) = check(&[("dataStream", Value::Bool(streams))]) else {
                panic!("refused")
            };
            let all = [conf.bulk, conf.creates, conf.own_ids, conf.error_only, conf.retries];
            assert_eq!(all, [streams; 5]);
            assert_eq!((conf.gzip_level, conf.request_timeout), (level, timeout));
            assert_eq!(conf.pauses, (second(1), second(60)));
            assert_eq!(conf.connect_timeout, Some(Duration::from_millis(3500)));
            assert_eq!((conf.max_bytes, conf.index.is_none()), (100 << 20, streams));
            assert_eq!(conf.target.servers[0].url, "http://localhost:9200/");
            assert!(conf.target.balances && conf.target.headers.is_empty());
        }
    }

    #[test]
    fn a_type_is_obeyed_with_a_warning() {
        let said = RefCell::new(Vec::new());
        let conf =
            check_with(&[("searchType", text("x"))], &|problem| said.borrow_mut().push(problem));
        assert!(matches!(conf, Ok(Conf { kind: Some(Text::Fixed(_)), .. })));
        let said = said.into_inner();
        assert!(matches!(&said[..], [one] if one.warning && one.text == OLD_TYPE), "{said:?}");
    }

    #[test]
    fn what_is_refused_is_named() {
        for (params, at) in [
            (vec![("dynSearchIndex", Value::Bool(true))], "dynSearchIndex"),
            (
                vec![("searchIndex", text("nope")), ("dynSearchIndex", Value::Bool(true))],
                "searchIndex",
            ),
            (vec![("server", Value::Array(vec![b"ftp://x".to_vec()]))], "server"),
        ] {
            let problems = check(&params).err().unwrap_or_default();
            assert_eq!(problems.first().and_then(|p| p.param), Some(at));
        }
    }
}

//! Between receive and write no message costs a heap allocation, once buffers have grown: the pieces of the data path
//! driven by one thread under a counting allocator. A binary of its own, because the allocator is global.

use std::cell::RefCell;
use std::fs;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use sluice::actions::action::Action;
use sluice::actions::set::{Configured, Set};
use sluice::actions::{self, OutputEnv};
use sluice::config::{self, Catalogue, RulesetId, SystemLoader};
use sluice::framing::{Decoder, Fault, Options, Sink};
use sluice::message::{Appender, Builder, InputInfo, Pool, Sender};
use sluice::parsers::ParserOptions;
use sluice::queue::{Commit, Consume, Interrupt};
use sluice::ruleset::{Job, Messages, Rules, Surroundings, consumers};
use sluice::script::Environment;
use sluice::sys::alloc::{Counting, allocations};
use sluice::task::Tasks;
use sluice::testing::parsers::NETWORK;
use sluice::{stats, template};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MESSAGES: usize = 1000;

/// A static file, a dynamic one, a table of senders, a selector, a property filter and expressions that only read.
const CONFIG: &str = r#"module(load="omsendertrack")
template(name="name" type="string" string="{dir}/%hostname%.log")
mail.* {dir}/never
:msg, contains, "needle" {dir}/never
if $!none == 'x' or exists($.none) or strlen($msg & $hostname) > 9999 or re_match($msg, 'y$') then {dir}/never
if field($rawmsg, 32, 2) == 'x' or toupper($programname) == 'app' or $/none contains 'x' then {dir}/never
if $programname == 'app' and $syslogseverity <= 5 and not ($msg startswith ' none') then {
    action(type="omfile" file="{dir}/out")
    action(type="omfile" dynaFile="name")
    action(type="omsendertrack" senderId="%hostname%" stateFile="{dir}/senders")
}
"#;

#[test]
fn no_allocation_per_message() {
    let dir = tempfile::tempdir().expect("temp dir");
    let pool = Arc::new(Pool::default());
    let mut consumer = consumer(dir.path().to_str().expect("UTF-8"), &pool);
    let sender = Arc::new(Sender::local(Arc::new(InputInfo::default()), b"sender"));
    let mut builder = Builder::new(Arc::clone(&pool));
    let mut decoder = Decoder::default();
    let stream = stream();
    let mut round = || {
        // As a receive does it, into the builder's storage, in pieces that cut frames.
        for piece in stream.chunks(7919) {
            let start = builder.bytes().len();
            builder.bytes().append(piece);
            builder.decode(start, |input, appender| {
                let mut frames = Frames { input, appender, sender: &sender };
                decoder.feed(&Options::default(), input, &mut frames);
            });
        }
        let batch = builder.seal();
        assert_eq!(batch.len(), MESSAGES);
        let mut job = Job { ruleset: RulesetId(0), messages: Messages::Received(batch) };
        consumer.consume(&mut job, 0..MESSAGES);
        consumer.finish(job);
        consumer.commit(Commit::All);
    };
    for _ in 0..10 {
        round();
    }
    let before = allocations();
    for _ in 0..10 {
        round();
    }
    let made = allocations() - before;
    // A batch may take a few; nothing may take one per message or per receive.
    assert!(made <= 10 * 5, "{made} allocations for 10 batches of {MESSAGES} messages");
    let written = fs::read(dir.path().join("out")).expect("out");
    assert_eq!(written.iter().filter(|&&byte| byte == b'\n').count(), 20 * MESSAGES);
    assert!(!dir.path().join("never").exists());
}

/// Both formats, 200 bytes each, from a few hosts.
fn stream() -> Vec<u8> {
    let mut stream = Vec::new();
    for number in 0..MESSAGES {
        let host = number % 3;
        let mut message = match number % 2 {
            0 => format!("<165>Oct 11 22:14:15 host{host} app[12]: "),
            _ => format!("<165>1 2024-01-02T03:04:05.123+02:00 host{host} app 12 id [x y=\"z\"] "),
        };
        message.extend(std::iter::repeat_n('x', 200 - message.len()));
        message.push('\n');
        stream.extend_from_slice(message.as_bytes());
    }
    stream
}

/// The consumer of a main queue, as the daemon builds it, on this thread.
fn consumer(dir: &str, pool: &Arc<Pool>) -> Box<dyn Consume<Job>> {
    let path = format!("{dir}/conf");
    fs::write(&path, CONFIG.replace("{dir}", dir)).expect("write");
    let catalogue = Catalogue {
        modules: &[actions::file::KIND.module, actions::sendertrack::KIND.module],
        templates: &["RSYSLOG_FileFormat"],
        parsers: &sluice::registry::parser_names(),
    };
    let (config, diagnostics) = config::load(&path, &SystemLoader, &catalogue);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let stats = Arc::new(stats::Set::default());
    let problems = RefCell::new(Vec::new());
    let templates = |name: &[u8]| match name {
        b"name" => Some(Arc::new(file_name(dir))),
        _ => template::builtin(name),
    };
    let files = RefCell::default();
    let env = OutputEnv {
        name: "test",
        files: &files,
        template: &templates,
        report: &|problem| problems.borrow_mut().push(problem),
        stats: Arc::clone(&stats),
        tasks: &Tasks::default(),
        reentries: &Default::default(),
        message_bytes: 8096,
        ip_protocol: Default::default(),
        own_defaults: false,
    };
    let configured: Vec<Option<Configured>> = config
        .actions
        .iter()
        .map(|decl| {
            let module = config.module_args(decl.module);
            let kinds = [actions::file::KIND, actions::sendertrack::KIND];
            let kind = kinds.iter().find(|kind| kind.module.name == decl.module.name);
            let build = kind.expect("one of the two").build;
            let output = build(&decl.args.args, &module.args, &env).expect("builds");
            let settings = actions::settings::Settings::new(
                &decl.core.args,
                &decl.name,
                decl.module,
                (true, false),
            );
            let action = Arc::new(Action::new(settings, output, &stats));
            Some(Configured { action, queue: None, modifier: None })
        })
        .collect();
    assert!(problems.borrow().is_empty(), "{problems:?}");
    let (rules, problems) =
        Rules::compile(&config.rulesets, vec![ParserOptions::default()], Environment::default());
    assert!(problems.is_empty(), "{problems:?}");
    let set: Box<sluice::ruleset::Actions> =
        Box::new(move |interrupt| Box::new(Set::new(&configured, interrupt)));
    let hostname = Arc::new(Mutex::new(b"here".to_vec().into_boxed_slice()));
    let shared =
        Surroundings::new(Arc::new(rules), set, Arc::clone(pool), hostname, Arc::default(), &stats);
    consumers(&Arc::new(shared))(&Arc::new(Interrupt::default()))
}

fn file_name(dir: &str) -> template::Template {
    let text = format!("{dir}/%hostname%.log");
    let content = template::Content::String { text: text.as_bytes(), legacy: false };
    template::Template::compile("name", &content, template::Options::default(), &mut |_, _| {})
        .expect("compiles")
}

/// What imtcp does with frames.
struct Frames<'a, 'b> {
    input: &'a [u8],
    appender: &'a mut Appender<'b>,
    sender: &'a Arc<Sender>,
}

impl Sink for Frames<'_, '_> {
    fn frame(&mut self, range: Range<usize>, _oversize: bool) {
        self.appender.frame(range, 0, self.sender, NETWORK);
    }

    fn joined(&mut self, head: &[u8], tail: Range<usize>, _oversize: bool) {
        self.appender.joined(head, &self.input[tail], 0, self.sender, NETWORK);
    }

    fn fault(&mut self, fault: Fault) {
        panic!("{fault:?}");
    }
}

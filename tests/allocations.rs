//! Between receive and write no message costs a heap allocation, once buffers have grown: the pieces of the data path
//! driven by one thread under a counting allocator. A binary of its own, because the allocator is global.

#[path = "harness/pki.rs"]
#[allow(dead_code, reason = "the end-to-end tests use the rest")]
mod pki;

use std::cell::RefCell;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode, SslVersion};
use sluice::actions::action::Action;
use sluice::actions::set::{Configured, Set};
use sluice::actions::{self, OutputEnv};
use sluice::config::{self, Catalogue, RulesetId, SystemLoader};
use sluice::framing::{Decoder, Fault, Options, Sink};
use sluice::inputs::{self, InputEnv};
use sluice::limits;
use sluice::message::{Appender, Batch, Builder, FlowControl, InputInfo, Pool, Sender, Submit};
use sluice::net::transport::{Received, Transport};
use sluice::param::{Args, Value};
use sluice::parsers::ParserOptions;
use sluice::queue::{Commit, Consume, Interrupt};
use sluice::ruleset::{Job, Messages, Rules, Surroundings, consumers};
use sluice::script::Environment;
use sluice::sys::alloc::{Counting, allocations};
use sluice::task::Tasks;
use sluice::testing::parsers::NETWORK;
use sluice::tls::priority::Priority;
use sluice::tls::transport::{Cells, Engine, Server};
use sluice::tls::{Auth, Driver, Expired, Pem, Settings, Store};
use sluice::{stats, template};

use pki::{Identity, Wanted};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MESSAGES: usize = 1000;
/// How often they are sent: half of it until buffers have grown.
const ROUNDS: usize = 20;
/// Bytes of a write.
const PIECE: usize = 7919;

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
    let stream = stream();
    check(|builder, decode| {
        // As a receive does it, into the builder's storage, in pieces that cut frames.
        for piece in stream.chunks(PIECE) {
            let start = builder.bytes().len();
            builder.bytes().append(piece);
            decode(builder, start);
        }
    });
}

/// The same from a TLS connection. What OpenSSL asks the C library for is not counted.
#[test]
fn no_allocation_per_message_over_tls() {
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let dir = tempfile::tempdir().expect("temp dir");
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let rounds = Arc::new(Barrier::new(2));
        let client = {
            let rounds = Arc::clone(&rounds);
            thread::Builder::new().spawn(move || client(address, version, &rounds)).expect("thread")
        };
        let (stream, peer) = listener.accept().expect("accept");
        stream.set_nonblocking(true).expect("non-blocking");
        let server = Server::accept(&engine(dir.path()), stream, peer).expect("server");
        let mut transport = Transport::Layered(Box::new(server));
        check(|builder, decode| {
            rounds.wait();
            while builder.len() < MESSAGES {
                let start = builder.bytes().len();
                let room = builder.bytes().spare_mut().len() - limits::JOIN_BYTES;
                match transport.receive(&mut builder.bytes().spare_mut()[..room]) {
                    Received::Bytes { len, .. } => {
                        builder.bytes().advance(len);
                        decode(builder, start);
                    }
                    Received::Nothing => {
                        let mut fds = [PollFd::new(transport.as_fd(), PollFlags::POLLIN)];
                        poll(&mut fds, PollTimeout::NONE).expect("poll");
                    }
                    end => panic!("{end:?}"),
                }
            }
        });
        client.join().expect("client");
    }
}

/// Writes the messages once per round.
fn client(server: std::net::SocketAddr, version: SslVersion, rounds: &Barrier) {
    let mut builder = SslContext::builder(SslMethod::tls_client()).expect("context");
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_max_proto_version(Some(version)).expect("version");
    let ssl = Ssl::new(&builder.build()).expect("session");
    let stream = TcpStream::connect(server).expect("connect");
    let mut stream = SslStream::new(ssl, stream).expect("stream");
    let messages = self::stream();
    rounds.wait();
    stream.connect().expect("handshake");
    for round in 0..ROUNDS {
        if round > 0 {
            rounds.wait();
        }
        for piece in messages.chunks(PIECE) {
            stream.write_all(piece).expect("write");
        }
    }
}

/// What TLS connections are made with.
fn engine(dir: &Path) -> Arc<Engine> {
    Identity::own(&Wanted::name("localhost")).write(dir, "server");
    let settings = Settings {
        driver: Driver::Ossl,
        auth: Auth::Anonymous,
        expired: Expired::Deny,
        authorities: None,
        extra_authorities: Vec::new(),
        certificate: Some(Pem::File(dir.join("server.pem"))),
        key: Some(Pem::File(dir.join("server.key"))),
        key_passphrase: None,
        crl_file: None,
        pins: Default::default(),
        check_purpose: false,
        check_revocation: false,
        prioritize_san: false,
        verify_depth: None,
        priority: Priority::default(),
        handshake_patience: std::time::Duration::from_secs(60),
        handshakes_max: 1,
    };
    let cells = Cells::new(&mut stats::Object::new("tls", "tls"), &settings);
    let store = Store::open(settings, "tls").expect("loads");
    Arc::new(Engine::new(store, cells, Arc::default()))
}

/// Has `receive` put the messages into the builder, and decode what is new in it, again and again.
fn check(mut receive: impl FnMut(&mut Builder, &mut dyn FnMut(&mut Builder, usize))) {
    let dir = tempfile::tempdir().expect("temp dir");
    let pool = Arc::new(Pool::default());
    let mut consumer = consumer(dir.path().to_str().expect("UTF-8"), &pool);
    let sender = Arc::new(Sender::local(Arc::new(InputInfo::default()), b"sender"));
    let mut builder = Builder::new(Arc::clone(&pool));
    let mut decoder = Decoder::default();
    let mut decode = |builder: &mut Builder, start| {
        builder.decode(start, |input, appender| {
            let mut frames = Frames { input, appender, sender: &sender };
            decoder.feed(&Options::default(), input, &mut frames);
        });
    };
    let mut round = || {
        receive(&mut builder, &mut decode);
        let batch = builder.seal();
        assert_eq!(batch.len(), MESSAGES);
        let mut job = Job { ruleset: RulesetId(0), messages: Messages::Received(batch) };
        consumer.consume(&mut job, 0..MESSAGES);
        consumer.finish(job);
        consumer.commit(Commit::All);
    };
    for _ in 0..ROUNDS / 2 {
        round();
    }
    let before = allocations();
    for _ in 0..ROUNDS / 2 {
        round();
    }
    let made = allocations() - before;
    // A batch may take a few; nothing may take one per message or per receive.
    assert!(made <= 10 * 5, "{made} allocations for 10 batches of {MESSAGES} messages");
    let written = fs::read(dir.path().join("out")).expect("out");
    assert_eq!(written.iter().filter(|&&byte| byte == b'\n').count(), ROUNDS * MESSAGES);
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
        child_exits: Default::default(),
        secure: sluice::param::SecureDefaults::Compatible,
        tls: &Default::default(),
        send_to_all: false,
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

/// Where imuxsock's thread hands its batches; sends the messages of the next one, so that each has as many.
struct Feedback {
    socket: UnixDatagram,
    /// Calls for memory of the thread that submits, at each batch.
    calls: Mutex<Vec<u64>>,
    end: Barrier,
}

/// What fits into a socket on a kernel with defaults.
const LOCAL_MESSAGES: usize = 10;

impl Feedback {
    fn send(&self) {
        for _ in 0..LOCAL_MESSAGES {
            self.socket.send(b"<13>Oct 11 22:14:15 app[1]: a message").expect("send");
        }
    }
}

impl Submit for Feedback {
    fn submit(&self, batch: Batch, _flow: FlowControl) {
        assert_eq!(batch.len(), LOCAL_MESSAGES);
        drop(batch);
        let mut calls = self.calls.lock().expect("lock");
        if calls.len() == ROUNDS {
            drop(calls);
            self.end.wait();
            return;
        }
        calls.push(allocations());
        self.send();
    }
}

/// Local datagrams through imuxsock itself, with a time and a process id to be replaced: a batch costs the same however
/// many messages it has.
#[test]
fn no_allocation_per_local_message() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("log");
    let socket = UnixDatagram::unbound().expect("socket");
    let feedback = Arc::new(Feedback { socket, calls: Mutex::default(), end: Barrier::new(2) });
    let kind = &inputs::unix::KIND;
    let mut args = Args::defaults(&[kind.module.params]);
    args.set("socket", Value::Str(path.to_str().expect("UTF-8").as_bytes().to_vec()));
    args.set("usePidFromSystem", Value::Bool(true));
    let (mut input, _) = (kind.build)(&Args::defaults(&[kind.module.module_params]));
    assert_eq!(input.add(&args, &local_environment(&feedback)), []);
    assert_eq!(input.open(), []);
    feedback.socket.connect(&path).expect("connect");
    feedback.send();
    let running = input.start().expect("start");
    feedback.end.wait();
    running.stop();
    running.join();
    let calls = feedback.calls.lock().expect("lock");
    let per_batch = calls.windows(2).map(|pair| pair[1] - pair[0]);
    let most = per_batch.skip(ROUNDS / 2).max().expect("rounds");
    assert!(most < LOCAL_MESSAGES as u64, "{most} allocations for {LOCAL_MESSAGES} messages");
}

fn local_environment(feedback: &Arc<Feedback>) -> InputEnv {
    let submit: Arc<dyn Submit> = Arc::<Feedback>::clone(feedback);
    InputEnv {
        submit,
        ruleset_found: true,
        pool: Arc::new(Pool::default()),
        names: None,
        stats: Arc::default(),
        tasks: Arc::default(),
        message_bytes: limits::MESSAGE_BYTES_DEFAULT,
        ip_protocol: inputs::IpProtocol::Unspecified,
        hostname: Arc::new(Mutex::new(b"here".to_vec().into_boxed_slice())),
        keeps_own_messages: false,
        tls: Arc::default(),
        access: Default::default(),
        parsers: Arc::default(),
        limits: Arc::default(),
        secure: Default::default(),
    }
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

//! omfile against real files: every behaviour of `spec/queues-actions.md` section 7, and the ledger.

use std::cell::RefCell;
use std::fs;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use super::*;
use crate::actions::OutputEnv;
use crate::actions::action::Action;
use crate::actions::lines::Lines;
use crate::actions::retry::Runner;
use crate::actions::settings::Settings;
use crate::actions::testing::{environment, messages};
use crate::actions::{Effect, Failure};
use crate::message::Msg;
use crate::param::{Args, Problem, Value};
use crate::stats;
use crate::task::Tasks;
use crate::template::{Content, Options};

/// An action and one thread's end of it, with a count of what went in and what was given up.
struct Bench {
    dir: tempfile::TempDir,
    output: Arc<dyn Output>,
    worker: Box<dyn OutputWorker>,
    set: Arc<stats::Set>,
    lost: Vec<(Effect, String, String)>,
    problems: Vec<Problem>,
}

fn template(name: &str, text: &str) -> Arc<Template> {
    let content = Content::String { text: text.as_bytes(), legacy: false };
    let mut report = |_, problem| panic!("{problem:?}");
    let template = Template::compile(name, &content, Options::default(), &mut report);
    Arc::new(template.expect("a template"))
}

fn text(path: impl AsRef<Path>) -> Value {
    Value::Str(path.as_ref().as_os_str().as_bytes().to_vec())
}

/// Builds an action; `set` gets the arguments, the module's arguments and the test's directory.
/// Templates: `line` (the default) is the message, `name` is `<dir>/<message>.log`, `free` the bare message.
fn try_build(set: impl FnOnce(&mut Args, &mut Args, &Path)) -> Result<Bench, Vec<Problem>> {
    build_as(false, set)
}

fn build_as(
    own_defaults: bool,
    set: impl FnOnce(&mut Args, &mut Args, &Path),
) -> Result<Bench, Vec<Problem>> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut module = Args::defaults(&[params::MODULE.module_params]);
    let mut args = Args::defaults(&[params::MODULE.params]);
    args.set_default("template", Some(Value::Str(b"line".to_vec())));
    set(&mut args, &mut module, dir.path());
    let name = format!("{}/%msg%.log", dir.path().display());
    let find = |wanted: &[u8]| match wanted {
        b"line" => Some(template("line", "%msg%")),
        b"name" => Some(template("name", &name)),
        b"free" => Some(template("free", "%msg%")),
        b"tree" => {
            let content = Content::Subtree(b"$!path");
            Template::compile("tree", &content, Options::default(), &mut |_, _| {}).map(Arc::new)
        }
        _ => None,
    };
    let problems = RefCell::new(Vec::new());
    let report = |problem| problems.borrow_mut().push(problem);
    let stats = Arc::new(stats::Set::default());
    let env = OutputEnv {
        name: "test",
        files: &RefCell::default(),
        template: &find,
        report: &report,
        stats,
        tasks: &Tasks::default(),
        reentries: &Default::default(),
        message_bytes: 8096,
        ip_protocol: Default::default(),
        own_defaults,
        child_exits: Default::default(),
        secure: crate::param::SecureDefaults::Compatible,
        tls: &Default::default(),
        send_to_all: false,
    };
    let output = (KIND.build)(&args, &module, &env)?;
    let worker = Arc::clone(&output).worker();
    let set = Arc::clone(&env.stats);
    Ok(Bench { dir, output, worker, set, lost: Vec::new(), problems: problems.into_inner() })
}

fn bench(set: impl FnOnce(&mut Args, &Path)) -> Bench {
    try_build(|args, _, dir| set(args, dir)).map_err(|why| format!("{why:?}")).expect("an action")
}

/// An action that writes to `out` in the test's directory.
fn fixed(set: impl FnOnce(&mut Args)) -> Bench {
    bench(|args, dir| {
        args.set("file", text(dir.join("out")));
        set(args);
    })
}

/// An action with a file per message text.
fn dynamic(set: impl FnOnce(&mut Args)) -> Bench {
    bench(|args, _| {
        args.set("dynaFile", Value::Str(b"name".to_vec()));
        set(args);
    })
}

impl Bench {
    fn push(&mut self, texts: &[&str]) {
        let (batch, env) = (messages(texts), environment());
        let lost = &mut self.lost;
        for index in 0..batch.len() {
            let msg = Msg::at(&batch, index, &env).expect("a message");
            let pushed = self.worker.push(&msg, &mut |why, line| note(lost, why, line));
            pushed.expect("pushed");
        }
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let lost = &mut self.lost;
        self.worker.commit(&mut |why, line| note(lost, why, line))
    }

    fn write(&mut self, texts: &[&str]) {
        self.push(texts);
        self.commit().expect("written");
        assert_eq!(self.worker.pending(), 0);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| error.kind().to_string())
    }

    fn counter(&self, name: &str) -> u64 {
        self.set.total(None, name)
    }
}

fn note(lost: &mut Vec<(Effect, String, String)>, why: &Failure, line: &[u8]) {
    lost.push((why.effect, why.text.clone(), String::from_utf8_lossy(line).into_owned()));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file").permissions().mode() & 0o7777
}

#[test]
fn a_batch_is_appended_and_lines_end_in_lf() {
    let mut bench = fixed(|_| ());
    fs::write(bench.path("out"), "before\n").expect("written");
    bench.write(&["one", "two\n", ""]);
    assert_eq!(bench.read("out"), "before\none\ntwo\n\n");
    let mut bench = fixed(|args| args.set("addLF", Value::Bool(false)));
    bench.write(&["one", "two\n"]);
    assert_eq!(bench.read("out"), "onetwo\n");
}

#[test]
fn an_action_needs_a_file() {
    for (name, value) in
        [("addLF", Value::Bool(true)), ("file", text(" \t")), ("dynaFile", text(""))]
    {
        let problems = try_build(|args, _, _| args.set(name, value)).err().expect("refused");
        assert_eq!(problems[0].code, Some(2207), "{problems:?}");
    }
    let unknown = try_build(|args, _, dir| {
        args.set("file", text(dir.join("out")));
        args.set("template", text("nope"));
    });
    let problems = unknown.err().expect("refused");
    assert_eq!(problems[0].text, " Could not find template 0 'nope' - action disabled");
}

#[test]
fn both_kinds_of_name_and_a_cache_of_none_are_reported() {
    let bench = dynamic(|args| {
        args.set("file", text("/x"));
        args.set("dynaFileCacheSize", Value::Int(0));
        args.set("dynafile.dangerousPermitPathEscape", Value::Bool(true));
    });
    let params: Vec<_> = bench.problems.iter().map(|problem| problem.param).collect();
    let permit = "dynafile.dangerousPermitPathEscape";
    assert_eq!(params, [Some("dynaFileCacheSize"), Some("file"), Some(permit)]);
}

#[test]
fn files_and_directories_get_their_modes() {
    let mut bench = bench(|args, dir| {
        args.set("file", text(dir.join("a/b/out")));
        args.set("fileCreateMode", Value::Int(0o600));
        args.set("dirCreateMode", Value::Int(0o710));
    });
    bench.write(&["x"]);
    assert_eq!(mode(&bench.path("a/b/out")), 0o600);
    assert_eq!((mode(&bench.path("a")), mode(&bench.path("a/b"))), (0o710, 0o710));
}

#[test]
fn module_arguments_are_defaults_of_objects() {
    // (nothing from the module, with arguments of its own) → (mode, group, text)
    for ((own_defaults, own), expected) in [
        ((false, false), (0o640, 7, "x")),
        ((false, true), (0o600, 8, "x\n")),
        ((true, false), (0o644, 0, "x\n")),
    ] {
        let built = build_as(own_defaults, |args, module, dir| {
            args.set("file", text(dir.join("out")));
            module.set("fileCreateMode", Value::Int(0o640));
            module.set("fileGroupNum", Value::Int(7));
            module.set("addLF", Value::Bool(false));
            if own {
                args.set("fileCreateMode", Value::Int(0o600));
                args.set("fileGroup", Value::Int(8));
                args.set("addLF", Value::Bool(true));
            }
        });
        let mut bench = built.map_err(|why| format!("{why:?}")).expect("an action");
        bench.write(&["x"]);
        let found = fs::metadata(bench.path("out")).expect("the file");
        // Only root may give a file to any group.
        let root = nix::unistd::geteuid().is_root();
        let group = if root { found.gid() } else { expected.1 };
        assert_eq!((mode(&bench.path("out")), group, bench.read("out").as_str()), expected);
    }
}

#[test]
fn a_file_whose_owner_cannot_be_set_is_written_all_the_same() {
    // As root every owner can be set; anybody else cannot give files away.
    let mut bench = fixed(|args| args.set("fileOwnerNum", Value::Int(12345)));
    bench.write(&["x"]);
    bench.write(&["y"]);
    assert_eq!(bench.read("out"), "x\ny\n");
    let root = nix::unistd::geteuid().is_root();
    let owner = fs::metadata(bench.path("out")).expect("the file").uid();
    assert_eq!(owner == 12345, root);
}

#[test]
fn hup_opens_a_new_file() {
    let mut bench = fixed(|_| ());
    bench.write(&["one"]);
    fs::rename(bench.path("out"), bench.path("old")).expect("renamed");
    bench.write(&["two"]);
    bench.output.hup();
    bench.write(&["three"]);
    assert_eq!((bench.read("old").as_str(), bench.read("out").as_str()), ("one\ntwo\n", "three\n"));
}

#[test]
fn a_missing_directory_suspends_and_names_path_error_and_user() {
    let mut bench = bench(|args, dir| {
        args.set("file", text(dir.join("sub/out")));
        args.set("createDirs", Value::Bool(false));
    });
    bench.push(&["a", "b"]);
    let failure = bench.commit().expect_err("no directory");
    assert_eq!((failure.effect, failure.code, bench.worker.pending()), (Effect::Suspend, 2040, 2));
    let uid = nix::unistd::geteuid();
    let path = bench.path("sub/out");
    let expected = format!(
        "file '{}': open error: No such file or directory (errno 2, uid {uid})",
        path.display()
    );
    assert_eq!(failure.text, expected);
    assert!(bench.worker.resume().is_err());
    fs::create_dir(bench.path("sub")).expect("made");
    bench.worker.resume().expect("there is a directory now");
    bench.commit().expect("written");
    assert_eq!(bench.read("sub/out"), "a\nb\n");
}

#[test]
fn what_cannot_be_written_stays_and_can_be_given_up() {
    let mut bench = bench(|args, _| args.set("file", text("/dev/full")));
    bench.push(&["a", "b"]);
    for _ in 0..2 {
        let failure = bench.commit().expect_err("the disk is full");
        let help = "write error - see https://www.rsyslog.com/solving-rsyslog-write-errors/ for help \
                    OS error: No space left on device (errno 28, uid ";
        assert!(failure.text.starts_with("file '/dev/full'["), "{failure}");
        assert!(failure.text.contains(help), "{failure}");
        assert_eq!(
            (failure.effect, failure.code, bench.worker.pending()),
            (Effect::Suspend, 2027, 2)
        );
    }
    let (why, lost) = (Failure::suspend(2007, "full"), &mut bench.lost);
    bench.worker.discard(&why, &mut |why, line| note(lost, why, line));
    let lines: Vec<_> = bench.lost.iter().map(|lost| lost.2.as_str()).collect();
    assert_eq!((lines, bench.worker.pending()), (vec!["a\n", "b\n"], 0));
}

/// What arrives of these lines at a socket that takes a part and then refuses, as a disk does that gets full.
fn through_a_socket(zip_level: i64, texts: &[String]) -> Vec<u8> {
    let (reader, writer) = UnixStream::pair().expect("sockets");
    reader.set_nonblocking(true).expect("set");
    writer.set_nonblocking(true).expect("set");
    let mut args = Args::defaults(&[params::MODULE.params]);
    args.set("zipLevel", Value::Int(zip_level));
    let module = Args::defaults(&[params::MODULE.module_params]);
    let given = build::Given { args: &args, module: &module, own_defaults: false };
    let stream =
        Stream::new(PathBuf::from("socket"), Arc::new(build::settings(&given, Default::default())));
    stream.adopt(fs::File::from(OwnedFd::from(writer)));
    let mut lines = Lines::default();
    for text in texts {
        lines.push(true, |out| out.extend_from_slice(text.as_bytes()));
    }
    let (mut got, mut cuts) = (Vec::new(), 0);
    let mut outcome = stream.write(&mut lines);
    while outcome.is_err() {
        cuts += 1;
        assert!(stream.held() + lines.len() > 0, "what is not written is counted");
        while let Ok(1..) = (&reader).take(50_000).read_to_end(&mut got) {}
        outcome = if lines.is_empty() { stream.resume() } else { stream.write(&mut lines) };
    }
    while let Ok(1..) = (&reader).take(50_000).read_to_end(&mut got) {}
    assert!(cuts > 1);
    assert_eq!(stream.held(), 0);
    got
}

#[test]
fn a_line_cut_in_two_is_completed_and_never_doubled() {
    let texts = vec!["0123456789".repeat(30_000); 5];
    let wanted: String = texts.iter().map(|text| format!("{text}\n")).collect();
    assert!(through_a_socket(0, &texts) == wanted.into_bytes());
}

#[test]
fn compressed_lines_cut_in_two_are_completed_and_never_doubled() {
    // Numbers without an order do not get small.
    let numbers = |line: u32| {
        let words =
            (0..40_000).map(|n: u32| (n + line).wrapping_mul(2_654_435_761).rotate_left(n % 32));
        words.map(|word| format!("{word:08x}")).collect()
    };
    let texts: Vec<String> = (0..5).map(|line| numbers(line * 40_000)).collect();
    let wanted: String = texts.iter().map(|text| format!("{text}\n")).collect();
    assert!(unzipped(&through_a_socket(1, &texts)) == wanted);
}

fn unzipped(file: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    text
}

#[test]
fn a_compressed_file_is_rotated_by_its_own_size() {
    let mut bench = bench(|args, dir| {
        let command = script(dir, r#"cat "$1" >>"$1.all"; rm "$1""#);
        args.set("file", text(dir.join("out")));
        args.set("zipLevel", Value::Int(6));
        args.set("rotation.sizeLimit", Value::Size(200));
        args.set("rotation.sizeLimitCommand", Value::Str(command));
        args.set("rotation.sizeLimitCommandPassFileName", Value::Bool(true));
    });
    let read = |bench: &Bench, name| unzipped(&fs::read(bench.path(name)).unwrap_or_default());
    let long = "x".repeat(1000);
    bench.write(&[&long, &long]);
    assert_eq!(
        bench.read("out.all"),
        "entity not found",
        "2,002 bytes of text are fewer in the file"
    );
    for line in ["one", "two", "three", "four", "five", "six", "seven", "eight"] {
        bench.write(&[line]);
    }
    let (all, rest) = (read(&bench, "out.all"), read(&bench, "out"));
    assert!(!all.is_empty() && !rest.is_empty());
    let words = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";
    assert_eq!(all + &rest, format!("{long}\n{long}\n{words}"));
}

#[test]
fn symbolic_links_are_refused_where_configured() {
    let make = |follow: bool| {
        let bench = fixed(|args| args.set("followSymlinks", Value::Bool(follow)));
        fs::write(bench.path("target"), "").expect("written");
        symlink(bench.path("target"), bench.path("out")).expect("linked");
        bench
    };
    let mut bench = make(true);
    bench.write(&["x"]);
    assert_eq!(bench.read("target"), "x\n");
    let mut bench = make(false);
    bench.push(&["x"]);
    assert!(bench.commit().expect_err("a link").text.contains("(errno 40, uid "));
    assert_eq!(bench.read("target"), "");
}

#[test]
fn gathered_lines_are_written_when_the_buffer_is_full_and_at_the_end() {
    let mut bench = fixed(|args| {
        args.set("flushOnTXEnd", Value::Bool(false));
        args.set("ioBufferSize", Value::Size(8));
    });
    bench.write(&["one"]);
    assert_eq!(bench.read("out"), "");
    bench.write(&["two"]);
    assert_eq!(bench.read("out"), "one\ntwo\n", "eight bytes fill the buffer");
    bench.write(&["3"]);
    assert_eq!(bench.read("out"), "one\ntwo\n");
    bench.output.close();
    assert_eq!(bench.read("out"), "one\ntwo\n3\n");
}

#[test]
fn lines_gathered_before_hup_go_to_the_old_file() {
    let mut bench = fixed(|args| args.set("flushOnTXEnd", Value::Bool(false)));
    bench.write(&["one"]);
    fs::rename(bench.path("out"), bench.path("old")).expect("renamed");
    bench.output.hup();
    bench.write(&["two"]);
    bench.output.close();
    assert_eq!((bench.read("old").as_str(), bench.read("out").as_str()), ("one\n", "two\n"));
}

#[test]
fn asynchronous_writing_flushes_after_its_interval() {
    let mut bench = fixed(|args| {
        args.set("flushOnTXEnd", Value::Bool(false));
        args.set("asyncWriting", Value::Bool(true));
        args.set("flushInterval", Value::Int(5));
    });
    bench.output.tick(100);
    bench.write(&["one"]);
    bench.output.tick(104);
    assert_eq!(bench.read("out"), "");
    bench.output.tick(105);
    while bench.read("out").is_empty() {
        thread::yield_now();
    }
    assert_eq!(bench.read("out"), "one\n");
}

#[test]
fn synchronised_files_are_written_as_others() {
    let mut bench = fixed(|args| args.set("sync", Value::Bool(true)));
    bench.write(&["one", "two"]);
    assert_eq!(bench.read("out"), "one\ntwo\n");
    let mut null = self::bench(|args, _| {
        args.set("file", text("/dev/null"));
        args.set("sync", Value::Bool(true));
    });
    null.write(&["nothing"]);
}

/// A program that does this shell text, with the file's name as `$1` or `$2`.
fn script(dir: &Path, body: &str) -> Vec<u8> {
    let path = dir.join("rotate.sh");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("set");
    path.into_os_string().into_encoded_bytes()
}

fn rotating(body: &str, argument: &str, pass_name: bool) -> Bench {
    bench(|args, dir| {
        let mut command = script(dir, body);
        command.extend_from_slice(argument.as_bytes());
        args.set("file", text(dir.join("out")));
        args.set("rotation.sizeLimit", Value::Size(8));
        args.set("rotation.sizeLimitCommand", Value::Str(command));
        args.set("rotation.sizeLimitCommandPassFileName", Value::Bool(pass_name));
    })
}

#[test]
fn a_full_file_is_moved_away_by_the_command() {
    let mut bench = rotating(r#"cat "$1" >>"$1.all"; echo -- >>"$1.all"; rm "$1""#, "", true);
    for line in ["one", "two", "three", "4", "5", "sixsix", "7", "8"] {
        bench.write(&[line]);
    }
    assert_eq!(bench.read("out.all"), "one\ntwo\nthree\n--\n4\n5\nsixsix\n7\n--\n");
    assert_eq!(bench.read("out"), "8\n");
    assert_eq!(bench.lost, []);
}

#[test]
fn the_command_has_one_argument_after_the_first_blank() {
    let mut bench = rotating(r#"echo "$#:$1" >"$0.seen"; : >"${0%/*}/out""#, " a b  c", false);
    bench.write(&["12345678"]);
    bench.write(&["9"]);
    assert_eq!(bench.read("rotate.sh.seen"), "1:a b  c\n");
}

#[test]
fn a_file_that_stays_too_large_takes_nothing_until_hup() {
    let mut bench = rotating("exit 0", "", true);
    bench.write(&["one", "two"]);
    bench.write(&["three", "four"]);
    bench.write(&["five"]);
    assert_eq!(bench.read("out"), "one\ntwo\nthree\n");
    let lines: Vec<_> =
        bench.lost.iter().map(|(effect, _, line)| (*effect, line.as_str())).collect();
    assert_eq!(lines, [(Effect::Data, "four\n"), (Effect::Data, "five\n")]);
    fs::remove_file(bench.path("out")).expect("removed");
    bench.output.hup();
    bench.write(&["six"]);
    assert_eq!((bench.read("out").as_str(), bench.lost.len()), ("six\n", 2));
}

#[test]
fn dynamic_names_make_files_and_count() {
    let mut bench = dynamic(|args| args.set("dynaFileCacheSize", Value::Int(2)));
    bench.write(&["a", "a", "b", "x/c", "a"]);
    bench.write(&["a"]);
    for (name, expected) in [("a.log", "a\na\na\na\n"), ("b.log", "b\n"), ("x/c.log", "x/c\n")] {
        assert_eq!(bench.read(name), expected);
    }
    let names = ["requests", "level0", "missed", "evicted", "maxused", "closetimeouts"];
    let counters = names.map(|name| bench.counter(name));
    // Each file is opened once per batch: a, b, x/c (for a), then a again (for b).
    assert_eq!(counters, [6, 2, 4, 2, 2, 0]);
    let objects = bench.set.read(stats::Purpose::Look);
    assert_eq!(objects[0].name, b"dynafile cache name");
}

#[test]
fn dynamic_names_stay_in_their_directory() {
    let mut bench = dynamic(|_| ());
    bench.write(&["a", "../x", "/etc/../../../x", "b/../c"]);
    assert_eq!((bench.read("a.log").as_str(), bench.read("c.log").as_str()), ("a\n", "b/../c\n"));
    let lost: Vec<_> = bench.lost.iter().map(|lost| (lost.0, lost.2.as_str())).collect();
    assert_eq!(lost, [(Effect::Data, "../x"), (Effect::Data, "/etc/../../../x")]);
    let base = bench.dir.path().display();
    let expected = format!(
        "omfile: dynafile path traversal blocked: '{base}/../x.log' resolves outside base '{base}'"
    );
    assert_eq!(bench.lost[0].1, expected);
    let mut free = self::bench(|args, _| args.set("dynaFile", text("free")));
    free.write(&["/tmp/sluice-never"]);
    assert_eq!(free.lost.len(), 1);
}

#[test]
fn templates_that_hide_their_prefix_are_refused_where_configured() {
    for (name, restrict, refused) in
        [("tree", true, true), ("tree", false, false), ("name", true, false), ("free", true, false)]
    {
        let built = try_build(|args, module, _| {
            args.set("dynaFile", text(name));
            module.set("dynafile.restrictTemplateType", Value::Bool(restrict));
        });
        assert_eq!(built.is_err(), refused, "{name}");
    }
}

#[test]
fn a_dynamic_file_that_cannot_be_opened_costs_its_messages_only() {
    let setup = |module_off: bool| {
        let bench = try_build(|args, module, dir| {
            args.set("dynaFile", text("name"));
            if module_off {
                module.set("dynafile.doNotSuspend", Value::Bool(false));
            }
            fs::create_dir(dir.join("dir.log")).expect("made");
        });
        bench.map_err(|why| format!("{why:?}")).expect("an action")
    };
    let mut bench = setup(false);
    bench.write(&["a", "dir", "b", "dir"]);
    assert_eq!((bench.read("a.log").as_str(), bench.read("b.log").as_str()), ("a\n", "b\n"));
    assert_eq!(bench.lost.len(), 2);
    let text = &bench.lost[0].1;
    assert!(text.contains("Is a directory") && text.ends_with("- discarding message"), "{text}");

    let mut bench = setup(true);
    bench.push(&["a", "dir", "b"]);
    let failure = bench.commit().expect_err("a directory");
    assert_eq!((failure.effect, bench.worker.pending()), (Effect::Suspend, 2));
    fs::remove_dir(bench.path("dir.log")).expect("removed");
    bench.commit().expect("written");
    assert_eq!((bench.read("dir.log").as_str(), bench.read("a.log").as_str()), ("dir\n", "a\n"));
}

#[test]
fn unused_files_are_closed() {
    let mut bench = dynamic(|args| args.set("closeTimeout", Value::Int(1)));
    bench.write(&["a", "b"]);
    bench.output.tick(1000);
    bench.write(&["a"]);
    bench.output.tick(1040);
    assert_eq!(bench.counter("closetimeouts"), 0);
    bench.output.tick(1060);
    assert_eq!(bench.counter("closetimeouts"), 1, "b");
    bench.output.tick(1100);
    assert_eq!(bench.counter("closetimeouts"), 2, "a");
    bench.write(&["a"]);
    assert_eq!(bench.read("a.log"), "a\na\na\n");
}

#[test]
fn an_unused_file_is_closed_once_its_gathered_lines_are_written() {
    let mut bench = dynamic(|args| {
        args.set("closeTimeout", Value::Int(1));
        args.set("flushOnTXEnd", Value::Bool(false));
    });
    bench.write(&["a"]);
    bench.output.tick(1000);
    bench.output.tick(1060);
    while bench.read("a.log").is_empty() {
        thread::yield_now();
    }
    let mut now = 1060;
    while bench.counter("closetimeouts") == 0 {
        now += CLOSE_CHECK_SECONDS;
        bench.output.tick(now);
    }
    assert_eq!(bench.read("a.log"), "a\n");
}

#[test]
fn hup_does_not_wait_for_a_file_that_is_stuck() {
    let mut bench = dynamic(|_| ());
    let pipe = bench.path(&format!("{}.log", "s".repeat(200)));
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    bench.write(&["free"]);
    let mut stuck = Arc::clone(&bench.output).worker();
    let writer = process::spawn("test", move || {
        // More than a pipe holds: the write ends only when the reader has read.
        let text = "s".repeat(200);
        let (batch, env) = (messages(&vec![text.as_str(); 4000]), environment());
        let mut sink = |_: &Failure, _: &[u8]| panic!("nothing is lost");
        for index in 0..batch.len() {
            let msg = Msg::at(&batch, index, &env).expect("a message");
            stuck.push(&msg, &mut sink).expect("pushed");
        }
        stuck.commit(&mut sink).expect("written");
    })
    .expect("a thread");
    let mut reader = fs::File::open(&pipe).expect("opened");
    let mut got = vec![0];
    reader.read_exact(&mut got).expect("the write is under way");
    fs::rename(bench.path("free.log"), bench.path("old")).expect("renamed");
    bench.output.hup();
    bench.write(&["free"]);
    assert_eq!((bench.read("old").as_str(), bench.read("free.log").as_str()), ("free\n", "free\n"));
    // The end of the file says that the writer has closed it, as HUP told him.
    reader.read_to_end(&mut got).expect("read");
    writer.join().expect("the writer");
    assert_eq!(got.len(), 4000 * 201);
}

#[test]
fn threads_share_a_file_and_keep_lines_whole() {
    let bench = fixed(|_| ());
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let mut worker = Arc::clone(&bench.output).worker();
            process::spawn("test", move || {
                let mut sink = |_: &Failure, _: &[u8]| panic!("nothing is lost");
                for round in 0..50 {
                    let texts = [format!("{thread} {round} a"), format!("{thread} {round} b")];
                    let (batch, env) = (messages(&[&texts[0], &texts[1]]), environment());
                    for index in 0..2 {
                        let msg = Msg::at(&batch, index, &env).expect("a message");
                        worker.push(&msg, &mut sink).expect("pushed");
                    }
                    worker.commit(&mut sink).expect("written");
                }
            })
            .expect("a thread")
        })
        .collect();
    for round in 0..20 {
        let _ = fs::rename(bench.path("out"), bench.path(&format!("out.{round}")));
        bench.output.hup();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("a thread"));
    let mut lines = Vec::new();
    for entry in fs::read_dir(bench.dir.path()).expect("the directory") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a file");
        assert!(text.is_empty() || text.ends_with('\n'));
        lines.extend(text.lines().map(str::to_owned));
    }
    lines.sort();
    let unique = lines.len();
    lines.dedup();
    assert_eq!((unique, lines.len()), (400, 400));
}

/// The whole action around an output: state machine and counters.
fn action(bench: &Bench, change: impl FnOnce(&mut Settings)) -> Runner {
    let mut settings = crate::actions::testing::settings();
    change(&mut settings);
    let action = Action::new(settings, Arc::clone(&bench.output), &bench.set);
    Runner::new(Arc::new(action), Arc::default())
}

/// Counters of the action: processed, written, failed, suspended.
fn ledger(bench: &Bench) -> [u64; 4] {
    let ledger = ["processed", "written", "failed", "suspended"].map(|name| bench.counter(name));
    assert_eq!(ledger[0], ledger[1] + ledger[2], "processed = written + failed");
    ledger
}

fn run(runner: &mut Runner, texts: &[&str]) {
    let (batch, env) = (messages(texts), environment());
    for index in 0..batch.len() {
        runner.push(&Msg::at(&batch, index, &env).expect("a message"));
    }
    runner.commit(false);
}

#[test]
fn a_full_disk_suspends_counts_and_keeps_the_messages_in_the_error_file() {
    let bench = bench(|args, _| args.set("file", text("/dev/full")));
    let errors = bench.path("errors");
    let mut runner = action(&bench, |settings| settings.error_file = Some((errors.clone(), 0)));
    run(&mut runner, &["a", "b"]);
    run(&mut runner, &["c"]);
    assert_eq!(ledger(&bench), [3, 0, 3, 1]);
    let lines = bench.read("errors");
    let texts: Vec<_> =
        lines.lines().map(|line| line.rsplit('"').nth(1).expect("a text")).collect();
    assert_eq!(texts, ["a\\n", "b\\n", "c\\n"]);
}

#[test]
fn messages_wait_for_their_directory_if_retries_are_endless() {
    let bench = bench(|args, dir| {
        args.set("file", text(dir.join("sub/out")));
        args.set("createDirs", Value::Bool(false));
    });
    let mut runner = action(&bench, |settings| {
        settings.resume_retry_count = None;
        settings.resume_interval = 0;
    });
    let writer = process::spawn("test", move || run(&mut runner, &["a", "b"])).expect("a thread");
    while bench.counter("suspended") == 0 {
        thread::yield_now();
    }
    fs::create_dir(bench.path("sub")).expect("made");
    writer.join().expect("the writer");
    assert_eq!((ledger(&bench), bench.read("sub/out").as_str()), ([2, 2, 0, 1], "a\nb\n"));
}

#[test]
fn gathered_lines_that_cannot_be_written_at_the_end_are_lost_for_the_ledger() {
    let bench = bench(|args, dir| {
        args.set("file", text(dir.join("out")));
        args.set("flushOnTXEnd", Value::Bool(false));
        symlink("/dev/full", dir.join("out")).expect("linked");
    });
    let mut runner = action(&bench, |_| ());
    run(&mut runner, &["a", "b"]);
    assert_eq!(ledger(&bench), [2, 2, 0, 0]);
    runner.action().close();
    assert_eq!(ledger(&bench), [2, 0, 2, 0]);
}

#[test]
fn lines_for_a_pipe_that_nobody_reads_are_counted_at_the_end_and_cost_no_other_file() {
    let bench = bench(|args, _| {
        args.set("dynaFile", text("name"));
        args.set("flushOnTXEnd", Value::Bool(false));
        args.set("ioBufferSize", Value::Size(1 << 30));
    });
    let pipe = bench.path("b.log");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let reader = process::spawn("test", move || fs::File::open(&pipe).expect("opened"));
    let mut runner = action(&bench, |_| ());
    // More than a pipe holds.
    let lines = 100_000;
    run(&mut runner, &vec!["b"; lines]);
    run(&mut runner, &["a", "c"]);
    let reader = reader.expect("a thread").join().expect("opened");
    runner.action().close();
    let lost = lines as u64;
    assert_eq!(ledger(&bench), [lost + 2, 2, lost, 0]);
    assert_eq!((bench.read("a.log").as_str(), bench.read("c.log").as_str()), ("a\n", "c\n"));
    drop(reader);
}

#[test]
fn a_blocked_name_costs_its_message_and_the_ledger_shows_it() {
    let bench = dynamic(|_| ());
    let mut runner = action(&bench, |_| ());
    run(&mut runner, &["a", "../b", "c"]);
    assert_eq!(ledger(&bench), [3, 2, 1, 0]);
}

//! The action against real files: edge cases of `spec/omsendertrack.md` section 9 that need no daemon.

use std::cell::RefCell;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::commands::{Done, execute};
use super::keeper::{Keeper, Settings, load};
use super::state::Format;
use super::table::Stat;
use super::*;
use crate::actions::OutputEnv;
use crate::actions::testing::{environment, messages};
use crate::param::{Args, Problem, Value};
use crate::stats;
use crate::task::{Task, Tasks};
use crate::template::{Content, Options};

/// An action, its tasks, its directory.
struct Bench {
    dir: tempfile::TempDir,
    keeper: Keeper,
}

const STATE: &str = "[\n{\"sender\":\"h2\",\"messages\":5,\"firstseen\":1,\"lastseen\":2}\n]\n";

impl Bench {
    /// A keeper in a directory where `prepare` has put things, which has started.
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let mut bench = Self::unstarted(prepare);
        bench.keeper.start();
        bench
    }

    fn unstarted(prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        prepare(dir.path());
        let settings = Settings {
            commands: Some(dir.path().join("commands")),
            interval: Duration::from_secs(1),
            format: Format::Plain,
            expire: None,
        };
        let table = Arc::new(Table::new(1000));
        let (file, _) = load(dir.path().join("state"), &table);
        let counters = Arc::new(Counters::new("test", &stats::Set::default()));
        let keeper = Keeper { table, counters, settings, file, unsaved: true, others: 0 };
        Self { dir, keeper }
    }

    fn count(&self, id: &str, now: i64) {
        let mut tally = Tally::default();
        tally.add(&self.keeper.table, |out| out.extend_from_slice(id.as_bytes()));
        self.keeper.table.count(&mut tally, now);
    }

    fn state(&self) -> String {
        fs::read_to_string(self.dir.path().join("state")).expect("a state file")
    }

    /// All names in the directory, in order, digits as `#`.
    fn files(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            name.replace(|c: char| c.is_ascii_digit(), "#")
        };
        let mut names: Vec<_> =
            fs::read_dir(self.dir.path()).expect("readable").map(name).collect();
        names.sort();
        names
    }

    /// Leaves commands and executes them.
    fn command(&self, text: &str) -> Done {
        let path = self.dir.path().join("commands");
        fs::write(&path, text).expect("written");
        let done = execute(&path, &self.keeper.table, self.keeper.file.path());
        assert!(!path.exists());
        done
    }

    fn get(&self, id: &str) -> Option<u64> {
        self.keeper.table.get(id.as_bytes()).map(|stat| stat.messages)
    }
}

const ASIDE: &str = "state.corrupt-########T######";

#[test]
fn the_first_run_writes_and_an_empty_one_too() {
    let mut bench = Bench::new(|_| {});
    bench.keeper.run();
    assert_eq!(bench.state(), "[\n]\n");
    bench.count("h2", 7);
    bench.keeper.run();
    assert_eq!(
        bench.state(),
        "[\n{\"sender\":\"h2\",\"messages\":1,\"firstseen\":7,\"lastseen\":7}\n]\n"
    );
    assert_eq!(bench.files(), ["state"]);
}

#[test]
fn nothing_new_is_not_written_but_at_the_end() {
    let mut bench = Bench::new(|_| {});
    bench.keeper.run();
    fs::remove_file(bench.dir.path().join("state")).expect("there");
    bench.keeper.run();
    assert_eq!(bench.files(), [""; 0]);
    bench.keeper.stop();
    assert_eq!((bench.files(), bench.keeper.counters.writes.get()), (vec!["state".to_owned()], 2));
}

#[test]
fn counts_go_on_from_the_file() {
    for tail in ["", "\n", " \n\t\n"] {
        let mut bench =
            Bench::new(|dir| fs::write(dir.join("state"), STATE.to_owned() + tail).unwrap());
        bench.count("h2", 9);
        bench.keeper.stop();
        assert_eq!(bench.state(), STATE.replace("5,", "6,").replace("seen\":2", "seen\":9"));
    }
}

#[test]
fn what_is_no_state_file_is_set_aside() {
    for text in ["{}", "[", "[] x", "\0", "[{\"sender\":\"a\",\"messages\":1,\"lastseen\":1},"] {
        let mut bench = Bench::unstarted(|dir| fs::write(dir.join("state"), text).unwrap());
        assert_eq!(bench.files(), ["state"], "building touches nothing");
        assert_eq!(bench.keeper.table.len(), 0);
        bench.keeper.start();
        bench.keeper.run();
        assert_eq!(bench.files(), ["state", ASIDE], "{text}");
        assert_eq!(bench.state(), "[\n]\n");
    }
    for text in ["", "\n"] {
        let mut bench = Bench::new(|dir| fs::write(dir.join("state"), text).unwrap());
        bench.keeper.run();
        assert_eq!(bench.files(), ["state"]);
    }
}

#[test]
fn what_is_no_file_at_all_is_left_alone() {
    let pipe = |dir: &Path| {
        nix::unistd::mkfifo(&dir.join("state"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    };
    let prepare: [&dyn Fn(&Path); 4] = [
        &|dir| fs::create_dir(dir.join("state")).unwrap(),
        &|dir| symlink("/dev/null", dir.join("state")).unwrap(),
        &|dir| symlink("state", dir.join("state")).unwrap(),
        &pipe,
    ];
    for (case, prepare) in prepare.iter().enumerate() {
        let mut bench = Bench::new(prepare);
        bench.count("h", 1);
        bench.keeper.run();
        bench.keeper.stop();
        // A link to itself cannot be read; it is set aside like any other file that cannot.
        let wanted: &[&str] = if case == 2 { &["state", ASIDE] } else { &["state"] };
        assert_eq!((bench.files(), case), (wanted.iter().map(|&name| name.into()).collect(), case));
        assert_eq!(bench.get("h"), Some(1));
    }
    assert!(!fs::metadata("/dev/null").expect("there").is_file());
}

#[test]
fn what_is_no_sender_is_skipped_with_one_warning() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("state");
    fs::write(&path, r#"[1,null,{"sender":"a"}]"#).expect("written");
    let (file, problem) = load(path.clone(), &Table::new(10));
    assert!(file.is_replaceable());
    assert!(problem.expect("a warning").contains("has 3 elements that are no senders"));
    fs::write(&path, STATE.replace("h2", "a") + "").expect("written");
    let (_, problem) = load(path, &Table::new(0));
    assert!(problem.expect("a warning").contains("and 1 senders beyond 'maxSenders'"));
}

#[test]
fn a_directory_that_is_not_there_is_one_error_until_it_is() {
    let mut bench = Bench::new(|_| {});
    let path = bench.dir.path().join("sub/state");
    bench.keeper.file = load(path.clone(), &bench.keeper.table).0;
    for _ in 0..3 {
        bench.keeper.run();
    }
    assert_eq!(bench.keeper.counters.write_errors.get(), 3);
    assert!(bench.keeper.unsaved);
    fs::create_dir(bench.dir.path().join("sub")).expect("created");
    bench.keeper.run();
    assert!(!bench.keeper.unsaved);
    assert_eq!(fs::read_to_string(path).expect("written"), "[\n]\n");
}

#[test]
fn senders_expire_when_the_file_is_written() {
    let mut bench = Bench::new(|dir| fs::write(dir.join("state"), STATE).unwrap());
    bench.count("new", clock::now_secs());
    bench.keeper.settings.expire = Some(3600);
    bench.keeper.run();
    assert_eq!((bench.get("h2"), bench.get("new")), (None, Some(1)));
    assert_eq!(bench.keeper.counters.evicted.get(), 1);
    assert!(!bench.state().contains("h2"));
}

/// Edge case 19.
#[test]
fn commands_are_executed_in_order() {
    let bench = Bench::new(|_| {});
    for id in ["h1", "h2", "h2", "a b", "*", "ä\"\n"] {
        bench.count(id, 5);
    }
    let done = bench.command("# c\ndelete h1\nGET *\nRESET \"h2\"\nbogus\n");
    assert_eq!(done, Done { commands: 3, errors: 1, flush: false });
    assert_eq!((bench.get("h1"), bench.get("h2")), (None, Some(0)));
    let stat = bench.keeper.table.get(b"h2").expect("there");
    assert!(stat.first > 5 && stat.last == 5);
    let done =
        bench.command("DELETE \"a b\"\r\n  ; x\n\nDelete \"*\"\n\tDELETE \"\\u00e4\\\"\\n\"  ");
    assert_eq!((done.commands, done.errors), (3, 0));
    assert_eq!(bench.keeper.table.len(), 1);
    assert_eq!(bench.command("DELETE *\r\n").commands, 1);
    assert_eq!((bench.keeper.table.len(), bench.command("FLUSH").flush), (0, true));
}

#[test]
fn commands_that_are_none_are_errors_and_do_nothing() {
    let bench = Bench::new(|_| {});
    bench.count("h", 5);
    let long = format!("DELETE {}", "x".repeat(4096));
    for line in [
        "DELETE",
        "RESET",
        "GET",
        "DELETE nobody",
        "RESET nobody",
        "GET nobody",
        "DELETE h h",
        "FLUSH h",
        "DELETE \"h",
        "DELETE \"\\x\"",
        "DEL h",
        "*",
        "DELETE h*",
        "GET h relative",
        "GET h /nowhere/x",
        "GET h /tmp/x x",
        "\"DELETE\"x",
        "\0",
        "\u{fffd}",
        long.as_str(),
    ] {
        let done = bench.command(line);
        assert_eq!(done, Done { commands: 0, errors: 1, flush: false }, "{line}");
    }
    assert_eq!(bench.get("h"), Some(1));
    assert_eq!(bench.command(""), Done::default());
}

#[test]
fn senders_are_written_to_a_file_beside_the_state_file_only() {
    let bench = Bench::new(|_| {});
    bench.count("h1", 5);
    bench.count("h2", 6);
    let dir = bench.dir.path().display().to_string();
    assert_eq!(
        bench
            .command(&format!(
                "GET * {dir}/all\nGET h2 \"{dir}/../{}/one\"",
                dir.rsplit('/').next().unwrap()
            ))
            .errors,
        0
    );
    let line = |id: &str, at: i64| {
        format!("{{\"sender\":\"{id}\",\"messages\":1,\"firstseen\":{at},\"lastseen\":{at}}}")
    };
    let read = |name: &str| fs::read_to_string(bench.dir.path().join(name)).expect("written");
    assert_eq!(read("all"), format!("[\n{},\n{}\n]\n", line("h1", 5), line("h2", 6)));
    assert_eq!(read("one"), format!("[\n{}\n]\n", line("h2", 6)));
    let mode = fs::metadata(bench.dir.path().join("one")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::create_dir(bench.dir.path().join("sub")).expect("created");
    for name in ["state", "state.tmp", "commands", "sub/x", "../x", "", ".", "sub/../state"] {
        assert_eq!(bench.command(&format!("GET * {dir}/{name}")).errors, 1, "{name}");
    }
    assert_eq!(bench.files(), ["all", "one", "sub"]);
    assert!(bench.keeper.table.is_changed(), "a look changes nothing");
}

/// Edge case 21 and its like.
#[test]
fn command_files_of_others_are_refused_and_left() {
    let bench = Bench::new(|_| {});
    bench.count("h", 5);
    let path = bench.dir.path().join("commands");
    let run = || execute(&path, &bench.keeper.table, bench.keeper.file.path());
    assert_eq!(run(), Done::default(), "no file");
    let target = bench.dir.path().join("target");
    fs::write(&target, "DELETE *\n").expect("written");
    let replace_by = |make: &dyn Fn()| {
        make();
        assert_eq!((run(), bench.get("h")), (Done::default(), Some(1)));
        assert!(path.symlink_metadata().is_ok(), "it is left");
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).expect("removed");
    };
    replace_by(&|| symlink(&target, &path).unwrap());
    replace_by(&|| fs::create_dir(&path).unwrap());
    replace_by(&|| nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap());
    replace_by(&|| fs::write(&path, vec![b'\n'; 1024 * 1024 + 1]).unwrap());
    replace_by(&|| {
        fs::write(&path, "DELETE *\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    });
    if nix::unistd::geteuid().is_root() {
        replace_by(&|| {
            fs::write(&path, "DELETE *\n").unwrap();
            std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        });
    }
    // What a crash has left behind is deleted, not executed; what came since is.
    fs::write(bench.dir.path().join("commands.processing"), "DELETE *\n").expect("written");
    assert_eq!((run(), bench.get("h")), (Done::default(), Some(1)));
    assert_eq!(bench.command("RESET h\n").commands, 1);
    assert_eq!(bench.files(), ["target"]);
}

/// What `build` makes of these arguments, in an environment with one template.
fn build(
    set: &[(&str, Value)],
    files: &RefCell<Vec<PathBuf>>,
) -> Result<Vec<Problem>, Vec<Problem>> {
    let mut args = Args::defaults(&[params::MODULE.params]);
    for (name, value) in set {
        args.set(name, value.clone());
    }
    let content = Content::String { text: b"%hostname%", legacy: false };
    let host = Template::compile("h", &content, Options::default(), &mut |_, _| {}).map(Arc::new);
    let problems = RefCell::new(Vec::new());
    let env = OutputEnv {
        name: "test",
        files,
        template: &|name| host.clone().filter(|_| name == b"h"),
        report: &|problem| problems.borrow_mut().push(problem),
        stats: Arc::default(),
        tasks: &Tasks::default(),
        reentries: &Default::default(),
        message_bytes: 8096,
        ip_protocol: crate::sys::socket::IpProtocol::Unspecified,
        own_defaults: false,
        child_exits: Default::default(),
        secure: crate::param::SecureDefaults::Compatible,
        tls: &Default::default(),
        send_to_all: false,
    };
    let mut worker = (KIND.build)(&args, &Args::default(), &env)?.worker();
    let (batch, surroundings) = (messages(&["m"]), environment());
    let msg = Msg::at(&batch, 0, &surroundings).expect("a message");
    worker.push(&msg, &mut |_, _| panic!("nothing is lost")).expect("taken");
    assert_eq!(worker.pending(), 1);
    let mut lost = Vec::new();
    worker.discard(&Failure::suspend(1, ""), &mut |_, name| lost.push(name.to_vec()));
    assert_eq!((lost.len(), worker.pending()), (1, 0));
    Ok(problems.into_inner())
}

fn text(path: impl AsRef<Path>) -> Value {
    Value::Str(path.as_ref().as_os_str().as_bytes().to_vec())
}

/// Edge cases 10, 11, 12, 16.
#[test]
fn actions_are_made_from_templates_texts_and_files_of_their_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| ("stateFile", text(dir.path().join(name)));
    let id = |text: &str| ("senderId", Value::Str(text.into()));
    let files = RefCell::default();
    let problem = |result: Result<Vec<Problem>, Vec<Problem>>| result.unwrap_err()[0].text.clone();
    assert_eq!(build(&[path("a")], &files), Ok(vec![]));
    assert_eq!(build(&[path("b"), id("h")], &files), Ok(vec![]));
    assert_eq!(build(&[path("c"), id("%hostname%/%app-name%")], &files), Ok(vec![]));
    assert_eq!(
        problem(build(&[path("d"), id("no")], &files)),
        " Could not find template 0 'no' - action disabled"
    );
    assert!(build(&[path("d"), id("%nonsense%")], &files).is_err());
    let empty = ("stateFile", Value::Str(Vec::new()));
    assert_eq!(
        problem(build(&[empty], &files)),
        "omsendertrack: 'statefile' parameter is required"
    );
    let again = problem(build(&[path("./a")], &files));
    assert!(again.ends_with("/./a' already used by another action"), "{again}");
    fs::write(dir.path().join("e"), "{}").expect("written");
    let warnings = build(&[path("e")], &files).expect("an action");
    assert!(
        warnings[0].warning && warnings[0].text.contains("is corrupt: it does not begin with '['")
    );
    assert_eq!(
        fs::read_dir(dir.path()).expect("readable").count(),
        1,
        "nothing is written or renamed"
    );
}

/// Environment variable with the path that [`writes_for_ever_if_told_to`] writes.
const WRITE_TO: &str = "SLUICE_TEST_WRITE_TO";

#[test]
fn writes_for_ever_if_told_to() {
    let Some(path) = std::env::var_os(WRITE_TO) else { return };
    let table = Table::new(10_000);
    for n in 0_u64.. {
        for id in 0..500 {
            let name = format!("sender-{}", (n * 7 + id) % 1000);
            table.load(name.as_bytes(), Stat { messages: n, first: 1, last: 2 });
        }
        let copy = table.copy_to_save();
        let write = |out: &mut std::io::BufWriter<fs::File>| {
            super::state::write(copy, Format::Extended, 0, out)
        };
        crate::sys::replace::replace(Path::new(&path), 0o644, write).expect("written");
    }
}

/// Edge case 14: whenever the writer is killed, the file is whole.
#[test]
fn the_file_is_whole_at_any_moment() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("state");
    for round in 0..50_u32 {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "actions::sendertrack::tests::writes_for_ever_if_told_to"])
            .env(WRITE_TO, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("started");
        // It has written this often, or more, and is somewhere in its next write when it is killed.
        let mut seen = fs::read(&path).ok();
        for _ in 0..1 + round % 5 {
            while fs::read(&path).ok().is_none_or(|now| seen.as_ref() == Some(&now)) {
                assert_eq!(child.try_wait().expect("a child"), None, "it writes");
                std::thread::yield_now();
            }
            seen = fs::read(&path).ok();
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        let (file, problem) = load(path.clone(), &Table::new(10_000));
        assert_eq!((problem, file.is_replaceable()), (None, true));
    }
}

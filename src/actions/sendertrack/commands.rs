//! The command file: lines that an administrator leaves to be executed on HUP.
//!
//! ```text
//! DELETE <id> | *           forget a sender, or all
//! RESET  <id> | *           zero messages, seen first now
//! GET    <id> | * [<path>]  log what is known, or write it to a file beside the state file
//! FLUSH                     write the state file now
//! ```
//! An id is a word or a JSON string; `"*"` is the sender of that name. Lines that begin with `#` or `;` are comments.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::state::{self, Format};
use super::table::{Stat, Table};
use crate::limits;
use crate::message::json::{self, Json, value::Case};
use crate::sys::{clock, process, replace};

/// What executing a file came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Commands executed.
    pub(super) commands: u64,
    /// Lines that were none, or could not be.
    pub(super) errors: u64,
    /// The state file is to be written in any case.
    pub(super) flush: bool,
}

/// Executes the commands in the file and removes it; `state` is the state file. No file, no commands.
pub(super) fn execute(path: &Path, table: &Table, state: &Path) -> Done {
    let files = Files { commands: path, state };
    let file = path.display();
    let content = match take(path) {
        Ok(Some(content)) => content,
        Ok(None) => return Done::default(),
        Err(why) => {
            log::warn!("omsendertrack: cmdfile '{file}' is not executed: {why}");
            return Done::default();
        }
    };
    let mut done = Done::default();
    for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
        let result = Command::parse(line).and_then(|command| match command {
            Some(command) => command.run(table, &files, &mut done).map(|()| 1),
            None => Ok(0),
        });
        match result {
            Ok(commands) => done.commands += commands,
            Err(why) => {
                done.errors += 1;
                log::warn!("omsendertrack: cmdfile '{file}' line {number}: {why}");
            }
        }
    }
    let Done { commands, errors, .. } = done;
    log::info!("omsendertrack: processed {commands} command(s) from '{file}', {errors} error(s)");
    done
}

/// The content of the file, which is gone then: it is renamed first, so that nothing is executed twice and whoever
/// writes commands meanwhile starts a new one.
fn take(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let processing = processing(path);
    if processing.symlink_metadata().is_ok() {
        let removed = fs::remove_file(&processing);
        log::warn!(
            "omsendertrack: '{}' was left behind by a daemon that ended while it executed it; it is deleted",
            processing.display()
        );
        removed
            .map_err(|error| format!("'{}' cannot be deleted: {error}", processing.display()))?;
    }
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
        Ok(metadata) => check(&metadata)?,
    }
    let text = |error: io::Error| error.to_string();
    fs::rename(path, &processing).map_err(|error| format!("it cannot be renamed: {error}"))?;
    // It may have been another one by then.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let input = OpenOptions::new().read(true).custom_flags(flags).open(&processing);
    let input = input.map_err(text)?;
    check(&input.metadata().map_err(text)?)?;
    let mut content = Vec::new();
    let read = input.take(limits::SENDER_COMMANDS_BYTES).read_to_end(&mut content);
    fs::remove_file(&processing)
        .map_err(|error| format!("'{}' cannot be deleted: {error}", processing.display()))?;
    read.map_err(text)?;
    Ok(Some(content))
}

/// Whether a file with these properties may give commands.
fn check(metadata: &Metadata) -> Result<(), String> {
    let (user, _) = process::effective_ids();
    if metadata.is_symlink() {
        return Err("it is a symbolic link".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if metadata.len() > limits::SENDER_COMMANDS_BYTES {
        return Err(format!("it has more than {} bytes", limits::SENDER_COMMANDS_BYTES));
    }
    if metadata.uid() != 0 && metadata.uid() != user {
        let owner = metadata.uid();
        return Err(format!("it belongs to user id {owner}, which is neither root nor {user}"));
    }
    if metadata.mode() & 0o002 != 0 {
        return Err("everybody may write it; use chmod o-w".to_owned());
    }
    Ok(())
}

/// The name of a command file while it is executed.
fn processing(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".processing");
    name.into()
}

/// The files of the action, whose names nothing else may take.
struct Files<'f> {
    commands: &'f Path,
    state: &'f Path,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Delete(Target),
    Reset(Target),
    Get(Target, Option<Vec<u8>>),
    Flush,
}

/// Whom a command is about.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    All,
    One(Vec<u8>),
}

impl Command {
    /// Reads a line; `None` if it is empty or a comment.
    fn parse(line: &[u8]) -> Result<Option<Self>, String> {
        if line.len() > limits::SENDER_COMMAND_BYTES {
            return Err(format!("longer than {} bytes", limits::SENDER_COMMAND_BYTES));
        }
        let mut words = Words(line.trim_ascii());
        let Some(verb) = words.next()?.filter(|word| !word.text.starts_with(b"#")) else {
            return Ok(None);
        };
        if verb.text.starts_with(b";") {
            return Ok(None);
        }
        let shown = String::from_utf8_lossy(&verb.text).into_owned();
        let command = match verb.text.to_ascii_uppercase().as_slice() {
            b"DELETE" => Self::Delete(words.target()?),
            b"RESET" => Self::Reset(words.target()?),
            b"GET" => Self::Get(words.target()?, words.next()?.map(|word| word.text)),
            b"FLUSH" => Self::Flush,
            _ => {
                return Err(format!(
                    "unknown command '{shown}'; there are DELETE, RESET, GET, FLUSH"
                ));
            }
        };
        match words.next()? {
            None => Ok(Some(command)),
            Some(_) => Err(format!("text behind the end of {}", shown.to_ascii_uppercase())),
        }
    }

    fn run(self, table: &Table, files: &Files<'_>, done: &mut Done) -> Result<(), String> {
        let unknown =
            |name: &[u8]| Err(format!("no sender \"{}\"", String::from_utf8_lossy(&shown(name))));
        match self {
            Self::Delete(Target::All) => drop(table.retain(|_| false)),
            Self::Delete(Target::One(name)) if !table.remove(&name) => return unknown(&name),
            Self::Delete(Target::One(_)) => {}
            Self::Reset(target) => {
                let now = clock::now_secs();
                let reset = |stat: &mut Stat| {
                    stat.messages = 0;
                    stat.first = now;
                };
                match target {
                    Target::All => table.change_all(reset),
                    Target::One(name) if !table.change(&name, reset) => return unknown(&name),
                    Target::One(_) => {}
                }
            }
            Self::Get(Target::One(name), path) => {
                let Some(stat) = table.get(&name) else { return unknown(&name) };
                match path {
                    None => say(&name, &stat),
                    Some(path) => {
                        let one = Table::new(1);
                        one.load(&name, stat);
                        export(&one, &path, files)?;
                    }
                }
            }
            Self::Get(Target::All, None) => say_all(table),
            Self::Get(Target::All, Some(path)) => export(table, &path, files)?,
            Self::Flush => done.flush = true,
        }
        Ok(())
    }
}

/// The words of a line.
struct Words<'l>(&'l [u8]);

struct Word {
    text: Vec<u8>,
    quoted: bool,
}

impl Words<'_> {
    fn next(&mut self) -> Result<Option<Word>, String> {
        self.0 = self.0.trim_ascii_start();
        let quoted = self.0.starts_with(b"\"");
        let (text, end) = if quoted {
            let parsed = json::parse(self.0, Case::Sensitive);
            let Some(Json::Str(text)) = parsed.value else {
                return Err("unterminated quote, or an escape that JSON does not have".to_owned());
            };
            (text.into_vec(), parsed.end)
        } else {
            let blank = self.0.iter().position(u8::is_ascii_whitespace);
            let (word, _) = self.0.split_at(blank.unwrap_or(self.0.len()));
            (word.to_vec(), word.len())
        };
        self.0 = self.0.get(end..).unwrap_or_default();
        Ok((quoted || !text.is_empty()).then_some(Word { text, quoted }))
    }

    fn target(&mut self) -> Result<Target, String> {
        let word = self.next()?.ok_or("missing sender: give its id or *")?;
        let all = !word.quoted && word.text == b"*";
        Ok(if all { Target::All } else { Target::One(word.text) })
    }
}

/// Logs what is known of a sender.
fn say(name: &[u8], stat: &Stat) {
    let Stat { messages, first, last } = stat;
    let name = shown(name);
    let name = String::from_utf8_lossy(&name);
    log::info!(
        "omsendertrack: sender=\"{name}\" messages={messages} firstseen={first} lastseen={last}"
    );
}

fn say_all(table: &Table) {
    let mut said = 0_usize;
    // It cannot fail: the closure does not.
    let _: Result<(), io::Error> = table.copy().in_order(|name, stat| {
        if said < LINES {
            say(name, stat);
        }
        said += 1;
        Ok(())
    });
    if said > LINES {
        log::info!("omsendertrack: … {} more", said - LINES);
    }
}

/// Writes the table to a file in the directory of the state file.
fn export(table: &Table, path: &[u8], files: &Files<'_>) -> Result<(), String> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let shown = path.display();
    if !path.is_absolute() {
        return Err(format!("'{shown}' is not an absolute path"));
    }
    let directory = |path: &Path| path.parent().and_then(|parent| parent.canonicalize().ok());
    let (own, other) = (directory(files.state), directory(path));
    if own.is_none() || own != other || path.file_name().is_none() {
        return Err(format!("'{shown}' is not in the directory of the state file"));
    }
    let temporary = replace::temporary(files.state);
    let named = |reserved: &&Path| {
        let same = |path: &Path| path.file_name() == reserved.file_name();
        same(path) || same(&replace::temporary(path))
    };
    if [files.state, &temporary, files.commands].iter().any(named) {
        return Err(format!("'{shown}' has a name that is in use"));
    }
    let (snapshot, now) = (table.copy(), clock::now_secs());
    replace::replace(path, 0o600, |out| state::write(snapshot, Format::Plain, now, out))
        .map_err(|failed| failed.to_string())
}

/// An id for messages.
fn shown(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    state::write_name(name, &mut out);
    out
}

/// Lines that a `GET *` logs.
const LINES: usize = 1000;

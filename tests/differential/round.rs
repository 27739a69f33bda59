//! One round: a configuration of many statements that don't touch each other, and messages, through both programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use crate::harness::daemon::{Daemon, program, tempdir};
use crate::harness::send;
use crate::known::{Finding, known};
use crate::messages::comparable;
use crate::tree::Tree;

/// Ends a record of an output: what is before it may contain any byte.
const END: &str = "<END>\n";

/// Goes before all statements. Every record of every output begins with the number of its message.
const PREAMBLE: &str = r#"global(net.enableDNS="off")
$MainMsgQueueTimeoutShutdown 60000
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/.port")
template(name="raw" type="string" string="%$/n%|%rawmsg%<END>\n")
template(name="time" type="string" string="%$/n%|%timereported:::date-unixtimestamp%<END>\n")
"#;

/// Goes after what a round sets globally.
const NUMBERED: &str = r#"set $/n = $/n + 1;
action(type="omfile" file="{dir}/raw" template="raw")
action(type="omfile" file="{dir}/time" template="time")
"#;

/// Goes after all statements and shows that they were read.
const LAST: &str = r#"action(type="omfile" file="{dir}/last" template="raw")
"#;

/// The program to compare with.
pub(crate) struct Reference {
    pub(crate) program: PathBuf,
    args: Vec<String>,
}

impl Reference {
    /// A program that needs no arguments.
    pub(crate) fn plain(program: PathBuf) -> Self {
        Self { program, args: Vec::new() }
    }

    /// Starts it.
    pub(crate) fn start(&self, config: &str, given: &[(String, String)]) -> Daemon {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let dir = tempdir();
        for (name, content) in given {
            std::fs::write(dir.path().join(name), content).expect("file");
        }
        Daemon::start_program(&self.program, config, &args, dir)
    }
}

/// Debian's rsyslogd, or what the environment says.
pub(crate) fn reference() -> Reference {
    let program = std::env::var_os("REFERENCE").unwrap_or_else(|| "/usr/sbin/rsyslogd".into());
    let modules = std::env::var("MODULES").ok();
    let args = modules.into_iter().flat_map(|dir| ["-M".to_owned(), dir]).collect();
    Reference { program: program.into(), args }
}

/// Whether that may know what Debian's does not: `endswith`, `option.jsonftree`, more functions.
pub(crate) fn newer() -> bool {
    std::env::var_os("REFERENCE").is_some()
}

/// The program that is asked where the two differ, if there is one.
fn third() -> Option<Reference> {
    let text = std::env::var("THIRD").ok()?;
    let (program, modules) = text.split_once(',')?;
    Some(Reference { program: program.into(), args: vec!["-M".to_owned(), modules.to_owned()] })
}

/// A statement with an output of its own: `{out}` stands for its file.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) text: Tree,
    /// Its output shows the header's time: messages without a good one are not compared.
    pub(crate) shows_time: bool,
}

/// What one start of each program is fed with.
#[derive(Clone, Default)]
pub(crate) struct Round {
    /// Before all statements; variables and settings.
    pub(crate) global: String,
    /// Every message goes to one item, by its number, not to all.
    pub(crate) one_each: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) messages: Vec<Vec<u8>>,
    /// Files that are there before the start, by name.
    pub(crate) given: Vec<(String, String)>,
}

type Records = BTreeMap<String, Vec<u8>>;
type Outputs = BTreeMap<String, Records>;

/// The program that did not get to its end.
enum Failure {
    Both,
    Theirs,
    Ours,
}

/// The first record of an item in which the programs differ.
struct Difference {
    item: Option<usize>,
    number: String,
    theirs: Option<Vec<u8>>,
    ours: Option<Vec<u8>>,
}

impl Round {
    /// Runs both programs and describes up to `limit` differences, each cut down.
    pub(crate) fn run(mut self, limit: usize) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            let all = match self.differences() {
                Ok(all) => all,
                // One of them ended: the halves show why.
                Err(_) if self.items.len() > 1 => {
                    let mut second = self.clone();
                    second.items = self.items.split_off(self.items.len() / 2);
                    found.extend(self.run(limit));
                    found.extend(second.run(limit));
                    return found;
                }
                Err(Failure::Theirs) => {
                    println!("the reference fails with {}", self.config());
                    return found;
                }
                Err(Failure::Both) => {
                    println!("both stop reading at {}", self.config());
                    return found;
                }
                Err(Failure::Ours) => {
                    found.push(format!("ours fails with {}", self.config()));
                    return found;
                }
            };
            let mut alone = None;
            for one in all.iter().take(limit) {
                let index = one.number.parse::<usize>().unwrap_or(1).saturating_sub(1);
                if let Some(text) = self.alone(one.item, index).reduce() {
                    found.extend(text);
                    alone = one.item;
                    break;
                }
            }
            match alone {
                // Statements behind a syntax error are not reached: without it there may be more to see.
                Some(index) if found.len() < limit => drop(self.items.remove(index)),
                Some(_) => return found,
                None => match all.first() {
                    None => return found,
                    // A program on a busy machine may have been stopped before it was done.
                    Some(one) if !self.differs_again(one) => {
                        println!("seen once only: {}", self.describe(one));
                        return found;
                    }
                    Some(one) => {
                        let (culprit, text) = self.together(one);
                        found.push(text);
                        match culprit {
                            Some(index) if found.len() < limit => drop(self.items.remove(index)),
                            _ => return found,
                        }
                    }
                },
            }
        }
    }

    /// Whether another run of the whole round shows a difference in the same statement.
    fn differs_again(&self, one: &Difference) -> bool {
        self.differences().is_ok_and(|again| again.iter().any(|other| other.item == one.item))
    }

    /// Which statement before that of `one` makes the difference, and what it looks like.
    fn together(&self, one: &Difference) -> (Option<usize>, String) {
        let text = format!("only together:\n{}", self.describe(one));
        let Some(item) = one.item else { return (None, text) };
        let mut before: Vec<usize> = (0..item).collect();
        let pick = |chosen: &[usize]| {
            let mut pair = self.clone();
            pair.items =
                chosen.iter().chain([&item]).map(|&index| self.items[index].clone()).collect();
            pair
        };
        while before.len() > 1 {
            let half = before.split_off(before.len() / 2);
            let differ = |chosen: &[usize]| {
                pick(chosen).differences().is_ok_and(|all| all.iter().any(|one| one.item.is_some()))
            };
            if !differ(&before) {
                if !differ(&half) {
                    return (None, text);
                }
                before = half;
            }
        }
        let culprit = before.first().copied();
        let first = culprit.map_or(String::new(), |index| self.items[index].text.to_string());
        (culprit, format!("only after\n{first}\n{text}"))
    }

    /// Only that statement and that message.
    fn alone(&self, item: Option<usize>, message: usize) -> Self {
        Self {
            global: self.global.clone(),
            one_each: self.one_each,
            items: item.iter().map(|&index| self.items[index].clone()).collect(),
            messages: self.messages.get(message).cloned().into_iter().collect(),
            given: self.given.clone(),
        }
    }

    /// Makes the round smaller as long as the programs differ; `None` if they do not differ. Describes
    /// the end unless a third program agrees with ours.
    fn reduce(mut self) -> Option<Option<String>> {
        let mut last = self.differences().ok()?.into_iter().next()?;
        for _ in 0..30 {
            let before =
                (self.items.first().map(|item| item.text.to_string()), self.messages.clone());
            if let Some(message) = self.messages.first() {
                let mut many = self.clone();
                many.messages = shorter(message);
                if let Some(index) =
                    many.best(|one| one.number.parse::<usize>().ok(), |r| &r.messages)
                {
                    self.messages = vec![many.messages.swap_remove(index)];
                }
            }
            if let Some(item) = self.items.first() {
                let mut many = self.clone();
                many.items = (item.text.smaller().into_iter())
                    .map(|text| Item { text, shows_time: item.shows_time })
                    .take(400)
                    .collect();
                if self.one_each {
                    many.messages =
                        self.messages.iter().cycle().take(many.items.len()).cloned().collect();
                }
                let found = many.differences().unwrap_or_default();
                let mut found: Vec<usize> = found.iter().filter_map(|one| one.item).collect();
                found.sort_by_key(|&index| many.items[index].text.to_string().len());
                // One of them may stand only behind a syntax error of another one.
                for index in found.into_iter().take(8) {
                    let mut smaller = self.clone();
                    smaller.items = vec![many.items[index].clone()];
                    if smaller.differences().is_ok_and(|all| !all.is_empty()) {
                        self = smaller;
                        break;
                    }
                }
            }
            last = self.differences().ok()?.into_iter().next()?;
            if before
                == (self.items.first().map(|item| item.text.to_string()), self.messages.clone())
            {
                break;
            }
        }
        let item = self.items.first().map(|item| item.text.to_string()).unwrap_or_default();
        let theirs = last.theirs.as_deref().unwrap_or_default();
        if let Some(why) = known(&Finding { item: &item, theirs }) {
            println!("known: {why}");
            return Some(None);
        }
        let Some(third) = third() else { return Some(Some(self.describe(&last))) };
        let name = last.item.map_or("raw".to_owned(), file);
        let outputs = self.outputs(&third, &self.config());
        let value = outputs.and_then(|mut all| all.get_mut(&name)?.remove(&last.number));
        if value == last.ours {
            println!("only the reference differs:\n{}", self.describe(&last));
            return Some(None);
        }
        let text = value.map(|value| value.escape_ascii().to_string());
        Some(Some(format!("{}\n    third:  {}", self.describe(&last), text.unwrap_or_default())))
    }

    /// The shortest message of those in which the programs differ.
    fn best(
        &self,
        number: impl Fn(&Difference) -> Option<usize>,
        messages: impl Fn(&Self) -> &Vec<Vec<u8>>,
    ) -> Option<usize> {
        let all = self.all_differences().ok()?;
        let found = all.iter().filter_map(|one| number(one)?.checked_sub(1));
        found
            .filter(|&index| index < messages(self).len())
            .min_by_key(|&index| messages(self)[index].len())
    }

    fn describe(&self, difference: &Difference) -> String {
        let mut text = String::from("--- conf\n");
        let _ = writeln!(text, "{}", self.global.trim_end());
        if let Some(item) = difference.item.and_then(|index| self.items.get(index)) {
            let _ = writeln!(text, "{}", item.text);
        }
        let _ = writeln!(text, "--- tcp");
        for message in self.messages.iter().take(3) {
            let _ = writeln!(text, "{}", message.escape_ascii());
        }
        let show = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => bytes.escape_ascii().to_string(),
            None => "(no record)".to_owned(),
        };
        let _ = writeln!(text, "    record {}", difference.number);
        let _ = writeln!(text, "    theirs: {}", show(&difference.theirs));
        let _ = write!(text, "    ours:   {}", show(&difference.ours));
        text
    }

    /// The first difference of every statement.
    fn differences(&self) -> Result<Vec<Difference>, Failure> {
        let mut all = self.all_differences()?;
        all.dedup_by_key(|one| one.item);
        Ok(all)
    }

    /// All differences, statement by statement.
    fn all_differences(&self) -> Result<Vec<Difference>, Failure> {
        let reference = reference();
        let config = self.config();
        let (theirs, ours) = std::thread::scope(|scope| {
            let theirs = scope.spawn(|| self.outputs(&reference, &config));
            let ours = self.outputs(&Reference::plain(program()), &config);
            (theirs.join(), ours)
        });
        let theirs = theirs.ok().flatten().ok_or(Failure::Theirs)?;
        let ours = ours.ok_or(Failure::Ours)?;
        let (theirs_all, ours_all) = (theirs.clone(), ours.clone());
        let none = Records::new();
        let get = |outputs: &'_ Outputs, name: &str| outputs.get(name).unwrap_or(&none).clone();
        let now: Vec<bool> = {
            let (theirs, ours) = (get(&theirs, "time"), get(&ours, "time"));
            let recent =
                |records: &Records, number: usize| recent(records.get(&number.to_string()));
            (0..=self.messages.len()).map(|n| recent(&theirs, n) && recent(&ours, n)).collect()
        };
        let mut found = Vec::new();
        let names = [(None, "raw".to_owned()), (None, "time".to_owned())].into_iter();
        let all: BTreeSet<&String> = theirs_all.keys().chain(ours_all.keys()).collect();
        let names = names
            .chain(all.into_iter().filter_map(|name| Some((Some(item_of(name)?), name.clone()))));
        for (item, name) in names {
            let shows_time = item.map_or(name == "time", |index| self.items[index].shows_time);
            let (theirs, ours) = (get(&theirs, &name), get(&ours, &name));
            let mut numbers: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
            numbers.sort_by_key(|number| (number.parse::<usize>().unwrap_or(0), *number));
            numbers.dedup();
            for number in numbers {
                let masked =
                    shows_time && number.parse().is_ok_and(|n: usize| now.get(n) == Some(&true));
                if !masked && theirs.get(number) != ours.get(number) {
                    let (theirs, ours) = (theirs.get(number).cloned(), ours.get(number).cloned());
                    found.push(Difference { item, number: number.clone(), theirs, ours });
                }
            }
        }
        // A statement that neither of them could read would hide all that follow it.
        let whole = |outputs: &Outputs| outputs.contains_key("last") || self.messages.is_empty();
        if found.is_empty() && !(whole(&theirs_all) && whole(&ours_all)) {
            return Err(Failure::Both);
        }
        Ok(found)
    }

    fn config(&self) -> String {
        let mut config = format!("{PREAMBLE}{}\n{NUMBERED}", self.global);
        for (index, item) in self.items.iter().enumerate() {
            let name = file(index);
            let text = item.text.to_string();
            let text = text.replace("{out}", &format!("{{dir}}/{name}")).replace("{name}", &name);
            let guard = if self.one_each {
                format!("if $/n % {} == {index} then ", self.items.len())
            } else {
                String::new()
            };
            let text = text.replace("{guard}", &guard);
            config.push_str(&text);
            config.push('\n');
        }
        config.push_str(LAST);
        config
    }

    /// What one program makes of it.
    fn outputs(&self, which: &Reference, config: &str) -> Option<Outputs> {
        let run = || {
            let mut daemon = which.start(config, &self.given);
            let mut bytes = Vec::new();
            for message in &self.messages {
                bytes.extend_from_slice(format!("{} ", message.len()).as_bytes());
                bytes.extend_from_slice(message);
            }
            send::tcp(daemon.port(".port"), &bytes);
            daemon.stop_lossy()
        };
        let stopped = std::panic::catch_unwind(AssertUnwindSafe(run)).ok()?;
        if std::env::var_os("SHOW").is_some() {
            println!("{}", stopped.stderr);
        }
        let mut outputs = Outputs::new();
        for entry in std::fs::read_dir(stopped.dir.path()).expect("directory").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !["conf", "stdout", "stderr"].contains(&name.as_str()) && !name.starts_with('.') {
                outputs.insert(name, records(&std::fs::read(entry.path()).expect("file")));
            }
        }
        Some(outputs)
    }
}

/// All messages that are a little shorter: without one piece of each size, and with one byte made plain.
fn shorter(message: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![message.to_vec()];
    let mut size = message.len() / 2;
    while size > 0 {
        let step = size.div_ceil(2);
        for at in (0..message.len()).step_by(step) {
            let end = (at + size).min(message.len());
            let mut copy = message.to_vec();
            copy.drain(at..end);
            if !copy.is_empty() && copy.len() < message.len() && comparable(&copy) {
                found.push(copy);
            }
        }
        size /= 2;
    }
    found
}

fn file(index: usize) -> String {
    format!("out{index:03}")
}

/// Whose output a file is: an item may have several, whose names begin alike.
fn item_of(name: &str) -> Option<usize> {
    name.strip_prefix("out")?.get(..3)?.parse().ok()
}

/// Whether the time is the daemon's own, at most a minute old, or of a year of which the reference knows no days.
fn recent(record: Option<&Vec<u8>>) -> bool {
    let text = record.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let seconds = text.and_then(|text| text.parse::<u64>().ok());
    let now = crate::now();
    seconds.is_some_and(|seconds| seconds == 0 || seconds <= now && seconds + 60 > now)
}

/// The records of an output by the number of their message; several of one message become one.
fn records(bytes: &[u8]) -> Records {
    let mut records = Records::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = find(rest, END.as_bytes()).unwrap_or(rest.len());
        let (record, after) = rest.split_at(end);
        rest = after.get(END.len()..).unwrap_or_default();
        let cut = record.iter().position(|&byte| byte == b'|').unwrap_or(record.len());
        let (number, value) = record.split_at(cut);
        let value = value.get(1..).unwrap_or_default();
        let number = String::from_utf8_lossy(number).into_owned();
        records.entry(number).or_default().extend_from_slice(value);
    }
    records
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

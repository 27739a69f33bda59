//! From the command line to a running daemon, and to an exit code.

#[cfg(test)]
mod elastic;
mod explain;
mod flags;
mod help;
#[cfg(test)]
mod man;
#[cfg(test)]
mod man_metrics;
mod stats;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use self::flags::{Options, Request};
use crate::config::diagnostic::{REFERENCE_VERSION, Severity};
use crate::config::{self, Catalogue, Config, Diagnostic, Diagnostics, Format, SystemLoader};
use crate::control::notify::Notify;
use crate::control::pidfile::Claim;
use crate::control::{self, signals::Signals};
use crate::daemon::{CommandLine, LastStep, Plan};
use crate::inputs::internal;
use crate::message::Zone;
use crate::message::timestamp::Time;
use crate::param::About;
use crate::sys::clock;
use crate::sys::process::{self, Fork, Readiness};
use crate::sys::resident::Mappings;
use crate::{registry, template};

/// How long the foreground process waits for the background one to be ready.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// The bit of `-N` that permits a configuration without actions.
const PARTIAL: i32 = 2;
/// Where rsyslogd keeps its process id.
const PID_FILE: &str = "/run/rsyslogd.pid";

/// Why the program ends early: text for standard error, and the exit code.
struct Exit {
    text: String,
    code: u8,
}

impl Exit {
    fn failure(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 1 }
    }

    /// The reference's closing line for a start that failed with return code `code`.
    fn run_failed(code: u16) -> Self {
        Self::failure(format!(
            "run failed with error -{code} (see rsyslog.h or try https://www.rsyslog.com/e/{code} to learn what \
             that number means)"
        ))
    }
}

/// The whole program.
#[must_use]
pub fn run() -> ExitCode {
    let result = match flags::read(std::env::args_os().skip(1)) {
        Request::Version => Ok(show(&version())),
        Request::Help(None) => Ok(show(&help::overview())),
        Request::Help(Some(module)) => match help::module(&module) {
            Some(text) => Ok(show(&text)),
            None => Err(Exit::failure(format!("no module '{module}'; --help lists all"))),
        },
        Request::Stats(request) => stats::run(&request).map(|()| None).map_err(Exit::failure),
        Request::Explain(path) => Ok(explain(&path)),
        Request::Usage(why) => Err(usage(why)),
        Request::Run(options) => start(&options),
    };
    let result = result.and_then(|last| match last {
        Some(last) => last.run().map_err(Exit::failure),
        None => Ok(()),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            if !exit.text.is_empty() {
                complain(&exit.text);
            }
            ExitCode::from(exit.code)
        }
    }
}

fn show(text: &str) -> Option<LastStep> {
    // A closed pipe is the reader's business, not an error of ours.
    let _ = io::stdout().write_all(text.as_bytes());
    None
}

/// A line on standard error, in the form that rsyslogd's have. Nothing can be done where it cannot be written.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "rsyslogd: {text}");
}

/// The first line begins as rsyslogd's does, for scripts that read the version from there.
fn version() -> String {
    format!(
        "rsyslogd  {REFERENCE_VERSION} is what this speaks; sluiced {} compiled with:\n\
         \tPLATFORM:\t\t\t\t{}-{}\n\
         \tFEATURE_REGEXP:\t\t\t\tYes\n\
         \tConfig file:\t\t\t\t{}\n\
         \tPID file:\t\t\t\t{PID_FILE}\n\
         \tNumber of Bits in RainerScript integers: 64\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
        Options::default().config,
    )
}

fn usage(why: Option<String>) -> Exit {
    let mut text = why.map(|why| why + "\n").unwrap_or_default();
    text.push_str("usage: sluiced [options]\nuse \"sluiced --help\" for details, \"sluiced -n\" to run in the foreground");
    Exit::failure(text)
}

/// The configuration that begins in the file `path`, with all there is to say about it.
fn load(path: &str) -> (Config, Diagnostics) {
    let modules: Vec<_> = registry::modules().collect();
    let catalogue = Catalogue {
        modules: &modules,
        templates: &template::BUILTIN_NAMES,
        parsers: &registry::parser_names(),
    };
    config::load(path, &SystemLoader, &catalogue)
}

/// `--explain`: starts nothing, and reads what a check does.
fn explain(path: &str) -> Option<LastStep> {
    let (config, mut diagnostics) = load(path);
    let read = diagnostics.len();
    let _ = Plan::build(&config, CommandLine::default(), &mut diagnostics);
    diagnostics.settle(read);
    show(&explain::report(path, &config, &diagnostics))
}

/// Runs until the end. What comes back is to be done as the last step of the process.
fn start(options: &Options) -> Result<Option<LastStep>, Exit> {
    Mappings::find().release();
    options.notices.iter().for_each(|notice| complain(notice));
    if let Some(root) = &options.chroot {
        process::chroot(Path::new(root)).map_err(|e| Exit::failure(format!("-T {root}: {e}")))?;
    }
    if let Some(why) = output_refused(options) {
        complain(&why);
        return Err(Exit::run_failed(3000));
    }
    internal::install(options.debug);
    let checking = options.check_level != 0;
    if checking {
        complain(&format!(
            "version {REFERENCE_VERSION}, config validation run (level {}), master config {}",
            options.check_level, options.config
        ));
    }
    let (config, mut diagnostics) = load(&options.config);
    if options.show_statements {
        let _ = writeln!(io::stderr(), "{config:#?}");
    }
    if let Some(path) = options.output.as_ref().filter(|_| options.translate.is_none()) {
        write_merged(path, &diagnostics);
    }
    let foreground = options.foreground || options.debug || std::process::id() == 1;
    let read = diagnostics.len();
    let said = CommandLine { foreground, send_to_all: options.send_to_all };
    let plan = Plan::build(&config, said, &mut diagnostics);
    diagnostics.settle(read);
    // As it is, with the places and the help; the log gets the bare lines once it runs.
    let _ = io::stderr().write_all(diagnostics.render().as_bytes());
    verdict(options, &config, &diagnostics)?;
    if let (Some(format), Some(path)) = (options.translate, &options.output) {
        write_translation(path, &options.config, format)?;
    }
    if checking {
        complain("End of config validation run. Bye.");
        return Ok(None);
    }
    if !options.keep_directory && std::env::set_current_dir("/").is_err() {
        complain("Can not do 'cd /' - still trying to run");
    }
    launch(options, foreground, plan, &diagnostics)
}

/// `-o`: the configuration as one text, `-` for standard output. As in the reference, a file that cannot be
/// written does not stop the rest.
fn write_merged(path: &str, diagnostics: &Diagnostics) {
    let zone = Zone::at(clock::now_secs(), clock::local_offset);
    let now = Time::from_epoch_usec(clock::now_usec(), &zone);
    let mut text = format!(
        "## full conf created by rsyslog version {REFERENCE_VERSION} at \
         {:04}-{:02}-{:02} {:02}:{:02}:{:02} ##\n",
        now.year, now.month, now.day, now.hour, now.minute, now.second
    )
    .into_bytes();
    text.extend_from_slice(&config::merged(diagnostics));
    if let Err(e) = write_output(path, &text) {
        complain(&format!(
            "cannot write config output file {path}: {e} - -o option will be ignored"
        ));
    }
}

/// To a file, or with `-` to standard output.
fn write_output(path: &str, text: &[u8]) -> io::Result<()> {
    if path == "-" { io::stdout().write_all(text) } else { std::fs::write(path, text) }
}

/// `-F`: the configuration in another form.
fn write_translation(path: &str, config: &str, format: Format) -> Result<(), Exit> {
    let text = match config::translate(config, &SystemLoader, format) {
        Ok(text) => text,
        Err(problems) => {
            let _ = io::stderr().write_all(problems.render().as_bytes());
            return Err(Exit::run_failed(2207));
        }
    };
    write_output(path, &text).map_err(|e| {
        complain(&format!("cannot write the translation to {path}: {e}"));
        Exit::run_failed(2040)
    })
}

/// Why `-F` and `-o` make no sense as they are given.
fn output_refused(options: &Options) -> Option<String> {
    let file = options.output.as_deref().filter(|path| *path != "-");
    let (input, same) = (options.config.as_str(), |path: &str| {
        use std::os::unix::fs::MetadataExt as _;
        let identity =
            |path: &str| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        identity(path).is_some_and(|id| identity(&options.config) == Some(id))
    });
    match file {
        Some(path) if path == input => {
            Some(format!("-o output path must not be the same as the input config file '{input}'"))
        }
        Some(path) if same(path) => Some(format!(
            "-o output path '{path}' resolves to the same file as input config file '{input}'"
        )),
        _ if options.translate.is_some() && options.check_level == 0 => {
            Some("-F requires -N1 config validation mode".to_owned())
        }
        _ if options.translate.is_some() && options.output.is_none() => {
            Some("-F requires -o <path>".to_owned())
        }
        _ => None,
    }
}

/// Whether to go on with this configuration (`spec/config-language.md` section 18).
fn verdict(options: &Options, config: &Config, diagnostics: &Diagnostics) -> Result<(), Exit> {
    if let Some(last_words) = diagnostics.fatal() {
        return Err(Exit::failure(last_words));
    }
    if !config.has_actions() && options.check_level & PARTIAL == 0 {
        complain(
            "there are no active actions configured. Inputs would run, but no output whatsoever were created. \
             [v8.2608.0 try https://www.rsyslog.com/e/2103 ]",
        );
        return Err(Exit::run_failed(2103));
    }
    if diagnostics.has_errors() && config.globals.args.bool("abortOnUncleanConfig") {
        let text = "global(AbortOnUncleanConfig=\"on\") is set, and config is not clean.\n\
                    Check error log for details, fix errors and restart. As a last\n\
                    resort, you may want to use global(AbortOnUncleanConfig=\"off\") \n\
                    to permit a startup with a dirty config.";
        return Err(Exit { text: text.into(), code: 2 });
    }
    if diagnostics.has_errors() && options.check_level != 0 {
        return Err(Exit::failure(""));
    }
    Ok(())
}

/// From here on it is a real start: pid file, background, signals, the daemon.
fn launch(
    options: &Options,
    foreground: bool,
    plan: Plan,
    diagnostics: &Diagnostics,
) -> Result<Option<LastStep>, Exit> {
    let mut readiness = if foreground {
        None
    } else {
        match process::fork().map_err(|e| Exit::failure(format!("fork failed: {e}")))? {
            Fork::Parent(startup) => {
                return startup.wait(START_PATIENCE).map(|()| None).map_err(Exit::failure);
            }
            Fork::Child(readiness) => Some(readiness),
        }
    };
    match serve(options, plan, diagnostics, &mut readiness) {
        Ok(last) => Ok(Some(last)),
        Err(why) => Err(Exit::failure(match readiness {
            // The parent says it.
            Some(readiness) => {
                readiness.failed(&why);
                String::new()
            }
            None => why,
        })),
    }
}

fn serve(
    options: &Options,
    plan: Plan,
    diagnostics: &Diagnostics,
    readiness: &mut Option<Readiness>,
) -> Result<LastStep, String> {
    // What reading the configuration has touched; and below, what starting has.
    let mappings = Mappings::find();
    mappings.release();
    let text = |e: io::Error| e.to_string();
    let interactive = options.debug || plan.permits_ctrl_c() || std::process::id() == 1;
    let mut signals = Signals::install(interactive, plan.hup_flag()).map_err(text)?;
    let claim = pid_path(options).as_deref().map(Claim::take).transpose()?;
    let write_pid = |claim: Option<Claim>| claim.map(Claim::write).transpose().map_err(text);
    let (mut claim, mut pid_file) = (claim, None);
    if plan.drops_privileges() {
        pid_file = write_pid(claim.take())?;
    }
    plan.begin_state_file();
    // What is not as safe as it could be is for whoever starts this: the log of Debian's rsyslogd has no such lines.
    let logged = diagnostics.iter().filter(|diagnostic| diagnostic.about != About::Insecure);
    logged.for_each(|diagnostic| log_diagnostic(diagnostics, diagnostic));
    let notify = Notify::from_environment();
    let daemon = plan.start(&notify)?;
    if claim.is_some() {
        pid_file = write_pid(claim)?;
    }
    if let Some(readiness) = readiness.take() {
        readiness.ready().map_err(text)?;
    }
    notify.ready();
    mappings.release();
    let signal = control::run(&mut signals, &daemon, &notify).map_err(text)?;
    notify.stopping();
    let last = daemon.stop(signal);
    drop(pid_file);
    Ok(last)
}

/// Where the process id goes: `-i`, or rsyslogd's file; nowhere for `-iNONE` and as the first process.
fn pid_path(options: &Options) -> Option<PathBuf> {
    match options.pid_file.as_deref() {
        Some("NONE") => None,
        Some(path) => Some(path.into()),
        None => (std::process::id() != 1).then(|| PID_FILE.into()),
    }
}

/// To the log only: standard error has it already, with its place.
fn log_diagnostic(diagnostics: &Diagnostics, diagnostic: &Diagnostic) {
    let text = diagnostics.headline(diagnostic);
    match (diagnostic.severity, diagnostic.code) {
        (Severity::Error, Some(code)) => log::error!(code = code, quiet = true; "{text}"),
        (Severity::Error, None) => log::error!(quiet = true; "{text}"),
        (Severity::Warning, Some(code)) => log::warn!(code = code, quiet = true; "{text}"),
        (Severity::Warning, None) => log::warn!(quiet = true; "{text}"),
    }
}

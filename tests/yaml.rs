//! Configurations in YAML, which Debian's rsyslogd does not know yet, and what is shown of configurations.

use std::fs;

use crate::harness::daemon::{Daemon, program, reference, run, tempdir};
use crate::harness::send;

const CONFIG: &str = r#"
version: 2
global:
  net.enableDNS: "off"
modules:
  - load: imtcp
inputs:
  - type: imtcp
    port: "0"
    address: 127.0.0.1
    listenPortFileName: "{dir}/.port"
    ruleset: main
include:
  - path: "{dir}/more.conf"
templates:
  - name: t
    type: list
    elements:
      - property: {name: msg}
      - constant: {value: "\n"}
rulesets:
  - name: main
    statements:
      - set: {var: $!n, expr: "$!n + 1"}
      - foreach:
          var: $.i
          in: $!n
          do: [{stop: true}]
      - if: $msg contains "x"
        then:
          - {type: omfile, file: "{dir}/x", template: t}
        else:
          - call: other
      - {type: omfile, file: "{dir}/all", template: t}
  - name: other
    script: |
      if $!n == 1 then
        action(type="omfile" file="{dir}/other" template="t")
  - name: errors
    filter: "*.err"
    actions:
      - {type: omfile, file: "{dir}/errors", template: t}
"#;

#[test]
fn a_configuration_in_yaml_does_what_it_says() {
    if reference() {
        return; // Debian's does not know it
    }
    let dir = tempdir();
    let text = CONFIG.replace("{dir}", dir.path().to_str().expect("temp dir is UTF-8"));
    fs::write(dir.path().join("main.yaml"), text).expect("write");
    let more = "ruleset(name=\"more\") { call errors }\n";
    fs::write(dir.path().join("more.conf"), more).expect("write");
    let mut daemon =
        Daemon::start_program(&program(), "include(file=\"{dir}/main.yaml\")\n", &["-d"], dir);
    send::tcp(daemon.port(".port"), b"<11>a: x1\n<11>a: y2\n");
    let stopped = daemon.stop();
    assert!(!stopped.stderr.contains("error during"), "{}", stopped.stderr);
    assert_eq!(stopped.lines("x"), [" x1"]);
    assert_eq!(stopped.lines("other"), [" y2"]);
    assert_eq!(stopped.lines("all"), [" x1", " y2"]);
}

#[test]
fn what_is_wrong_in_yaml_is_said_with_its_line() {
    if reference() {
        return;
    }
    let dir = tempdir();
    let path = dir.path().join("wrong.yaml");
    fs::write(&path, "global:\n  nonsense: 1\nbogus: []\n").expect("write");
    let path = path.to_str().expect("UTF-8");
    let output = run(&["-N2", "-f", path]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("unknown top-level key 'bogus'"), "{said}");
    assert!(said.contains("parameter 'nonsense' not known"), "{said}");
    assert!(said.contains("wrong.yaml:2:"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_configuration_is_explained() {
    if reference() {
        return;
    }
    let dir = tempdir();
    let path = dir.path().join("conf");
    let config = "module(load=\"imtcp\")\nmodule(load=\"imbogus\")\n$FooBar on\n\
                  set $!d = get_property($!x, \"a\");\n*.* /nowhere/at/all\n";
    fs::write(&path, config).expect("write");
    let output = run(&["--explain", path.to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&output.stdout);
    for part in [
        "conf:1: module imtcp",
        "conf:5: action action-0",
        "command 'FooBar'",
        "conf:4: what is not there is empty",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(output.status.success());
}

/// `-F yaml` says in YAML what the configuration says, which then does the same; `$` directives have no such form.
#[test]
fn a_configuration_is_translated_into_yaml() {
    if reference() {
        return;
    }
    let dir = tempdir();
    let path = dir.path().join("conf.conf");
    let config = "global(net.enableDNS=\"off\")\nmodule(load=\"imtcp\")\n\
                  input(type=\"imtcp\" port=\"0\" address=\"127.0.0.1\" listenPortFileName=\"DIR/.port\")\n\
                  template(name=\"t\" type=\"string\" string=\"%msg%\\n\")\n\
                  if $msg contains 'x\"$' or $syslogseverity < 3 then { DIR/some;t\nstop }\n*.* DIR/rest;t\n"
        .replace("DIR", dir.path().to_str().expect("UTF-8"));
    fs::write(&path, config).expect("write");
    let output = run(&["-N1", "-F", "yaml", "-o-", "-f", path.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.starts_with("version: 2\n\nglobal:\n  net.enableDNS: \"off\"\n"), "{text}");
    fs::write(dir.path().join("main.yaml"), text).expect("write");
    let include = "include(file=\"{dir}/main.yaml\")\n";
    let mut daemon = Daemon::start_program(&program(), include, &["-d"], dir);
    send::tcp(daemon.port(".port"), b"<14>a: x1\n<14>a: x\"$2\n<8>a: y\n");
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("some"), [" x\"$2", " y"]);
    assert_eq!(stopped.lines("rest"), [" x1"]);

    let dir = tempdir();
    let path = dir.path().join("conf.conf");
    fs::write(&path, "$FileOwner root\n*.* /nowhere/at/all\n").expect("write");
    let output = run(&["-N1", "-F", "yaml", "-o-", "-f", path.to_str().expect("UTF-8")]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(":1: legacy $-directive '$FileOwner root' is not supported"), "{said}");
    assert!(said.contains("run failed with error -2207"), "{said}");
}

/// `-o` never destroys what it reads, and `-F` says what it needs.
#[test]
fn output_goes_nowhere_it_should_not() {
    if reference() {
        return;
    }
    let dir = tempdir();
    let path = dir.path().join("conf.conf");
    fs::write(&path, "*.* /nowhere/at/all\n").expect("write");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("symlink");
    let (path, link) = (path.to_str().expect("UTF-8"), link.to_str().expect("UTF-8"));
    let cases: [(&[&str], &str); 5] = [
        (&["-N1", "-f", path, "-o", path], "-o output path must not be the same as the input"),
        (&["-N1", "-f", path, "-o", link], "resolves to the same file as input config file"),
        (&["-f", path, "-F", "yaml", "-o-"], "-F requires -N1 config validation mode"),
        (&["-N1", "-f", path, "-F", "yaml"], "-F requires -o <path>"),
        (&["-N1", "-f", path, "-F", "yml", "-o-"], "unsupported translation format 'yml'"),
    ];
    for (args, why) in cases {
        let output = run(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(why), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
    }
    assert_eq!(fs::read(path).expect("read"), b"*.* /nowhere/at/all\n");
}

/// What is found only when the configuration is built is said where the reference says it.
#[test]
fn findings_are_in_the_order_of_the_text() {
    if reference() {
        return; // Debian's ends in a crash
    }
    let dir = tempdir();
    let path = dir.path().join("conf");
    let config = "set $!x = re_match($msg, \"(\");\n$FooBar on\nif lookup(\"l\", $msg) == 'x' then /e\n\
                  ruleset(name=\"q\") { action(type=\"omfile\") }\nruleset(name=\"q\") { stop }\n";
    fs::write(&path, config).expect("write");
    let output = run(&["-N1", "-f", path.to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&output.stderr);
    let parts =
        ["cannot compile regex", "'FooBar'", "lookup table 'l'", "omfile: either", "'q' specified"];
    let places: Vec<_> = parts.iter().map(|part| said.find(part).expect(part)).collect();
    assert!(places.is_sorted(), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

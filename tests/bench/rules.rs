//! The configuration of the rules scenario: 30 selectors and property filters, 10 conditions, 5 files, of the kinds that
//! configurations of collectors consist of. Most match nothing, as most rules do for most messages.

use std::fs;
use std::path::Path;

/// Rules over `Framing::Lf` frames: `<13>… host app: c=… n=… abc…`. What is to be in `out` comes last.
pub(crate) const RULES: &str = r#"
auth,authpriv.*                 {dir}/never
mail.*                          {dir}/never
kern.*                          {dir}/never
cron.*                          {dir}/never
daemon.err                      {dir}/never
lpr,news,uucp.*                 {dir}/never
local0.*                        {dir}/never
local1.info                     {dir}/never
local2.=debug                   {dir}/never
local3.*;local4.!info           {dir}/never
*.emerg                         {dir}/never
*.crit;mail.none                {dir}/never
*.=alert                        {dir}/never
ftp.notice                      {dir}/never
local7.*                        {dir}/never
:msg, contains, "7 abcdef"      {dir}/tenth
:msg, contains, "segfault"      {dir}/never
:msg, contains, "out of memory" {dir}/never
:msg, startswith, " link is"    {dir}/never
:msg, regex, "n=[0-9]*00 abc"   {dir}/hundredth
:msg, contains, "denied"        {dir}/never
:programname, isequal, "sshd"   {dir}/never
:programname, isequal, "named"  {dir}/never
:programname, startswith, "sys" {dir}/never
:syslogtag, contains, "postfix" {dir}/never
:syslogtag, isequal, "CRON:"    {dir}/never
:hostname, isequal, "router"    {dir}/never
:hostname, startswith, "fw-"    {dir}/never
:fromhost-ip, isequal, "10.0.0.1" {dir}/never
:rawmsg, contains, "%ASA-"      {dir}/never
if $msg contains "9 abcdef" and $programname == "app" then action(type="omfile" file="{dir}/script")
if $msg startswith " c=" and $msg contains "error" then action(type="omfile" file="{dir}/never")
if $programname startswith "systemd" then action(type="omfile" file="{dir}/never")
if re_match($msg, "user=[a-z]+ uid=[0-9]+") then action(type="omfile" file="{dir}/never")
if $hostname == "db1" and $syslogseverity <= 3 then action(type="omfile" file="{dir}/never")
if $syslogfacility-text == "local0" or $programname == "nginx" then action(type="omfile" file="{dir}/never")
if not ($msg contains "c=") then action(type="omfile" file="{dir}/never")
if $fromhost-ip startswith "10." then action(type="omfile" file="{dir}/never")
if $msg contains_i "FAILED" or $msg contains_i "panic" then action(type="omfile" file="{dir}/never")
if $syslogseverity < 3 or ($programname startswith "kern" and $msg contains "BUG") then {
    action(type="omfile" file="{dir}/never")
}
*.*                             {dir}/out
"#;

/// Whether the other files hold what the rules are to put there of `each` messages of each connection.
pub(crate) fn check(dir: &Path, connections: usize, each: usize) -> Vec<String> {
    let lines = |name| {
        let text = fs::read(dir.join(name)).unwrap_or_default();
        text.iter().filter(|&&c| c == b'\n').count()
    };
    let ending = |digits: usize, least: usize| {
        connections * (0..each).filter(|sequence| sequence % digits == least).count()
    };
    [
        ("tenth", ending(10, 7)),
        ("hundredth", ending(100, 0)),
        ("script", ending(10, 9)),
        ("never", 0),
    ]
    .into_iter()
    .filter(|&(name, expected)| lines(name) != expected)
    .map(|(name, expected)| format!("{} lines in {name}, not {expected}", lines(name)))
    .collect()
}

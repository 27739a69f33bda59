//! A server of Elasticsearch's bulk API that is stricter than Elasticsearch: every request must have exactly the
//! published form, or the test fails. It keeps documents as the cluster would, ids and conflicts included, and gives
//! the bad answers that a test asks for. Debian's omelasticsearch passes it, too (`tests/elastic/peers.rs`).
//!
//! The form: "Bulk index or delete documents", Elasticsearch reference 8.x: action line, source line, each ending in
//! LF; `Content-Type` json or x-ndjson; data streams take `create` only.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use super::daemon::DEADLINE;

/// An answer that is not the usual one, for one bulk request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// The usual one.
    Usual,
    /// This status instead.
    Status(u16),
    /// The documents are stored, then the connection is closed.
    Silence,
    /// The documents are stored, the reply breaks off in its middle.
    Cut,
    /// The documents are stored, the reply is no JSON.
    Garbage,
    /// The documents are stored, the reply leaves the last item out.
    Short,
    /// The documents are stored, the reply never comes: the server waits until the client goes away.
    Never,
    /// The documents are stored, the reply comes byte by byte.
    Trickle,
}

/// A document as it was asked to be stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    pub(crate) index: String,
    pub(crate) id: Option<String>,
    pub(crate) action: String,
    pub(crate) meta: String,
    pub(crate) source: String,
}

impl Document {
    /// A member of the source.
    pub(crate) fn field(&self, pointer: &str) -> Value {
        let source: Value = serde_json::from_str(&self.source).expect("checked");
        source.pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// Its `message`.
    pub(crate) fn message(&self) -> String {
        self.field("/message").as_str().unwrap_or_default().to_owned()
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method and path.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// Decompressed.
    pub(crate) body: Vec<u8>,
    /// How many documents it had.
    pub(crate) documents: usize,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// In the order in which they were stored.
    stored: Vec<Document>,
    /// Index and id of what is stored.
    names: HashSet<(String, String)>,
    /// How often a document with this source was sent.
    sent: HashMap<String, usize>,
    answers: VecDeque<Answer>,
    complaints: Vec<String>,
}

/// Which status a document gets: its message, how often it was sent before.
type Judge = Box<dyn Fn(&str, usize) -> u16 + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Documents in a request above which it is too large.
    most: usize,
    /// A request with a document that has this text is refused as a whole, with status 400.
    poison: Option<&'static str>,
    /// A document with this text is one for the failure store.
    divert: Option<&'static str>,
    judge: Judge,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

/// What a server is to do.
pub(crate) struct Plan {
    pub(crate) answers: Vec<Answer>,
    pub(crate) most: usize,
    pub(crate) poison: Option<&'static str>,
    pub(crate) divert: Option<&'static str>,
    pub(crate) judge: Judge,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            most: usize::MAX,
            poison: None,
            divert: None,
            judge: Box::new(|_, _| 201),
        }
    }
}

/// Starts a thread of the test's.
pub(crate) fn spawn<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::Builder::new().name("peer".to_owned()).spawn(run).expect("a thread")
}

/// A port that refuses connections until it is listened on, and that nobody else gets meanwhile.
pub(crate) struct ClosedPort(Socket);

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).expect("bind");
        Self(socket)
    }

    pub(crate) fn number(&self) -> u16 {
        let address = self.0.local_addr().expect("address");
        address.as_socket().expect("of IP").port()
    }

    pub(crate) fn listen(self) -> TcpListener {
        self.0.listen(128).expect("listen");
        self.0.into()
    }
}

impl Server {
    pub(crate) fn start(plan: Plan) -> Self {
        Self::on(ClosedPort::new(), plan)
    }

    pub(crate) fn on(port: ClosedPort, plan: Plan) -> Self {
        let listener = port.listen();
        let port = listener.local_addr().expect("address").port();
        let state = State { answers: plan.answers.into(), ..State::default() };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            most: plan.most,
            poison: plan.poison,
            divert: plan.divert,
            judge: plan.judge,
        });
        let inner = Arc::clone(&shared);
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&inner);
                spawn(move || shared.serve(&stream));
            }
        });
        Self { port, shared }
    }

    fn wait<T>(&self, what: &str, ready: impl Fn(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.shared.lock();
        loop {
            assert_eq!(state.complaints, Vec::<String>::new());
            if let Some(value) = ready(&state) {
                return value;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{what}: {} stored, {} requests",
                state.stored.len(),
                state.requests.len()
            );
            state = self.shared.changed.wait_timeout(state, left).expect("lock").0;
        }
    }

    /// Waits until `count` documents are stored, and returns them.
    pub(crate) fn stored(&self, count: usize) -> Vec<Document> {
        self.wait("documents", |state| (state.stored.len() >= count).then(|| state.stored.clone()))
    }

    /// How many bulk requests have come so far.
    pub(crate) fn count(&self) -> usize {
        self.shared.lock().requests.len()
    }

    /// Waits until `count` bulk requests have come, and returns them.
    pub(crate) fn requests(&self, count: usize) -> Vec<Request> {
        self.wait("requests", |state| {
            (state.requests.len() >= count).then(|| state.requests.clone())
        })
    }

    /// How often the document with this message was sent.
    pub(crate) fn sent(&self, message: &str) -> usize {
        self.shared.lock().sent.get(message).copied().unwrap_or(0)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("lock")
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            match read_request(&mut reader) {
                Ok(None) => return,
                Ok(Some(request)) => {
                    if !self.answer(stream, request) {
                        let _ = stream.shutdown(Shutdown::Both);
                        return;
                    }
                }
                Err(complaint) => {
                    self.lock().complaints.push(complaint);
                    self.changed.notify_all();
                    return;
                }
            }
        }
    }

    /// Answers; `false` ends the connection.
    fn answer(&self, mut stream: &TcpStream, mut request: Request) -> bool {
        if request.line.starts_with("GET /_cat/health ") {
            return write(stream, 200, b"1 12:00:00 test green 1 1 0 0 0 0 0 0 - 100.0%\n");
        }
        if !request.line.starts_with("POST /_bulk") {
            return self.answer_single(stream, request);
        }
        let documents = match check(&request) {
            Ok(documents) => documents,
            Err(complaint) => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                self.lock().complaints.push(format!("{complaint}: {}\n{body}", request.line));
                self.changed.notify_all();
                return false;
            }
        };
        request.documents = documents.len();
        let mut state = self.lock();
        let answer = state.answers.pop_front().unwrap_or(Answer::Usual);
        state.requests.push(request);
        let status = match answer {
            Answer::Status(status) => Some(status),
            _ if documents.len() > self.most => Some(413),
            _ if has(&documents, self.poison) => Some(400),
            _ => None,
        };
        if let Some(status) = status {
            drop(state);
            self.changed.notify_all();
            return write(stream, status, b"{\"error\":\"as planned\"}");
        }
        let items: Vec<Value> = documents.into_iter().map(|d| self.store(&mut state, d)).collect();
        drop(state);
        self.changed.notify_all();
        let errors = items.iter().any(|item| item.to_string().contains("\"error\""));
        let mut items = items;
        if matches!(answer, Answer::Short) {
            items.pop();
        }
        let reply = json!({"errors": errors, "items": items, "took": 1}).to_string();
        match answer {
            Answer::Silence => false,
            Answer::Garbage => write(stream, 200, b"<html>ok</html>"),
            Answer::Cut => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&reply.as_bytes()[..reply.len() / 2]);
                false
            }
            Answer::Never => {
                let _ = stream.read(&mut [0]);
                false
            }
            Answer::Trickle => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
                stream.set_nodelay(true).expect("TCP_NODELAY");
                let bytes = head.bytes().chain(reply.bytes());
                bytes.map(|byte| stream.write_all(&[byte])).all(|sent| sent.is_ok())
            }
            _ => write(stream, 200, reply.as_bytes()),
        }
    }

    /// A request with one document: `POST /INDEX/TYPE`.
    fn answer_single(&self, stream: &TcpStream, mut request: Request) -> bool {
        let document = match single(&request) {
            Ok(document) => document,
            Err(complaint) => {
                self.lock().complaints.push(format!("{complaint}: {}", request.line));
                self.changed.notify_all();
                return false;
            }
        };
        request.documents = 1;
        let mut state = self.lock();
        state.requests.push(request);
        let item = self.store(&mut state, document);
        drop(state);
        self.changed.notify_all();
        let content = &item["create"];
        let status = content["status"].as_u64().and_then(|n| u16::try_from(n).ok()).unwrap_or(500);
        let reply = match content.get("error") {
            Some(_) => content.clone(),
            None => json!({"_index": "x", "_id": "1", "result": "created"}),
        };
        write(stream, status, reply.to_string().as_bytes())
    }

    /// Stores a document, or not, and says so.
    fn store(&self, state: &mut State, document: Document) -> Value {
        let before = state.sent.entry(document.message()).or_default();
        let status = (self.judge)(&document.message(), *before);
        *before += 1;
        let name = document.id.clone().map(|id| (document.index.clone(), id));
        let known = name.as_ref().is_some_and(|name| state.names.contains(name));
        let action = document.action.clone();
        let is_diverted = has(std::slice::from_ref(&document), self.divert);
        let (status, error) = match status {
            200..=299 if known && action == "create" => (409, "version_conflict_engine_exception"),
            200..=299 => {
                state.names.extend(name);
                state.stored.push(document);
                (status, "")
            }
            400 => (400, "document_parsing_exception"),
            429 => (429, "es_rejected_execution_exception"),
            _ => (status, "exception"),
        };
        let content = match error {
            "" if is_diverted => json!({"status": status, "failure_store": "used"}),
            "" => json!({"status": status}),
            kind => json!({"status": status, "error": {"type": kind, "reason": "as planned"}}),
        };
        Value::Object([(action, content)].into_iter().collect())
    }
}

fn has(documents: &[Document], text: Option<&str>) -> bool {
    text.is_some_and(|text| documents.iter().any(|document| document.source.contains(text)))
}

fn write(mut stream: &TcpStream, status: u16, body: &[u8]) -> bool {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).is_ok()
}

/// Reads one request; none at the end of the connection.
fn read_request(reader: &mut BufReader<&TcpStream>) -> Result<Option<Request>, String> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return if lines.is_empty() {
                Ok(None)
            } else {
                Err("a head that breaks off".to_owned())
            };
        }
        let line = String::from_utf8(line).map_err(|_| "a head that is no ASCII")?;
        let line = line.strip_suffix("\r\n").ok_or("a line that does not end in CRLF")?.to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut headers = HashMap::new();
    for line in &lines[1..] {
        let (name, value) = line.split_once(':').ok_or("a header without colon")?;
        let twice = headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        if twice.is_some() {
            return Err(format!("header {name} is there twice"));
        }
    }
    let line = lines[0].clone();
    if !line.ends_with(" HTTP/1.1") || !headers.contains_key("host") {
        return Err(format!("no HTTP/1.1 request with a host: {line}"));
    }
    let len = headers
        .get("content-length")
        .map_or(Ok(0), |len| len.parse())
        .map_err(|_| "a bad length")?;
    if headers.contains_key("transfer-encoding") {
        return Err("a body without a length".to_owned());
    }
    let mut body = vec![0; len];
    if headers.get("expect").is_some_and(|value| value == "100-continue") {
        let mut stream: &TcpStream = reader.get_ref();
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    if reader.read_exact(&mut body).is_err() {
        return Ok(None); // the client went away: its own affair
    }
    if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        let mut plain = Vec::new();
        let read = flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain);
        read.map_err(|why| format!("a body that is no gzip: {why}"))?;
        body = plain;
    }
    Ok(Some(Request { line, headers, body, documents: 0 }))
}

/// Checks a bulk request, and takes it apart.
fn check(request: &Request) -> Result<Vec<Document>, String> {
    let (path, _) =
        request.line.strip_prefix("POST ").ok_or("no POST")?.split_once(' ').ok_or("no path")?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path != "/_bulk" {
        return Err("not the bulk API".to_owned());
    }
    let known =
        |name: &str| ["filter_path", "timeout", "pipeline", "refresh", "routing"].contains(&name);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let name = parameter.split('=').next().unwrap_or_default();
        if !known(name) {
            return Err(format!("parameter {name} does not exist"));
        }
    }
    let kind =
        request.headers.get("content-type").map_or("", |kind| kind.split(';').next().unwrap_or(""));
    if !["application/json", "application/x-ndjson"].contains(&kind) {
        return Err(format!("content type {kind:?}"));
    }
    let body = std::str::from_utf8(&request.body).map_err(|_| "a body that is no UTF-8")?;
    if !body.ends_with('\n') {
        return Err("a body that does not end in LF".to_owned());
    }
    let lines: Vec<&str> = body[..body.len() - 1].split('\n').collect();
    if !lines.len().is_multiple_of(2) {
        return Err("an action without a source".to_owned());
    }
    lines.chunks_exact(2).map(|pair| document(pair[0], pair[1])).collect()
}

/// Checks a request with one document.
fn single(request: &Request) -> Result<Document, String> {
    let path = request.line.strip_prefix("POST /").and_then(|rest| rest.split(' ').next());
    let (path, query) = path.map_or(("", ""), |path| path.split_once('?').unwrap_or((path, "")));
    let (index, kind) = path.split_once('/').ok_or("no index and type")?;
    if kind.is_empty() || kind.contains('/') {
        return Err(format!("type {kind:?}"));
    }
    let known = |name: &str| ["pipeline", "timeout", "parent"].contains(&name);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        if !known(parameter.split('=').next().unwrap_or_default()) {
            return Err(format!("parameter {parameter}"));
        }
    }
    let body = std::str::from_utf8(&request.body).map_err(|_| "a body that is no UTF-8")?;
    document(&json!({"create": {"_index": index}}).to_string(), body)
}

fn document(meta: &str, source: &str) -> Result<Document, String> {
    let action: Value =
        serde_json::from_str(meta).map_err(|why| format!("action {meta}: {why}"))?;
    let action =
        action.as_object().filter(|object| object.len() == 1).ok_or("an action that is not one")?;
    let (name, content) = action.iter().next().ok_or("no action")?;
    if !["create", "index"].contains(&name.as_str()) {
        return Err(format!("action {name}"));
    }
    let content = content.as_object().ok_or("an action without content")?;
    for (key, value) in content {
        let known = ["_index", "_id", "_type", "pipeline", "_parent"].contains(&key.as_str());
        if !known || !value.is_string() {
            return Err(format!("action field {key}: {value}"));
        }
    }
    let text = |key: &str| content.get(key).and_then(Value::as_str).map(str::to_owned);
    let index = text("_index").ok_or("no index")?;
    let is_stream = index.starts_with("logs-");
    if is_stream && name != "create" {
        return Err("data streams take create only".to_owned());
    }
    if index.is_empty()
        || index != index.to_lowercase()
        || index.len() > 255
        || index.contains(['/', ' ', ',', '#', '*'])
    {
        return Err(format!("index {index}"));
    }
    if text("_id").is_some_and(|id| id.is_empty() || id.len() > 512) {
        return Err("an id of no length, or too long".to_owned());
    }
    let parsed: Value =
        serde_json::from_str(source).map_err(|why| format!("source {source}: {why}"))?;
    let object = parsed.as_object().ok_or("a source that is no object")?;
    if is_stream && !object.contains_key("@timestamp") {
        return Err("data streams need @timestamp".to_owned());
    }
    Ok(Document {
        index,
        id: text("_id"),
        action: name.clone(),
        meta: meta.to_owned(),
        source: source.to_owned(),
    })
}

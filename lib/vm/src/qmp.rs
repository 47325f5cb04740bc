//! QEMU's machine protocol (docs/interop/qmp-spec): one JSON object per line; replies carry the
//! command's id, events come in between at any time.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nestos_host::clock;
use serde_json::{Value, json};

/// How long QEMU may take to answer; it answers in milliseconds unless the host is overloaded.
const REPLY_TIME: Duration = Duration::from_secs(60);

/// Something that QEMU reported without being asked, such as `RESET` or `SHUTDOWN`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub detail: Value,
}

/// A connection to QEMU's control socket.
#[derive(Debug)]
pub struct Qmp {
    connection: Mutex<Connection>,
}

impl Qmp {
    /// Opens the socket and leaves the negotiation behind.
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("cannot connect to {}", socket.display()))?;
        let mut connection = Connection::new(stream);
        let deadline = clock::instant() + REPLY_TIME;
        match connection.next(deadline)? {
            Some(Message::Greeting) => {}
            other => bail!("QEMU did not greet, it said {other:?}"),
        }
        connection.execute("qmp_capabilities", json!({}))?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Runs a command and returns its result.
    pub fn execute(&self, command: &str, arguments: Value) -> Result<Value> {
        self.lock().execute(command, arguments)
    }

    /// Runs a command of the human monitor and returns what it prints.
    pub fn monitor(&self, command_line: &str) -> Result<String> {
        let reply =
            self.execute("human-monitor-command", json!({ "command-line": command_line }))?;
        Ok(reply.as_str().unwrap_or_default().to_owned())
    }

    /// Waits for one of the named events; earlier ones that nobody waited for count.
    pub fn expect_event(&self, names: &[&str], timeout: Duration) -> Result<Event> {
        let deadline = clock::instant() + timeout;
        let mut connection = self.lock();
        loop {
            if let Some(at) = connection.events.iter().position(|e| names.contains(&&*e.name)) {
                // `position` has just found it.
                return connection.events.remove(at).context("the event was there");
            }
            let wanted = names.join(" or ");
            match connection.next(deadline) {
                Ok(Some(Message::Event(event))) => connection.events.push_back(event),
                Ok(Some(_)) => {}
                Ok(None) => bail!("no {wanted} event from QEMU in {} s", timeout.as_secs()),
                Err(e) => return Err(e).with_context(|| format!("waiting for event {wanted}")),
            }
        }
    }

    /// Drops the events that came so far.
    pub fn forget_events(&self) -> Result<()> {
        // A round trip brings in everything that QEMU sent before.
        let mut connection = self.lock();
        connection.execute("query-status", json!({}))?;
        connection.events.clear();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line from QEMU.
#[derive(Debug, PartialEq)]
enum Message {
    Greeting,
    Return { id: Option<u64>, value: Value },
    Error { id: Option<u64>, text: String },
    Event(Event),
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    events: VecDeque<Event>,
    last_id: u64,
}

impl Connection {
    fn new(stream: UnixStream) -> Self {
        Self { stream, received: Vec::new(), events: VecDeque::new(), last_id: 0 }
    }

    fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        self.last_id += 1;
        let line = json!({ "execute": command, "arguments": arguments, "id": self.last_id });
        self.stream
            .write_all(format!("{line}\n").as_bytes())
            .with_context(|| format!("cannot send {command} to QEMU"))?;
        let deadline = clock::instant() + REPLY_TIME;
        loop {
            let message = self.next(deadline);
            match message.with_context(|| format!("waiting for QEMU's reply to {command}"))? {
                Some(Message::Return { id, value }) if id == Some(self.last_id) => {
                    return Ok(value);
                }
                Some(Message::Error { id, text }) if id == Some(self.last_id) || id.is_none() => {
                    bail!("QEMU refused {command}: {text}");
                }
                Some(Message::Event(event)) => self.events.push_back(event),
                Some(_) => {}
                None => bail!("QEMU did not answer {command} in {} s", REPLY_TIME.as_secs()),
            }
        }
    }

    /// Returns the next message, or `None` at the deadline.
    fn next(&mut self, deadline: Instant) -> Result<Option<Message>> {
        loop {
            if let Some(end) = self.received.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return parse(&line).map(Some);
            }
            let left = deadline.saturating_duration_since(clock::instant());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left)).context("cannot set a timeout")?;
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => bail!("QEMU closed its control socket"),
                Ok(read) => self.received.extend_from_slice(&bytes[..read]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e).context("cannot read from QEMU's control socket"),
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Message> {
    let shown = || String::from_utf8_lossy(line).trim().to_owned();
    let value: Value =
        serde_json::from_slice(line).with_context(|| format!("QEMU sent no JSON: {}", shown()))?;
    let id = value.get("id").and_then(Value::as_u64);
    if value.get("QMP").is_some() {
        return Ok(Message::Greeting);
    }
    if let Some(result) = value.get("return") {
        return Ok(Message::Return { id, value: result.clone() });
    }
    if let Some(error) = value.get("error") {
        let text = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
        return Ok(Message::Error { id, text: text.to_owned() });
    }
    let name = value.get("event").and_then(Value::as_str);
    let name = name.ok_or_else(|| anyhow!("QEMU sent an unknown message: {}", shown()))?;
    let detail = value.get("data").cloned().unwrap_or(Value::Null);
    Ok(Message::Event(Event { name: name.to_owned(), detail }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    #[test]
    fn every_kind_of_message_is_read() {
        let reset = Event { name: "RESET".into(), detail: json!({ "guest": true }) };
        let cases = [
            (r#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#, Message::Greeting),
            (
                r#"{"return": {"status": "running"}, "id": 3}"#,
                Message::Return { id: Some(3), value: json!({ "status": "running" }) },
            ),
            (
                r#"{"id": 4, "error": {"class": "GenericError", "desc": "no such file"}}"#,
                Message::Error { id: Some(4), text: "no such file".into() },
            ),
            (
                r#"{"timestamp": {"seconds": 1}, "event": "RESET", "data": {"guest": true}}"#,
                Message::Event(reset),
            ),
        ];
        for (line, message) in cases {
            assert_eq!(parse(line.as_bytes()).unwrap(), message);
        }
        assert!(parse(b"{}").is_err());
        assert!(parse(b"Hello").is_err());
    }

    /// Answers each command with the next of `replies`; `ID` in them is the command's id.
    fn qemu(mut stream: UnixStream, replies: &'static [&'static str]) {
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for reply in replies {
                let command: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
                let reply = reply.replace("ID", &command["id"].to_string());
                stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
            }
        });
    }

    fn connected(replies: &'static [&'static str]) -> Qmp {
        let (ours, theirs) = UnixStream::pair().unwrap();
        qemu(theirs, replies);
        Qmp { connection: Mutex::new(Connection::new(ours)) }
    }

    #[test]
    fn events_between_command_and_reply_are_kept() {
        let qmp = connected(&["{\"event\": \"STOP\"}\r\n{\"return\": 7, \"id\": ID}"]);
        assert_eq!(qmp.execute("stop", json!({})).unwrap(), json!(7));
        let event = qmp.expect_event(&["RESET", "STOP"], Duration::ZERO).unwrap();
        assert_eq!(event.name, "STOP");
    }

    #[test]
    fn a_refused_command_says_why() {
        let qmp = connected(&["{\"error\": {\"desc\": \"not now\"}, \"id\": ID}"]);
        let err = qmp.execute("cont", json!({})).unwrap_err();
        assert_eq!(err.to_string(), "QEMU refused cont: not now");
    }

    #[test]
    fn an_event_that_never_comes_is_an_error() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let qmp = Qmp { connection: Mutex::new(Connection::new(ours)) };
        let err = qmp.expect_event(&["RESET"], Duration::from_millis(1)).unwrap_err();
        assert_eq!(err.to_string(), "no RESET event from QEMU in 0 s");
    }
}

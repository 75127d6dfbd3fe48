//! An HTTP server that answers as the test says and remembers what was asked.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use trellis_aws::{Aws, AwsOptions};
use trellis_hint::UnitKey;
use trellis_lattice::Owner;

/// The owner of a unit's resources.
pub(crate) fn owner(key: &str) -> Owner {
    let unit: UnitKey = key.parse().unwrap();
    Owner { installation: "t".into(), unit: unit.hash(), key: unit.to_string() }
}

/// A request: its first line, its `x-amz-target`, and its body, a form as text.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) target: String,
    pub(crate) body: Value,
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// What the header says of the body's length beyond the truth: the connection ends before that comes.
    pub(crate) missing: usize,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string().into_bytes(), missing: 0 }
    }
}

type Log = Arc<Mutex<Vec<Asked>>>;

#[derive(Clone)]
pub(crate) struct Server {
    url: String,
    log: Log,
}

impl Server {
    /// Answers each request by this function, many at once, for as long as the test runs.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Log::default();
        let (answer, kept) = (Arc::new(answer), Arc::clone(&log));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || serve(&stream.unwrap(), &*answer, &log));
            }
        });
        Self { url, log }
    }

    /// Answers in this order, then 500.
    pub(crate) fn in_order(answers: Vec<(u16, Value)>) -> Self {
        let left = Mutex::new(answers.into_iter());
        Self::start(move |_| match left.lock().unwrap().next() {
            Some((status, body)) => Answer::json(status, &body),
            None => Answer::json(500, &Value::Null),
        })
    }

    pub(crate) async fn aws(&self) -> Aws {
        Aws::with(AwsOptions {
            region: Some("us-west-2".into()),
            endpoint_url: Some(self.url.clone()),
            static_credentials: Some(("test".into(), "test".into())),
        })
        .await
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, answer: &dyn Fn(&Asked) -> Answer, log: &Log) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let (mut length, mut target) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header == "\r\n" {
            break;
        }
        let (name, value) = header.split_once(':').unwrap();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "x-amz-target" => value.trim().clone_into(&mut target),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let form = || {
        Some(String::from_utf8_lossy(&body).into_owned()).filter(|text| !text.is_empty()).map(Value::String)
    };
    let body = serde_json::from_slice(&body).ok().or_else(form).unwrap_or(Value::Null);
    let asked = Asked { line: line.trim().to_owned(), target, body };
    let Answer { status, body, missing } = answer(&asked);
    log.lock().unwrap().push(asked);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len() + missing
    );
    let mut stream = stream;
    // A client that has given up is no failure of the server.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

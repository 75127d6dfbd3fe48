//! An emulator process of VPC Lattice, for the tests of every crate that needs one.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use trellis_aws::{Aws, AwsOptions};

pub(crate) struct Emulator {
    process: Child,
    /// Host and port of the control plane.
    pub(crate) address: String,
}

impl Emulator {
    /// Starts the built emulator: `LATTICE_EMULATOR`, or the one beside this test.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let path = std::env::var_os("LATTICE_EMULATOR").map_or_else(
            || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../debug/lattice-emulator"),
            PathBuf::from,
        );
        let mut process = Command::new(&path)
            .args(["--exit-on-stdin-eof", "--seed", "1"])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error} (hint: cargo build -p lattice-emulator)", path.display())
            });
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("control=http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| panic!("no READY line: {line:?}")).to_owned();
        Self { process, address }
    }

    /// A new client, which knows nothing yet.
    pub(crate) async fn aws(&self) -> Aws {
        Aws::with(AwsOptions {
            region: Some("us-west-2".into()),
            endpoint_url: Some(format!("http://{}", self.address)),
            static_credentials: Some(("test".into(), "test".into())),
        })
        .await
    }

    /// Calls by operation since the last reset, also those of the neighbours, which have the service before their name.
    pub(crate) fn all_calls(&self) -> BTreeMap<String, u64> {
        let calls = self.admin("GET", "calls", None);
        serde_json::from_value(calls["operations"].clone()).unwrap()
    }

    pub(crate) fn reset_calls(&self) {
        self.admin("POST", "calls/reset", None);
    }

    pub(crate) fn state(&self) -> Value {
        self.admin("GET", "state", None)
    }

    pub(crate) fn configure(&self, patch: &Value) {
        self.admin("PUT", "config", Some(patch));
    }

    pub(crate) fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.send(&format!("{method} /_emulator/{path}"), "application/json", &body);
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    /// Sends a request, whose answer must be a success, and returns its body.
    pub(crate) fn send(&self, method_and_path: &str, content_type: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method_and_path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method_and_path}: {answer}");
        body.to_owned()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

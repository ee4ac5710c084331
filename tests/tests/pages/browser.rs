//! A real browser, driven over its DevTools protocol: opens a file, and tells what it saw.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The longest wait for anything of the browser's.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Browser {
    process: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    asked: u64,
    /// What it said unasked, since the page was opened.
    events: Vec<Value>,
    // Removed last, when the process is gone.
    _profile: tempfile::TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

impl Browser {
    /// Without a head, without a network, with a profile that is thrown away.
    pub(crate) async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        let mut process = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
                "--disable-sync",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromium is installed: `cargo xtask setup`");
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let address = timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await.expect("it is text") {
                if let Some(address) = line.strip_prefix("DevTools listening on ") {
                    return address.to_owned();
                }
            }
            panic!("chromium ended before it listened");
        });
        let address = address.await.expect("chromium listens in time");
        // What else it says is read, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(address).await.expect("a browser");
        let mut browser = Self {
            process,
            socket,
            session: String::new(),
            asked: 0,
            events: Vec::new(),
            _profile: profile,
        };
        browser.attach().await;
        browser
    }

    async fn attach(&mut self) {
        let target = self
            .ask("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.ask("Target.attachToTarget", attach).await;
        self.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.ask(&format!("{domain}.enable"), json!({})).await;
        }
    }

    /// Opens the file, and waits until it is drawn.
    pub(crate) async fn open(&mut self, file: &Path, view: View) {
        let metrics = json!({
            "width": view.width, "height": 800, "deviceScaleFactor": 1, "mobile": view.width < 600,
        });
        self.ask("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let scheme = if view.dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", features).await;
        self.events.clear();
        let url = format!("file://{}", file.display());
        self.ask("Page.navigate", json!({ "url": url })).await;
        while !self
            .events
            .iter()
            .any(|e| e["method"] == "Page.loadEventFired")
        {
            self.hear().await;
        }
        let drawn =
            "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true))))";
        assert_eq!(self.run(drawn).await, true);
    }

    /// What went wrong on the page: errors and warnings of the console, exceptions, requests that failed or were
    /// forbidden, and each request for anything but the page itself.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut requests = 0;
        let complaints = self.events.iter().filter(|event| {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" | "Log.entryAdded" => true,
                "Runtime.consoleAPICalled" => params["type"] != "log" && params["type"] != "debug",
                "Network.requestWillBeSent" => {
                    requests += 1;
                    requests > 1
                }
                _ => false,
            }
        });
        complaints.map(Value::to_string).collect()
    }

    /// The value of an expression on the page.
    pub(crate) async fn run(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask("Runtime.evaluate", params).await;
        assert!(answer.get("exceptionDetails").is_none(), "{answer}");
        answer["result"]["value"].clone()
    }

    /// Presses a key, and lets it go.
    pub(crate) async fn press(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.ask("Input.dispatchKeyEvent", event).await;
        }
    }

    /// A picture of the whole page, in base64.
    pub(crate) async fn picture(&mut self) -> String {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.ask("Page.captureScreenshot", params).await;
        answer["data"].as_str().expect("a picture").to_owned()
    }

    pub(crate) async fn close(mut self) {
        self.ask("Browser.close", json!({})).await;
        if timeout(PATIENCE, self.process.wait()).await.is_err() {
            self.process.kill().await.expect("it can be killed");
        }
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let mut question = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() && !method.starts_with("Browser.") {
            question["sessionId"] = json!(self.session);
        }
        let question = Message::text(question.to_string());
        self.socket.send(question).await.expect("it hears");
        loop {
            if let Some(answer) = self.hear().await.filter(|answer| answer["id"] == id) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The next answer; events are kept.
    async fn hear(&mut self) -> Option<Value> {
        let next = timeout(PATIENCE, self.socket.next()).await;
        let message = next.expect("it answers in time").expect("it is there");
        let text = message.expect("a message").into_text().expect("text");
        let value: Value = serde_json::from_str(&text).ok()?;
        if value.get("id").is_some() {
            return Some(value);
        }
        self.events.push(value);
        None
    }
}

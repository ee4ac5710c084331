//! Peers that really break off, over raw sockets: what a client or a server sees of them is what
//! an injected fault has to look like.

use bytes::Bytes;
use http::{Request, Response};
use murphy_fault::BodyFault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The whole body.
pub const WHOLE: &[u8] = b"0123456789";
/// How much of it passes.
pub const PASSES: usize = 4;

/// How a body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// HTTP/1 with a `content-length`.
    Length,
    /// HTTP/1 in chunks.
    Chunked,
    /// HTTP/2 without a `content-length`.
    Streamed,
    /// HTTP/2 with one.
    Announced,
}

/// All of them.
pub const FRAMINGS: [Framing; 4] = [
    Framing::Length,
    Framing::Chunked,
    Framing::Streamed,
    Framing::Announced,
];

impl Framing {
    /// Whether it is HTTP/2.
    #[must_use]
    pub fn is_h2(self) -> bool {
        matches!(self, Self::Streamed | Self::Announced)
    }

    /// Whether the length is announced.
    #[must_use]
    pub fn is_announced(self) -> bool {
        matches!(self, Self::Length | Self::Announced)
    }

    /// The first bytes of a message whose body breaks off, after its first line.
    fn begun(self) -> String {
        let text = std::str::from_utf8(&WHOLE[..PASSES]).expect("ASCII");
        match self {
            Self::Length => format!("content-length: {}\r\n\r\n{text}", WHOLE.len()),
            _ => format!("transfer-encoding: chunked\r\n\r\n{PASSES:x}\r\n{text}\r\n"),
        }
    }
}

/// A server whose replies break off. It listens for one connection; `heard` says that the client
/// has what passes, so that a reset does not overtake it.
///
/// # Panics
///
/// If the socket fails.
pub async fn server(framing: Framing, how: BodyFault, heard: oneshot::Receiver<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a client");
        if framing.is_h2() {
            return serve_h2(socket, framing, how, heard).await;
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.expect("a request"));
        }
        let reply = format!("HTTP/1.1 200 OK\r\n{}", framing.begun());
        socket.write_all(reply.as_bytes()).await.expect("a write");
        break_off(socket, framing, how, heard).await;
    });
    address
}

/// A client whose request breaks off.
///
/// # Panics
///
/// If the socket fails.
pub async fn client(address: &str, framing: Framing, how: BodyFault, heard: oneshot::Receiver<()>) {
    let mut socket = TcpStream::connect(address).await.expect("a server");
    if framing.is_h2() {
        return call_h2(socket, address, framing, how, heard).await;
    }
    let request = format!("POST / HTTP/1.1\r\nhost: {address}\r\n{}", framing.begun());
    socket.write_all(request.as_bytes()).await.expect("a write");
    break_off(socket, framing, how, heard).await;
}

async fn break_off(
    mut socket: TcpStream,
    framing: Framing,
    how: BodyFault,
    heard: oneshot::Receiver<()>,
) {
    let _ = heard.await;
    match (how, framing) {
        (BodyFault::Stall, _) => std::future::pending().await,
        (BodyFault::Truncate, Framing::Chunked) => {
            socket.write_all(b"0\r\n\r\n").await.expect("a write");
            // It waits for the other side to leave.
            let _ = socket.read_u8().await;
        }
        // The connection goes with the socket.
        _ => {}
    }
}

async fn serve_h2(
    socket: TcpStream,
    framing: Framing,
    how: BodyFault,
    heard: oneshot::Receiver<()>,
) {
    let mut connection = h2::server::handshake(socket).await.expect("HTTP/2");
    let (_request, mut respond) = connection.accept().await.expect("one").expect("a request");
    tokio::spawn(async move { while connection.accept().await.is_some() {} });
    let mut response = Response::new(());
    if framing.is_announced() {
        let length = WHOLE.len().into();
        response.headers_mut().insert("content-length", length);
    }
    let stream = respond.send_response(response, false).expect("a head");
    finish_h2(stream, how, heard).await;
}

async fn call_h2(
    socket: TcpStream,
    address: &str,
    framing: Framing,
    how: BodyFault,
    heard: oneshot::Receiver<()>,
) {
    let (mut send, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://{address}/"));
    if framing.is_announced() {
        request = request.header("content-length", WHOLE.len());
    }
    let request = request.body(()).expect("a request");
    let (_response, stream) = send.send_request(request, false).expect("a head");
    finish_h2(stream, how, heard).await;
    let _ = connection.await;
}

async fn finish_h2(
    mut stream: h2::SendStream<Bytes>,
    how: BodyFault,
    heard: oneshot::Receiver<()>,
) {
    let passes = Bytes::from_static(&WHOLE[..PASSES]);
    stream
        .send_data(passes, false)
        .expect("room for four bytes");
    let _ = heard.await;
    match how {
        BodyFault::Stall => std::future::pending().await,
        BodyFault::Truncate => stream.send_data(Bytes::new(), true).expect("an end"),
        BodyFault::Reset => stream.send_reset(h2::Reason::INTERNAL_ERROR),
    }
}

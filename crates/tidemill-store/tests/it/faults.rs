//! A proxy before the S3 server: what a network and a busy store do to a put.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{Builder, JoinHandle},
};

/// What becomes of a put.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It passes.
    None,
    /// The store is busy, and nothing is stored.
    SlowDown,
    /// It is stored, but the store says it is busy.
    StoredButSlowDown,
    /// It is stored, and the connection breaks before the answer.
    StoredButReset,
    /// It never arrives.
    Reset,
    /// Another is being put, says the store; nobody's is stored.
    Conflict,
}

/// The n-th put of all meets the n-th fault; later ones and other requests pass.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    puts: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (puts, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, stopped, faults) = (puts.clone(), stop.clone(), Arc::new(faults));
        let accept = move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) > 0 {
                    return;
                }
                let (counted, faults) = (counted.clone(), faults.clone());
                let serve = move || drop(serve(client, server, &counted, &faults));
                Builder::new().name("s3-proxy-connection".into()).spawn(serve).unwrap();
            }
        };
        let thread = Builder::new().name("s3-proxy".into()).spawn(accept).unwrap();
        Self { address, puts, thread: Some(thread), stop }
    }

    pub(crate) fn puts(&self) -> usize {
        self.puts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(1, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

const SLOW_DOWN: &[u8] = b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const CONFLICT: &[u8] = b"HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// One request to a connection, which is closed after it.
fn serve(mut client: TcpStream, server: SocketAddr, puts: &AtomicUsize, faults: &[Fault]) -> std::io::Result<()> {
    let request = read_request(&mut client)?;
    let fault = if request.starts_with(b"PUT ") {
        let put = puts.fetch_add(1, Ordering::SeqCst);
        faults.get(put).copied().unwrap_or(Fault::None)
    } else {
        Fault::None
    };
    let forward = |request: &[u8]| -> std::io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(server)?;
        server.write_all(request)?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        Ok(answer)
    };
    match fault {
        Fault::None => client.write_all(&forward(&request)?)?,
        Fault::SlowDown => client.write_all(SLOW_DOWN)?,
        Fault::Conflict => client.write_all(CONFLICT)?,
        Fault::StoredButSlowDown => {
            forward(&request)?;
            client.write_all(SLOW_DOWN)?;
        }
        Fault::StoredButReset => drop(forward(&request)?),
        Fault::Reset => {}
    }
    client.shutdown(Shutdown::Both)
}

/// The request, asking for its connection to be closed after the answer.
fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut part = [0; 16 * 1024];
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match client.read(&mut part)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => read.extend_from_slice(&part[..n]),
        }
    };
    let head = String::from_utf8_lossy(&read[..head_end]).to_string();
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    while read.len() < head_end + 4 + length.unwrap_or(0) {
        match client.read(&mut part)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => read.extend_from_slice(&part[..n]),
        }
    }
    let mut request = format!("{head}\r\nconnection: close\r\n\r\n").into_bytes();
    request.extend_from_slice(&read[head_end + 4..]);
    Ok(request)
}

//! Counts how often "tide" stands in blocks of bytes from several raw sockets. Arguments: HOST PORT, or nothing.

use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener},
    thread,
};
use tidemill::{Error, Result, StreamingContext, Text, milliseconds, testing::TextServer};

/// Serves the lines of a text server again, each as a frame: its length in four bytes, then its bytes.
fn serve_frames() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let server = move || {
        for mut client in listener.incoming().flatten() {
            let frame = |n: u32| format!("block {n}: time and tide wait for no mill\n").into_bytes();
            thread::Builder::new().name("frames".into()).spawn(move || {
                for bytes in (0..).map(frame) {
                    let sent =
                        client.write_all(&(bytes.len() as u32).to_be_bytes()).and_then(|()| client.write_all(&bytes));
                    if sent.is_err() {
                        return;
                    }
                }
            })?;
        }
        std::io::Result::Ok(())
    };
    thread::Builder::new().name("frame-server".into()).spawn(server)?;
    Ok(port)
}

fn main() -> Result<()> {
    let (host, port) = match std::env::args().len() {
        1 => ("127.0.0.1".to_string(), serve_frames()?),
        _ => TextServer::address_from_args()?,
    };
    let ssc = StreamingContext::local(2, milliseconds(500))?;
    let sockets: Vec<_> = (0..2).map(|_| ssc.raw_socket_stream(host.clone(), port)).collect();
    ssc.union(&sockets)
        .map(|block| Text::from(String::from_utf8_lossy(&block).into_owned()))
        .filter(|line| line.contains("tide"))
        .foreach_rdd(|matches, time| {
            println!("{time}: {} blocks match", matches.count()?);
            Ok::<_, Error>(())
        });
    ssc.start()?;
    ssc.await_termination()
}

//! A connection that breaks where a test wants it to: a TCP proxy in front of an RPC.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use zkverdict_evm::ChainTarget;

/// What happens to requests that send a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The request is lost, and everything after it: the node never hears of it.
    BeforeAndForEver,
    /// The request arrives, its answer and everything after it is lost.
    AfterAndForEver,
    /// The request arrives, its answer is lost, and the connection works again.
    After,
    /// No request is ever answered.
    Silence,
}

/// The proxy; its threads end with the test process.
pub(crate) struct Proxy {
    port: u16,
    /// Requests that sent a transaction and reached the node.
    pub(crate) sent: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn start(upstream: &str, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let sent = Arc::new(AtomicUsize::new(0));
        let cuts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (upstream, sent, cuts) = (upstream.clone(), Arc::clone(&counter), Arc::clone(&cuts));
                // What breaks here is what the test is about.
                thread::spawn(move || serve(client?, &upstream, cut, &sent, &cuts));
            }
        });
        Self { port, sent }
    }

    pub(crate) fn target(&self, target: ChainTarget) -> ChainTarget {
        ChainTarget {
            rpc_url: format!("http://127.0.0.1:{}", self.port),
            ..target
        }
    }
}

fn serve(mut client: TcpStream, upstream: &str, cut: Cut, sent: &AtomicUsize, cuts: &AtomicUsize) -> io::Result<()> {
    loop {
        let request = message(&mut client)?;
        let sends = String::from_utf8_lossy(&request).contains("eth_sendRawTransaction");
        let is_dead = cuts.load(Ordering::SeqCst) > 0 && cut != Cut::After;
        if cut == Cut::Silence {
            thread::sleep(Duration::from_secs(60));
        }
        if is_dead || (sends && cut == Cut::BeforeAndForEver) {
            cuts.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        let mut server = TcpStream::connect(upstream)?;
        server.write_all(&request)?;
        let answer = message(&mut server)?;
        if sends {
            sent.fetch_add(1, Ordering::SeqCst);
            if cuts.fetch_add(1, Ordering::SeqCst) == 0 {
                return Ok(());
            }
        }
        client.write_all(&answer)?;
    }
}

/// One HTTP message: a head, and as many bytes as its length says.
fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
        let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |length| length.trim().parse::<usize>().unwrap());
        if bytes.len() >= head + 4 + length {
            return Ok(bytes);
        }
    }
}

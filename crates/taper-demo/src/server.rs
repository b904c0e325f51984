//! [`Server`]: the page for the browsers of this machine.
//!
//! It is written on the standard library, with [`httparse`] for what is hard to get right: it answers GET and HEAD for a
//! dozen known files, and the small servers at hand print to standard error, do not tell their port, or are no longer
//! kept up.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::page::Entry;
use crate::request::{self, BUSY, Status, UNREADABLE};
use crate::{DemoError, Page, Runtime};

/// The port that is taken if none is asked for and it is free.
pub const DEFAULT_PORT: u16 = 8000;

/// What a client may take of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections that are answered at once; a browser opens six.
    pub(crate) connections: usize,
    /// The time in which a request has to be there.
    pub(crate) request: Duration,
    /// The time in which an answer has to be taken, and the bytes for each of which a second more is given: what is taken
    /// slowly, through a tunnel, is still taken.
    pub(crate) answer: Duration,
    pub(crate) bytes_a_second: u64,
    /// The time in which the client has to close the connection.
    pub(crate) end: Duration,
}

const LIMITS: Limits = Limits {
    connections: 64,
    request: Duration::from_secs(10),
    answer: Duration::from_secs(60),
    bytes_a_second: 64 << 10,
    end: Duration::from_secs(2),
};

/// The time that the listening thread has for a client to which it says that there are too many.
const REFUSAL: Duration = Duration::from_millis(100);

/// Serves a page on 127.0.0.1, so that no other machine can see it.
///
/// ```
/// use taper_demo::{DemoError, Server};
///
/// let server = Server::bind(Some(0))?;
/// assert!(server.address().ip().is_loopback());
/// let port = server.address().port();
/// assert!(matches!(Server::bind(Some(port)), Err(DemoError::Port { .. })));
/// # Ok::<(), DemoError>(())
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on a port, 0 for any that is free; without one on [`DEFAULT_PORT`], or on any if that is taken.
    ///
    /// # Errors
    /// [`DemoError::Port`] if that cannot be.
    pub fn bind(port: Option<u16>) -> Result<Self, DemoError> {
        let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = match port {
            Some(port) => listen(port),
            None => listen(DEFAULT_PORT).or_else(|_| listen(0)),
        };
        let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) =
            bound.map_err(|cause| DemoError::Port { port: port.unwrap_or_default(), cause })?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with the page and its runtime until the process ends.
    pub fn run(&self, page: &Page, runtime: &Runtime) -> ! {
        self.run_within(page.entries(runtime), LIMITS)
    }

    pub(crate) fn run_within(&self, entries: Vec<Entry>, limits: Limits) -> ! {
        let entries: Arc<[Entry]> = entries.into();
        // Every connection holds a clone of it, and lets go of it in whatever way it ends.
        let counter = Arc::new(());
        loop {
            match self.listener.accept() {
                Ok((stream, _)) if Arc::strong_count(&counter) > limits.connections => {
                    // Whether it is heard is the client's affair.
                    let _ = turn_away(stream);
                }
                Ok((stream, _)) => {
                    let (entries, counter) = (Arc::clone(&entries), Arc::clone(&counter));
                    // Where no thread can be had, the connection is closed.
                    let _ = thread::Builder::new().spawn(move || {
                        let _counted = counter;
                        // A client that goes away in the middle is no failure of the server.
                        let _ = answer(stream, &entries, &limits);
                    });
                }
                // Out of descriptors, for example: that passes, and is no reason to use up a core.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// A connection that has to be done with a part of its work by a certain time, however little comes or goes at once.
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Timed {
    fn new(stream: TcpStream, time: Duration) -> Self {
        Self { stream, until: Instant::now() + time }
    }

    /// Begins the next part of the work.
    fn next(&mut self, time: Duration) {
        self.until = Instant::now() + time;
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Reads one request and answers it. The connection is closed behind it: on one machine, that costs nothing.
fn answer(stream: TcpStream, entries: &[Entry], limits: &Limits) -> io::Result<()> {
    let mut stream = Timed::new(stream, limits.request);
    let Some(asked) = request::read(&mut stream)? else { return Ok(()) };
    stream.next(limits.answer);
    let is_head = asked.as_ref().is_ok_and(|request| request.method == "HEAD");
    let found = asked.and_then(|request| request::find(entries, &request));
    match found.map(|entry| (entry, entry.content.open())) {
        Ok((entry, Ok((mut body, length)))) => {
            stream.next(limits.answer + Duration::from_secs(length / limits.bytes_a_second));
            let head = request::head((200, "OK"), request::kind(&entry.path), length);
            stream.write_all(head.as_bytes())?;
            if !is_head {
                io::copy(&mut body, &mut stream)?;
            }
        }
        Ok((_, Err(_))) => refuse(&mut stream, UNREADABLE, is_head)?,
        Err(status) => refuse(&mut stream, status, is_head)?,
    }
    stream.next(limits.end);
    finish(&mut stream)
}

/// Says that there are too many connections. There is no thread for this one: it is the listening one that waits.
fn turn_away(stream: TcpStream) -> io::Result<()> {
    let mut stream = Timed::new(stream, REFUSAL);
    refuse(&mut stream, BUSY, false)?;
    finish(&mut stream)
}

fn refuse(stream: &mut Timed, status: Status, is_head: bool) -> io::Result<()> {
    let text = match status {
        request::FORBIDDEN => {
            "403 Forbidden: this page is for http://127.0.0.1 and http://localhost alone\n".to_owned()
        }
        UNREADABLE => {
            "500 Internal Server Error: the file was deleted or moved since the page was opened\n".to_owned()
        }
        (code, words) => format!("{code} {words}\n"),
    };
    stream.write_all(request::head(status, request::kind("a.txt"), text.len() as u64).as_bytes())?;
    if is_head { Ok(()) } else { stream.write_all(text.as_bytes()) }
}

/// Takes what the client still sends, a body that nobody asked for: to close over unread bytes would reset the connection
/// before the answer is read.
fn finish(stream: &mut Timed) -> io::Result<()> {
    stream.stream.shutdown(Shutdown::Write)?;
    let mut rest = [0; 4096];
    for _ in 0..256 {
        if stream.read(&mut rest)? == 0 {
            break;
        }
    }
    Ok(())
}

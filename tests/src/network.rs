//! A network between a client and the platform that breaks where it is told to. What goes through is real on both
//! sides, and then the line is cut.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

const CHUNK_BYTES: usize = 16 << 10;
const METHODS: [&[u8]; 5] = [b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE "];

/// The next request that begins so: how many bytes of it, or of its answer, go through before the line is cut.
#[derive(Debug, Clone)]
pub enum Break {
    Sent(&'static str, usize),
    Answered(&'static str, usize),
}

impl Break {
    fn is_of(&self, request: &[u8]) -> bool {
        let (Self::Sent(begin, _) | Self::Answered(begin, _)) = self;
        request.starts_with(begin.as_bytes())
    }
}

/// Threads of its own, so that who waits for a command does not keep it from carrying. They end with their lines.
#[derive(Clone)]
pub struct Network {
    host: String,
    breaks: Arc<Mutex<Vec<Break>>>,
}

/// What one line carries now.
type Now = Arc<Mutex<Option<Break>>>;

impl Network {
    /// To a platform, as `127.0.0.1:8080`.
    pub fn to(platform: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let network = Self { host, breaks: Arc::default() };
        let (carrier, platform) = (network.clone(), platform.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(platform) = TcpStream::connect(&platform) else { continue };
                carrier.carry(client, platform);
            }
        });
        network
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    pub fn breaks(&self, breaks: &[Break]) {
        self.breaks.lock().unwrap().extend_from_slice(breaks);
    }

    /// Whether everything was broken that was to be.
    pub fn is_whole(&self) -> bool {
        self.breaks.lock().unwrap().is_empty()
    }

    fn carry(&self, client: TcpStream, platform: TcpStream) {
        let now: Now = Arc::default();
        let (back, there) = (client.try_clone().unwrap(), platform.try_clone().unwrap());
        let (network, answered) = (self.clone(), now.clone());
        thread::spawn(move || {
            pass(client, platform, |bytes| {
                if METHODS.iter().any(|method| bytes.starts_with(method)) {
                    *now.lock().unwrap() = network.next(bytes);
                }
                let mut now = now.lock().unwrap();
                let Some(Break::Sent(_, left)) = now.as_mut() else { return bytes.len() };
                spend(left, bytes.len())
            });
        });
        thread::spawn(move || {
            pass(there, back, |bytes| {
                let mut now = answered.lock().unwrap();
                let Some(Break::Answered(_, left)) = now.as_mut() else { return bytes.len() };
                spend(left, bytes.len())
            });
        });
    }

    fn next(&self, request: &[u8]) -> Option<Break> {
        let mut breaks = self.breaks.lock().unwrap();
        let place = breaks.iter().position(|one| one.is_of(request))?;
        Some(breaks.remove(place))
    }
}

fn spend(left: &mut usize, bytes: usize) -> usize {
    let through = bytes.min(*left);
    *left -= through;
    through
}

/// One way, until it ends or fewer bytes may go through than came.
fn pass(mut from: TcpStream, mut to: TcpStream, mut through: impl FnMut(&[u8]) -> usize) {
    let mut bytes = [0; CHUNK_BYTES];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let most = through(&bytes[..count]);
        if to.write_all(&bytes[..most]).is_err() || most < count {
            break;
        }
    }
    // both ways: whoever still waits on this line is told
    for line in [from, to] {
        let _ = line.shutdown(Shutdown::Both);
    }
}

//! Shuts itself in as a child does and tries to get out; says what came of it. For this crate's tests.

use std::{
    fs::{self, File},
    io,
    net::{TcpStream, UdpSocket},
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
};

use clap::Parser;
use domain::Resources;
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, kill_process, setrlimit};
use worker::child::sandbox;

const MAX_RUNTIME_SECS: u64 = 60;

#[derive(Parser)]
struct Args {
    scratch: PathBuf,
    memory_bytes: u64,
    /// Takes this much memory, and nothing else.
    #[arg(long)]
    take_bytes: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let parent = getppid();
    let resources = Resources::cpu(1_000, args.memory_bytes);
    match sandbox::enter(&args.scratch, resources, MAX_RUNTIME_SECS) {
        Ok(gaps) => gaps.iter().for_each(|gap| println!("gap={gap}")),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    if let Some(bytes) = args.take_bytes {
        println!("taken={}", vec![1_u8; bytes].iter().filter(|&&byte| byte == 1).count());
        return ExitCode::SUCCESS;
    }
    for (what, outcome) in attempts(&args.scratch, parent) {
        println!(
            "{what}={}",
            outcome.map_or_else(|error| error.kind().to_string(), |()| "ok".into())
        );
    }
    ExitCode::SUCCESS
}

fn attempts(scratch: &Path, parent: Option<Pid>) -> Vec<(&'static str, io::Result<()>)> {
    let inside = scratch.join("written");
    let raised = Rlimit { current: None, maximum: None };
    vec![
        ("write in scratch", fs::write(scratch.join("part"), "text")),
        ("rename in scratch", fs::rename(scratch.join("part"), &inside)),
        ("read in scratch", fs::read(&inside).map(drop)),
        ("list scratch", fs::read_dir(scratch).map(drop)),
        ("sync scratch", File::open(scratch).and_then(|folder| folder.sync_all())),
        ("start a thread", thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join()))),
        ("read /etc/passwd", File::open("/etc/passwd").map(drop)),
        ("list /", fs::read_dir("/").map(drop)),
        ("write beside scratch", fs::write(scratch.with_extension("beside"), "text")),
        ("link out of scratch", std::os::unix::fs::symlink("/etc", scratch.join("link"))),
        ("make a folder", fs::create_dir(scratch.join("folder"))),
        ("tcp", TcpStream::connect(("127.0.0.1", 9)).map(drop)),
        ("udp", UdpSocket::bind(("127.0.0.1", 0)).map(drop)),
        ("unix socket", UnixStream::pair().map(drop)),
        ("start a process", Command::new("/bin/true").spawn().map(drop)),
        ("become another program", Err(Command::new("/bin/true").exec())),
        ("raise a limit", setrlimit(Resource::Data, raised).map_err(io::Error::from)),
        ("signal the parent", signal(parent)),
    ]
}

fn signal(parent: Option<Pid>) -> io::Result<()> {
    Ok(kill_process(parent.ok_or(io::ErrorKind::NotFound)?, Signal::CONT)?)
}

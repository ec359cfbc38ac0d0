//! Shuts itself in as a child does and tries to get out, or to take what is others'; says what came of
//! it. For this crate's tests: by itself, and in the place of the child that an agent starts.

use std::{
    fs::{self, File},
    io::{self, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use domain::Resources;
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, kill_process, setrlimit};
use worker::child::{ChildArgs, sandbox};

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum)]
    act: Act,
    /// Bytes of memory, for that act.
    #[arg(long, default_value_t = 0)]
    take: usize,
    /// A folder that is another job's.
    #[arg(long)]
    theirs: Option<PathBuf>,
    /// As an agent calls it.
    #[command(subcommand)]
    child: Child,
}

#[derive(clap::Subcommand)]
enum Child {
    Child(ChildArgs),
}

#[derive(Clone, Copy, ValueEnum)]
enum Act {
    /// One thing after the other, each once.
    Everything,
    Memory,
    /// Files without end.
    Disk,
    /// One without a name.
    UnnamedDisk,
    /// Empty ones.
    Files,
    Threads,
}

fn main() -> ExitCode {
    let Args { act, take, theirs, child: Child::Child(child) } = Args::parse();
    let parent = getppid();
    let resources = Resources::cpu(child.cpu_milli, child.memory_bytes);
    match sandbox::enter(&child.scratch, resources, child.max_runtime) {
        Ok(gaps) => gaps.iter().for_each(|gap| println!("gap={gap}")),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    match act {
        Act::Everything => {
            let theirs = theirs.unwrap_or_default();
            for (what, outcome) in attempts(&child.scratch, &theirs, parent) {
                let said = outcome.map_or_else(|error| error.kind().to_string(), |()| "ok".into());
                println!("{what}={said}");
            }
        }
        Act::Memory => {
            println!("taken={}", vec![1_u8; take].iter().filter(|&&byte| byte == 1).count());
        }
        Act::Disk => without_end(|n| fs::write(child.scratch.join(n.to_string()), MEBIBYTE)),
        Act::UnnamedDisk => {
            let path = child.scratch.join("unnamed");
            let file = File::create(&path).and_then(|file| fs::remove_file(&path).map(|()| file));
            without_end(|_| file.as_ref().map_or(Ok(()), |mut file| file.write_all(MEBIBYTE)));
        }
        Act::Files => without_end(|n| File::create(child.scratch.join(n.to_string())).map(drop)),
        // more than it may have, and so few that its memory holds them: without end it would as often
        // end itself, for want of room for one more stack, before anybody has looked
        Act::Threads => {
            for _ in 0..TOO_MANY_THREADS {
                let small = thread::Builder::new().stack_size(16 << 10);
                let _ = small.spawn(wait);
            }
            wait();
        }
    }
    ExitCode::SUCCESS
}

const MEBIBYTE: &[u8] = &[1; 1 << 20];
const TOO_MANY_THREADS: u32 = 100;

/// Until somebody ends it.
fn wait() {
    thread::sleep(Duration::from_secs(600));
}

/// Again and again, also where it is refused: until somebody ends it.
fn without_end(mut act: impl FnMut(u64) -> io::Result<()>) {
    for n in 0.. {
        let _ = act(n);
    }
}

fn attempts(
    scratch: &Path,
    theirs: &Path,
    parent: Option<Pid>,
) -> Vec<(&'static str, io::Result<()>)> {
    let inside = scratch.join("written");
    let secret = theirs.join("data");
    let around = scratch.join("..").join(theirs.file_name().unwrap_or_default()).join("data");
    let raised = Rlimit { current: None, maximum: None };
    let mut attempts = vec![
        ("write in scratch", fs::write(scratch.join("part"), "text")),
        ("rename in scratch", fs::rename(scratch.join("part"), &inside)),
        ("read in scratch", fs::read(&inside).map(drop)),
        ("list scratch", fs::read_dir(scratch).map(drop)),
        ("sync scratch", File::open(scratch).and_then(|folder| folder.sync_all())),
        ("start a thread", thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join()))),
        ("read /etc/passwd", File::open("/etc/passwd").map(drop)),
        ("read /proc/self/environ", File::open("/proc/self/environ").map(drop)),
        ("list /", fs::read_dir("/").map(drop)),
        ("list another job's scratch", fs::read_dir(theirs).map(drop)),
        ("read another job's data", fs::read(&secret).map(drop)),
        ("read another job's data by ..", fs::read(around).map(drop)),
        ("write another job's data", fs::write(&secret, "text")),
        ("remove another job's data", fs::remove_file(&secret)),
        ("rename another job's data", fs::rename(&secret, scratch.join("stolen"))),
        ("link another job's data", fs::hard_link(&secret, scratch.join("linked"))),
        ("move a file to another job", fs::rename(&inside, theirs.join("planted"))),
        ("write beside scratch", fs::write(scratch.with_extension("beside"), "text")),
        ("link out of scratch", std::os::unix::fs::symlink("/etc", scratch.join("link"))),
        ("make a folder", fs::create_dir(scratch.join("folder"))),
        ("tcp", TcpStream::connect(("127.0.0.1", 9)).map(drop)),
        ("listen", TcpListener::bind(("127.0.0.1", 0)).map(drop)),
        ("udp", UdpSocket::bind(("127.0.0.1", 0)).map(drop)),
        ("unix socket", UnixStream::pair().map(drop)),
        ("start a process", Command::new("/bin/true").spawn().map(drop)),
        ("become another program", Err(Command::new("/bin/true").exec())),
        ("raise a limit", setrlimit(Resource::Data, raised).map_err(io::Error::from)),
        ("signal the parent", signal(parent)),
    ];
    #[cfg(target_os = "linux")]
    attempts.extend(unusual::attempts(&inside));
    attempts
}

fn signal(parent: Option<Pid>) -> io::Result<()> {
    Ok(kill_process(parent.ok_or(io::ErrorKind::NotFound)?, Signal::CONT)?)
}

/// What no library asks for: memory that the limit of the data segment does not count, and a thread with
/// a table of open files that its agent would not see.
#[cfg(target_os = "linux")]
mod unusual {
    use std::{fs::File, io, os::fd::AsRawFd, path::Path, ptr};

    const ONE: usize = 1 << 20;
    /// No task needs so many addresses.
    const TOO_MANY: usize = 1 << 44;

    pub fn attempts(file: &Path) -> Vec<(&'static str, io::Result<()>)> {
        let file = File::open(file);
        let mapped = file.and_then(|file| map(ONE, libc::MAP_PRIVATE, file.as_raw_fd()));
        let own = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        vec![
            ("map memory of its own", map(ONE, own, -1)),
            ("map a file", mapped),
            ("map shared memory", map(ONE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1)),
            ("map memory that grows downwards", map(ONE, own | libc::MAP_GROWSDOWN, -1)),
            ("map addresses without end", map(TOO_MANY, own, -1)),
            ("start a thread with files of its own", thread()),
        ]
    }

    /// Without a stack of its own, it could not come to anything.
    #[expect(unsafe_code, reason = "no safe call starts such a thread")]
    fn thread() -> io::Result<()> {
        let flags = libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM;
        // SAFETY: the filter refuses it before there is a thread; were it not to, the test would fail
        let started = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
        if started == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// To be read alone, which counts as nobody's data.
    #[expect(unsafe_code, reason = "no safe call asks for memory of these kinds")]
    fn map(bytes: usize, flags: i32, fd: i32) -> io::Result<()> {
        // SAFETY: the kernel chooses the place, and nothing is ever read there
        let mapped = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_READ, flags, fd, 0) };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

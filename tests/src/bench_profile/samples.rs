//! From perf's record to parts of the engine: what was inlined into a place is told by the binary's
//! line tables, since most of a run is a few large functions that were made of many.

use std::{
    collections::HashMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, ensure};

/// Of a run. The first part counts whose files hold the innermost place of ours, or else that the
/// function's name speaks of; the last is what is left.
pub struct Part {
    pub name: &'static str,
    files: &'static [&'static str],
    symbols: &'static [&'static str],
}

const fn part(
    name: &'static str,
    files: &'static [&'static str],
    symbols: &'static [&'static str],
) -> Part {
    Part { name, files, symbols }
}

pub const PARTS: [Part; 13] = [
    part("large products", &[], &["gemm"]),
    part("bias, activation", &["/ops/dense/", "/ops/activation"], &[]),
    part("steps of recurrent layers", &["/ops/recurrent/"], &[]),
    part("normalisation", &["/attention/norm", "/convolution/norm"], &[]),
    part("attention", &["/attention/"], &[]),
    part("convolutions, pooling", &["/convolution/"], &[]),
    part("optimizer", &["/optimize/"], &[]),
    part("loss, metrics", &["/head", "/evaluation/"], &[]),
    part(
        "reading, batches",
        &[
            "/table/",
            "/text/",
            "/images/",
            "/train/",
            "/read/",
            "/profile/",
            "/source/",
            "/samples",
        ],
        &["csv", "dec2flt", "for f64>::from_str", "<f64 as core::str"],
    ),
    part("tensor library", &[], &["burn", "core::hash", "std::hash", "hashbrown", "smallvec"]),
    part("waiting for threads", &[], &["rayon", "crossbeam", "futex", "sched"]),
    part("copying, clearing, the system", &[], &["__mem", "malloc", "free", "[kernel"]),
    part("rest", &[], &[]),
];

/// The part's place among them.
fn part_of(files: &str, symbol: &str) -> usize {
    let mut ours = files.lines().filter_map(|line| line.split_once("engine/src").map(|(_, at)| at));
    let in_file =
        |at: &str| PARTS.iter().position(|part| part.files.iter().any(|f| at.starts_with(f)));
    let named = || PARTS.iter().position(|part| part.symbols.iter().any(|s| symbol.contains(s)));
    ours.find_map(in_file).or_else(named).unwrap_or(PARTS.len() - 1)
}

/// Samples of each of the [`PARTS`].
pub fn by_part(record: &Path, binary: &Path) -> anyhow::Result<[usize; PARTS.len()]> {
    let said = perf_script(record)?;
    let base = base(&said, binary).context("perf saw no code of the binary")?;
    let mut places: HashMap<(u64, &str), usize> = HashMap::new();
    for (at, symbol) in said.lines().filter_map(sample) {
        *places.entry((at, symbol)).or_default() += 1;
    }
    let ours: Vec<u64> = places.keys().map(|(at, _)| at.wrapping_sub(base)).collect();
    let files = files(binary, &ours)?;
    let mut counts = [0; PARTS.len()];
    for (((_, symbol), count), files) in places.iter().zip(&files) {
        counts[part_of(files, symbol)] += count;
    }
    Ok(counts)
}

/// Where the program's code lies, and each sample's place and function.
fn perf_script(record: &Path) -> anyhow::Result<String> {
    let mut command = Command::new("perf");
    command.args(["script", "--show-mmap-events", "--fields", "ip,sym,dso", "--input"]);
    let output = command.arg(record).stderr(Stdio::null()).output().context("start perf")?;
    ensure!(output.status.success(), "perf script failed");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What is to be taken from an address to have it in the file, by the line that tells of the code:
/// `… [0x55d0(0x84b000) @ 0x2ea000 fe:00 535 307]: r-xp /…/cupola`. The linker lays code where its
/// address in the file differs from its place by pages; `addr2line` wants the former, as the program
/// header says it.
fn base(said: &str, binary: &Path) -> Option<u64> {
    let name = binary.to_str()?;
    let line = said.lines().find(|line| line.contains("r-xp") && line.ends_with(name))?;
    let (_, rest) = line.split_once("[0x")?;
    let (start, rest) = rest.split_once('(')?;
    let (_, rest) = rest.split_once("@ ")?;
    let (offset, _) = rest.split_once(' ')?;
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let (start, offset) = (hex(start)?, hex(offset)?);
    Some(start.wrapping_sub(offset).wrapping_sub(shift(binary)?))
}

/// How far the code's address is ahead of its place in the file.
fn shift(binary: &Path) -> Option<u64> {
    let output = Command::new("readelf").args(["-lW"]).arg(binary).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.contains("LOAD") && line.contains("R E"))?;
    let mut numbers = line.split_whitespace().skip(1);
    let mut hex = || u64::from_str_radix(numbers.next()?.trim_start_matches("0x"), 16).ok();
    let (place, address) = (hex()?, hex()?);
    Some(address.wrapping_sub(place))
}

/// `  55d1 engine::ops::dense::forward (/…/cupola)`
fn sample(line: &str) -> Option<(u64, &str)> {
    let (at, rest) = line.trim_start().split_once(' ')?;
    Some((u64::from_str_radix(at, 16).ok()?, rest))
}

/// For each address the files of what was inlined there, the innermost first.
fn files(binary: &Path, addresses: &[u64]) -> anyhow::Result<Vec<String>> {
    let mut child = Command::new("addr2line")
        .args(["--inlines", "--addresses", "--exe"])
        .arg(binary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start addr2line, of Debian's package binutils")?;
    let mut pipe = child.stdin.take().context("addr2line reads")?;
    let asked: String = addresses.iter().map(|at| format!("{at:#x}\n")).collect();
    let writer = thread::spawn(move || pipe.write_all(asked.as_bytes()));
    let output = child.wait_with_output().context("wait for addr2line")?;
    ensure!(output.status.success() && writer.join().is_ok(), "addr2line failed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let files: Vec<String> = said.split("0x").skip(1).map(str::to_owned).collect();
    ensure!(files.len() == addresses.len(), "addr2line answers each address");
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_belongs_to_the_innermost_file_of_ours_or_to_its_function() {
        let line = "        55d01a engine::ops::dense::run (/usr/bin/cupola)";
        assert_eq!(sample(line), Some((0x55d01a, "engine::ops::dense::run (/usr/bin/cupola)")));
        assert_eq!(sample(" PERF_RECORD_MMAP2 31380/31380: [0x1(0x2) @ 0x3"), None);
        let part = |files: &str, symbol: &str| PARTS[part_of(files, symbol)].name;
        let inlined = "0055\n/core/f32.rs:3\nservices/engine/src/ops/simd.rs:9\n\
            services/engine/src/ops/recurrent/lstm.rs:4\nservices/engine/src/train/step.rs:7\n";
        assert_eq!(part(inlined, "pulp::vectorize"), "steps of recurrent layers");
        assert_eq!(part("0055\n??:0\n", "gemm_f32::gemm (cupola)"), "large products");
        assert_eq!(
            part("0055\n??:0\n", "__memmove_avx (libc.so.6)"),
            "copying, clearing, the system"
        );
        assert_eq!(part("0055\n??:0\n", "main (cupola)"), "rest");
    }
}

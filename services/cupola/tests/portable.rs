//! The program on an x86-64 processor without AVX, which an emulator stands for: it picks other
//! instructions there, which round differently, and learns the same.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::{
    fs,
    process::{Command, Output},
};

/// Of SSE 4.2, the last before AVX.
const CPU: &str = "Nehalem";
const SPEC: &str = r#"{
    "target": "diagnosis", "drop": ["id"], "epochs": 3, "batch_size": 64, "seed": 3,
    "model": {"layers": [
        {"type": "Dense", "units": 19, "activation": "gelu"},
        {"type": "BatchNormalization"},
        {"type": "Dropout", "rate": 0.1},
        {"type": "Dense", "units": 9, "activation": "tanh"},
        {"type": "Dense", "units": 1, "activation": "sigmoid"}
    ]}
}"#;
/// Of a weight, most of which are below one. A product on SSE rounds twice where one with AVX rounds
/// once.
const TOLERANCE: f32 = 1e-4;

/// The emulator's name. `make test` says which must be there; elsewhere it is looked for.
fn emulator() -> Option<String> {
    let required = std::env::var("CUPOLA_EMULATOR").ok().filter(|name| !name.is_empty());
    let name = required.clone().unwrap_or_else(|| "qemu-x86_64".to_owned());
    match Command::new(&name).arg("--version").output() {
        Ok(_) => Some(name),
        Err(error) => {
            assert!(required.is_none(), "{name}: {error}");
            println!("skipped: no {name}, of Debian's package qemu-user");
            None
        }
    }
}

/// The header and the numbers of the model that `command` trains, and what it says.
fn train(mut command: Command) -> (Vec<u8>, Vec<f32>, Output) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (spec, out) = (folder.path().join("spec.json"), folder.path().join("out"));
    fs::write(&spec, SPEC).expect("the specification is written");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/breast-cancer.csv");
    command
        .env_remove("RAYON_NUM_THREADS")
        .arg("train")
        .arg("--spec")
        .arg(&spec)
        .args(["--data", data]);
    let output = command.arg("--out").arg(&out).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model = fs::read(out.join("model.safetensors")).expect("a model was trained");
    let (length, rest) = model.split_first_chunk().expect("eight bytes at the beginning");
    let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let numbers = numbers.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (header.to_vec(), numbers, output)
}

#[test]
fn a_processor_without_avx_learns_the_same() {
    let Some(emulator) = emulator() else { return };
    let program = env!("CARGO_BIN_EXE_cupola");
    let mut emulated = Command::new(emulator);
    emulated.args(["-cpu", CPU, program]);
    let (header, emulated, said) = train(emulated);
    let (expected_header, native, expected_said) = train(Command::new(program));
    assert!(header == expected_header, "the same arrays");
    let far = emulated.iter().zip(&native).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("weights differ by {far:e} at most");
    assert!(far < TOLERANCE, "{far}\n{said:?}\n{expected_said:?}");
}

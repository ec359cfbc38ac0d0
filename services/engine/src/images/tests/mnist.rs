use std::path::PathBuf;

use super::*;

/// The counts that everyone finds in MNIST.
#[test]
fn the_real_mnist_is_read() {
    let Some(folder) = std::env::var_os("CUPOLA_DATA") else {
        println!("skipped: CUPOLA_DATA names no folder of datasets");
        return;
    };
    let folder = PathBuf::from(folder).join("mnist");
    let names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];
    let names = names.map(|name| format!("{name}-ubyte.gz"));
    let contents = names.clone().map(|name| std::fs::read(folder.join(name)).unwrap());
    let entries: Vec<(&str, &[u8])> =
        names.iter().zip(&contents).map(|(name, bytes)| (&name[..], &bytes[..])).collect();
    let file = file(&zip_bytes(&entries, CompressionMethod::Stored));
    let limits = ReadLimits::default();
    let profile = crate::profile::images::profile(file.path(), &limits).unwrap();
    assert_eq!((profile.rows, profile.duplicate_rows), (60_000, 0));
    assert_eq!(profile.column("image").unwrap().image, Some([28, 28, 1]));
    let label = profile.column("label").unwrap();
    let mut counts: Vec<(String, u64)> =
        label.values.iter().flatten().map(|v| (v.value.clone(), v.rows)).collect();
    counts.sort();
    let rows: Vec<u64> = counts.iter().map(|(_, rows)| *rows).collect();
    assert_eq!(rows, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let spec = spec(&profile);
    let training =
        RawImages::read(file.path(), &limits, &spec, [28, 28, 1], Split::Training).unwrap();
    assert_eq!((training.rows(), training.targets[0]), (60_000, 5.0));
    let all: Vec<u32> = (0..60_000).collect();
    let sum: f64 = training.batch(&all, None).iter().map(|x| f64::from(*x)).sum();
    assert!((sum / (60_000.0 * 784.0) - 0.1307).abs() < 1e-4);
    let test = RawImages::read(file.path(), &limits, &spec, [28, 28, 1], Split::Test).unwrap();
    assert_eq!((test.rows(), test.targets[0]), (10_000, 7.0));
}

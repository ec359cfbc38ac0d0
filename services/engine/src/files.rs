//! Files that are whole or absent: written under another name, synced, renamed.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};

use crate::{error::EngineError, network::Array};

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    write_with(path, |temporary| File::create(temporary)?.write_all(bytes))
}

pub(crate) fn write_with(
    path: &Path,
    fill: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), EngineError> {
    let temporary = path.with_extension("part");
    let written = fill(&temporary)
        .and_then(|()| File::open(&temporary)?.sync_all())
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()));
    written.map_err(EngineError::io(path.display()))
}

pub(crate) fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The tensors that `expected` names, stored under `prefix` and the name, each with its shape and
/// finite; or what is wrong.
pub(crate) fn read_arrays(
    file: &SafeTensors<'_>,
    prefix: &str,
    expected: Vec<(String, Vec<usize>)>,
) -> Result<Vec<Array>, String> {
    expected
        .into_iter()
        .map(|(name, shape)| {
            let tensor = tensor(file, &format!("{prefix}{name}"), Dtype::F32)?;
            if tensor.shape() != shape {
                let has = tensor.shape();
                return Err(format!("tensor `{name}` has shape {has:?} and needs {shape:?}"));
            }
            let values: Vec<f32> = numbers(tensor.data(), f32::from_le_bytes);
            if !values.iter().all(|v| v.is_finite()) {
                return Err(format!("tensor `{name}` holds a number that is not finite"));
            }
            Ok(Array { name, shape, values })
        })
        .collect()
}

pub(crate) fn tensor<'a>(
    file: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
) -> Result<TensorView<'a>, String> {
    let tensor = file.tensor(name).map_err(|_| format!("tensor `{name}` is missing"))?;
    match tensor.dtype() {
        has if has == dtype => Ok(tensor),
        has => Err(format!("tensor `{name}` is {has:?} and needs to be {dtype:?}")),
    }
}

pub(crate) fn numbers<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&number| from(number)).collect()
}

/// A failure to write, as the I/O error that it is underneath.
pub(crate) fn write_error(error: SafeTensorError) -> std::io::Error {
    match error {
        SafeTensorError::IoError(error) => error,
        error => std::io::Error::other(error),
    }
}

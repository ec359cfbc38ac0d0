//! Tensors: values of one type with a shape, read from JSON or from bytes and written as either. Whatever is sent is
//! checked against what there is before anything is made of it.

use half::{bf16, f16};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

use Datatype as D;

const ALL: [(D, &str, usize); 14] = [
    (D::Bool, "BOOL", 1),
    (D::Uint8, "UINT8", 1),
    (D::Uint16, "UINT16", 2),
    (D::Uint32, "UINT32", 4),
    (D::Uint64, "UINT64", 8),
    (D::Int8, "INT8", 1),
    (D::Int16, "INT16", 2),
    (D::Int32, "INT32", 4),
    (D::Int64, "INT64", 8),
    (D::Fp16, "FP16", 2),
    (D::Bf16, "BF16", 2),
    (D::Fp32, "FP32", 4),
    (D::Fp64, "FP64", 8),
    // each with its own length before it
    (D::Bytes, "BYTES", 0),
];

impl Datatype {
    pub fn parse(name: &str) -> Result<Self, String> {
        let known = ALL.iter().find(|(_, known, _)| *known == name);
        known.map(|(datatype, ..)| *datatype).ok_or_else(|| {
            let known: Vec<_> = ALL.iter().map(|(_, name, _)| *name).collect();
            let shown: String = name.chars().take(40).collect();
            format!("the datatype `{shown}` is not known; use one of {}", known.join(", "))
        })
    }

    fn row(self) -> (&'static str, usize) {
        let row = ALL.iter().find(|(datatype, ..)| *datatype == self);
        row.map(|(_, name, size)| (*name, *size)).expect("every one is listed")
    }

    pub fn name(self) -> &'static str {
        self.row().0
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Uint(Vec<u64>),
    Real(Vec<f64>),
    Bytes(Vec<Vec<u8>>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub name: String,
    pub datatype: Datatype,
    pub shape: Vec<usize>,
    pub values: Values,
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Uint(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }
}

impl Tensor {
    /// Numbers of an answer.
    pub fn reals(name: &str, shape: Vec<usize>, values: Vec<f64>) -> Self {
        Self { name: name.to_owned(), datatype: D::Fp64, shape, values: Values::Real(values) }
    }

    /// Words of an answer.
    pub fn words(name: &str, shape: Vec<usize>, words: Vec<String>) -> Self {
        let values = Values::Bytes(words.into_iter().map(String::into_bytes).collect());
        Self { name: name.to_owned(), datatype: D::Bytes, shape, values }
    }

    pub fn whole(name: &str, shape: Vec<usize>, values: Vec<i64>) -> Self {
        Self { name: name.to_owned(), datatype: D::Int64, shape, values: Values::Int(values) }
    }

    /// As JSON's `data`, flat.
    pub fn to_json(&self) -> Value {
        match &self.values {
            Values::Bool(values) => values.clone().into(),
            Values::Int(values) => values.clone().into(),
            Values::Uint(values) => values.clone().into(),
            Values::Real(values) => values.clone().into(),
            Values::Bytes(values) => {
                let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
                values.iter().map(text).collect()
            }
        }
    }

    /// Of an answer, which has numbers of eight bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.values {
            Values::Bool(values) => values.iter().map(|value| u8::from(*value)).collect(),
            Values::Int(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::Uint(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::Real(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::Bytes(values) => {
                let mut all = Vec::new();
                for value in values {
                    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
                    all.extend_from_slice(&length.to_le_bytes());
                    all.extend_from_slice(value);
                }
                all
            }
        }
    }
}

/// How many values a shape has; none where there is no such number.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side))
}

/// From JSON's `data`, flat or nested.
pub(super) fn from_json(datatype: Datatype, data: &Value, most: usize) -> Result<Values, String> {
    let mut flat = Vec::new();
    flatten(data, most, &mut flat)?;
    let all = flat.into_iter();
    Ok(match datatype {
        D::Bool => Values::Bool(
            all.map(|v| v.as_bool().ok_or_else(|| not(v, datatype))).collect::<Result<_, _>>()?,
        ),
        D::Fp16 | D::Bf16 | D::Fp32 | D::Fp64 => {
            // null is what JSON has for a number that is none
            let real = |v: &Value| if v.is_null() { Some(f64::NAN) } else { v.as_f64() };
            Values::Real(
                all.map(|v| real(v).ok_or_else(|| not(v, datatype))).collect::<Result<_, _>>()?,
            )
        }
        D::Uint8 | D::Uint16 | D::Uint32 | D::Uint64 => Values::Uint(
            all.map(|v| v.as_u64().ok_or_else(|| not(v, datatype))).collect::<Result<_, _>>()?,
        ),
        D::Int8 | D::Int16 | D::Int32 | D::Int64 => Values::Int(
            all.map(|v| v.as_i64().ok_or_else(|| not(v, datatype))).collect::<Result<_, _>>()?,
        ),
        D::Bytes => {
            let text = |v: &Value| v.as_str().map(|text| text.as_bytes().to_vec());
            Values::Bytes(
                all.map(|v| text(v).ok_or_else(|| not(v, datatype))).collect::<Result<_, _>>()?,
            )
        }
    })
}

fn not(value: &Value, datatype: Datatype) -> String {
    let shown: String = value.to_string().chars().take(40).collect();
    format!("{shown} is not of the datatype {}", datatype.name())
}

fn flatten<'a>(data: &'a Value, most: usize, flat: &mut Vec<&'a Value>) -> Result<(), String> {
    match data {
        Value::Array(items) => items.iter().try_for_each(|item| flatten(item, most, flat)),
        _ if flat.len() >= most => Err(format!("there are more values than the shape's {most}")),
        value => {
            flat.push(value);
            Ok(())
        }
    }
}

/// From little-endian bytes; of BYTES each has its length before it, in four bytes.
pub(super) fn from_bytes(datatype: Datatype, bytes: &[u8], most: usize) -> Result<Values, String> {
    if datatype == D::Bytes {
        return strings(bytes, most).map(Values::Bytes);
    }
    let (name, size) = datatype.row();
    if most.checked_mul(size) != Some(bytes.len()) {
        let all = bytes.len();
        return Err(format!(
            "{all} bytes are not the shape's {most} values of {name}, {size} bytes each"
        ));
    }
    Ok(match datatype {
        D::Bool => Values::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
        D::Uint8 => Values::Uint(each(bytes, u8::from_le_bytes)),
        D::Uint16 => Values::Uint(each(bytes, u16::from_le_bytes)),
        D::Uint32 => Values::Uint(each(bytes, u32::from_le_bytes)),
        D::Uint64 => Values::Uint(each(bytes, u64::from_le_bytes)),
        D::Int8 => Values::Int(each(bytes, i8::from_le_bytes)),
        D::Int16 => Values::Int(each(bytes, i16::from_le_bytes)),
        D::Int32 => Values::Int(each(bytes, i32::from_le_bytes)),
        D::Int64 => Values::Int(each(bytes, i64::from_le_bytes)),
        D::Fp16 => Values::Real(each(bytes, f16::from_le_bytes)),
        D::Bf16 => Values::Real(each(bytes, bf16::from_le_bytes)),
        D::Fp32 => Values::Real(each(bytes, f32::from_le_bytes)),
        D::Fp64 | D::Bytes => Values::Real(each(bytes, f64::from_le_bytes)),
    })
}

fn each<const N: usize, T, W: From<T>>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<W> {
    bytes.as_chunks().0.iter().map(|chunk| W::from(read(*chunk))).collect()
}

fn strings(mut bytes: &[u8], most: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut all = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        if all.len() >= most {
            return Err(format!("there are more values than the shape's {most}"));
        }
        let Some((value, rest)) = rest.split_at_checked(length) else {
            let (place, left) = (all.len(), rest.len());
            return Err(format!(
                "value {place} is said to have {length} bytes, and {left} are left"
            ));
        };
        all.push(value.to_vec());
        bytes = rest;
    }
    if bytes.is_empty() { Ok(all) } else { Err("there are bytes after the last value".to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_back_from_either_form() {
        let words = ["", "é", "two\nlines"].map(str::to_owned).to_vec();
        for tensor in [
            Tensor::reals("x", vec![3], vec![0.5, -1e300, 0.0]),
            Tensor::whole("x", vec![2], vec![i64::MIN, 7]),
            Tensor::words("x", vec![3], words),
        ] {
            let most = tensor.values.len();
            let read = from_bytes(tensor.datatype, &tensor.to_bytes(), most).unwrap();
            assert_eq!(read, tensor.values);
            let read = from_json(tensor.datatype, &tensor.to_json(), most).unwrap();
            assert_eq!(read, tensor.values);
        }
        let nested = from_json(D::Int8, &json!([[1, 2], [3, 4]]), 4).unwrap();
        assert_eq!(nested, Values::Int(vec![1, 2, 3, 4]));
        assert_eq!(
            from_bytes(D::Bool, &[0, 1, 2], 3).unwrap(),
            Values::Bool(vec![false, true, true])
        );
        assert_eq!(
            from_bytes(D::Fp32, &0.5_f32.to_le_bytes(), 1).unwrap(),
            Values::Real(vec![0.5])
        );
        // one and a half, and minus two
        for (datatype, bytes) in [(D::Fp16, [0, 0x3E, 0, 0xC0]), (D::Bf16, [0xC0, 0x3F, 0, 0xC0])] {
            assert_eq!(from_bytes(datatype, &bytes, 2).unwrap(), Values::Real(vec![1.5, -2.0]));
        }
        assert_eq!(from_bytes(D::Int16, &[0xFE, 0xFF], 1).unwrap(), Values::Int(vec![-2]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let wrong = |datatype, data: Value, most| from_json(datatype, &data, most).unwrap_err();
        assert_eq!(wrong(D::Int64, json!([1.5]), 1), "1.5 is not of the datatype INT64");
        assert_eq!(wrong(D::Bytes, json!([1]), 1), "1 is not of the datatype BYTES");
        assert_eq!(wrong(D::Fp64, json!([1, 2]), 1), "there are more values than the shape's 1");
        let why = from_bytes(D::Fp64, &[0; 9], 1).unwrap_err();
        assert_eq!(why, "9 bytes are not the shape's 1 values of FP64, 8 bytes each");
        from_bytes(D::Fp64, &[0; 8], usize::MAX).unwrap_err();
        assert!(Datatype::parse("FP8").unwrap_err().contains("BF16, FP32, FP64"));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let read = |bytes: &[u8]| from_bytes(D::Bytes, bytes, 2);
        let why = read(&[255, 255, 255, 255, b'a']).unwrap_err();
        assert_eq!(why, "value 0 is said to have 4294967295 bytes, and 1 are left");
        assert_eq!(read(&[0, 0, 0]).unwrap_err(), "there are bytes after the last value");
        assert_eq!(read(&[0; 12]).unwrap_err(), "there are more values than the shape's 2");
        assert_eq!(
            read(&[1, 0, 0, 0, b'a', 0, 0, 0, 0]),
            Ok(Values::Bytes(vec![b"a".to_vec(), vec![]]))
        );
        assert_eq!(elements(&[usize::MAX, 2]), None);
        assert_eq!(
            (elements(&[]), elements(&[3, 0]), elements(&[3, 4])),
            (Some(1), Some(0), Some(12))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, most: usize, kind in 0_usize..14) {
            if let Ok(values) = from_bytes(ALL[kind].0, &bytes, most) {
                assert!(values.len() <= bytes.len().max(1));
            }
        }
    }
}

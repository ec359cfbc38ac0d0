use base64::{Engine, engine::general_purpose::STANDARD};
use domain::predict::Row;
use serde_json::{Value, json};

use super::*;

fn decode(value: Value, size: Size) -> Result<Vec<f32>, String> {
    let row = json!({ "image": value, "more": 1 });
    decode_row(row.as_object().unwrap(), "image", size)
}

#[test]
fn a_file_in_base64_is_scaled_like_the_data() {
    let text = STANDARD.encode(gray(2, 2, &[10, 10, 30, 30]));
    let expected = Ok(vec![20.0 / 255.0]);
    assert_eq!(decode(json!(text), [1, 1, 1]), expected);
    assert_eq!(decode(json!(format!("data:image/png;base64,{text}\n")), [1, 1, 1]), expected);
    let red = STANDARD.encode(color(1, 1, [255, 0, 51]));
    assert_eq!(decode(json!(red), [1, 1, 3]), Ok(vec![1.0, 0.0, 0.2]));
}

#[test]
fn numbers_may_be_flat_or_nested() {
    let expected = Ok(vec![0.0, 0.2, 0.5, 1.0]);
    assert_eq!(decode(json!([0, 51, 127.5, 255]), [2, 2, 1]), expected);
    assert_eq!(decode(json!([[0, 51], [127.5, 255]]), [2, 2, 1]), expected);
    assert_eq!(decode(json!([[[0], [51]], [[127.5], [255]]]), [2, 2, 1]), expected);
}

#[test]
fn what_is_no_image_is_refused_with_what_would_be() {
    let accepted = "give a PNG or JPEG file in base64, or 2 x 2 x 1 numbers from 0 to 255";
    for value in [
        Value::Null,
        json!(7),
        json!(true),
        json!({}),
        json!([]),
        json!([0, 1, 2]),
        json!([0, 1, 2, 3, 4]),
        json!([0, 1, 2, 256]),
        json!([0, 1, 2, -1]),
        json!([0, 1, 2, "3"]),
        json!([0, 1, 2, null]),
        json!("no base64!"),
    ] {
        let why = decode(value.clone(), [2, 2, 1]).unwrap_err();
        assert!(why.contains(accepted) && why.contains("image"), "{value}: {why}");
    }
    assert!(decode_row(&Row::new(), "image", [2, 2, 1]).unwrap_err().contains("missing"));
    let why = decode(json!(STANDARD.encode("hello")), [2, 2, 1]).unwrap_err();
    assert!(why.contains("neither a PNG nor a JPEG"), "{why}");
    let why = decode(json!(STANDARD.encode(&gray(2, 2, &[0; 4])[..50])), [2, 2, 1]).unwrap_err();
    assert!(why.contains("cannot be decoded"), "{why}");
    assert!(decode(json!(""), [2, 2, 1]).is_err());
}

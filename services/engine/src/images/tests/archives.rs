use proptest::prelude::*;

use super::*;

fn stored(bytes: &[u8]) -> Vec<u8> {
    zip_bytes(&[("a/1.png", bytes)], CompressionMethod::Stored)
}

/// Where the central directory's first header starts.
fn central(zip: &[u8]) -> usize {
    zip.windows(4).position(|w| w == b"PK\x01\x02").unwrap()
}

#[test]
fn what_is_no_whole_zip_is_refused() {
    let zip = stored(&gray(1, 1, &[9]));
    assert_refused(profile(&file(&[])), "empty_file", &[]);
    assert_refused(profile(&file(b"a,b\n1,2\n")), "corrupt_file", &["not a whole zip"]);
    assert_refused(profile(&file(&zip[..zip.len() - 30])), "corrupt_file", &["push it"]);
    let empty = zip_bytes(&[], CompressionMethod::Stored);
    assert_refused(profile(&file(&empty)), "no_rows", &["holds no images", "cat/1.png"]);
    let text = zip_bytes(&[("a.csv", b"1,2")], CompressionMethod::Stored);
    assert_refused(profile(&file(&text)), "no_rows", &["holds no images"]);
}

#[test]
fn a_missing_file_may_be_tried_again() {
    let missing = crate::profile::images::profile(Path::new("/nowhere/data"), &limits());
    let Err(error) = missing else { panic!("read") };
    assert!(error.cause().retryable);
}

#[test]
fn a_damaged_entry_is_named() {
    let mut zip = stored(&gray(1, 1, &[9]));
    let place = central(&zip) - 20;
    zip[place] ^= 0xff;
    assert_refused(profile(&file(&zip)), "corrupt_file", &["`a/1.png` is damaged"]);
}

#[test]
fn an_encrypted_entry_is_named() {
    let mut zip = stored(&gray(1, 1, &[9]));
    let central = central(&zip);
    zip[6] |= 1;
    zip[central + 8] |= 1;
    assert_refused(profile(&file(&zip)), "bad_image", &["`a/1.png`", "without a password"]);
}

#[test]
fn another_compression_is_named() {
    let mut zip = stored(&gray(1, 1, &[9]));
    let central = central(&zip);
    zip[8] = 14;
    zip[central + 10] = 14;
    assert_refused(profile(&file(&zip)), "bad_image", &["`a/1.png`", "plain deflate"]);
}

#[test]
fn bombs_stop_at_the_limit_whatever_they_declare() {
    let (images, labels) = (idx_images([2_000, 32, 32], &[0; 2_048_000]), idx_labels(&[0; 2_000]));
    let entries: [(&str, &[u8]); 2] = [("x-images-idx3", &images), ("x-labels-idx1", &labels)];
    let honest = zip_bytes(&entries, CompressionMethod::Deflated);
    assert!(honest.len() < 10_000);
    assert_refused(profile(&file(&honest)), "decoded_too_large", &["1048576 bytes"]);
    let mut lying = honest;
    let central = central(&lying);
    for place in [22, central + 24] {
        lying[place..place + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    let Err(error) = profile(&file(&lying)) else { panic!("read") };
    assert!(["decoded_too_large", "corrupt_file", "bad_image"].contains(&&*error.cause().code));
    let twice = zip_of(&[("x-images-idx3.gz", &gzip(&images)), ("x-labels-idx1", &labels)]);
    assert_refused(profile(&twice), "decoded_too_large", &[]);
}

/// A small PNG file may hold very many pixels.
#[test]
fn decoded_pixels_count_against_the_limit() {
    let file = zip_of(&[("a/1.png", &gray(1_200, 1_000, &[0; 1_200_000]))]);
    assert_refused(profile(&file), "decoded_too_large", &[]);
    let small = zip_of(&[("a/1.png", &gray(1, 1, &[0])), ("b/1.png", &gray(1, 1, &[1]))]);
    let enlarged = read(&small, &["a", "b"], [1_000, 1_000, 1], Split::Training);
    assert_refused(enlarged, "decoded_too_large", &[]);
}

#[test]
fn rows_are_limited() {
    let (images, labels) = (idx_images([1_001, 1, 1], &[0; 1_001]), idx_labels(&[0; 1_001]));
    let many = zip_of(&[("images-idx3", &images), ("labels-idx1", &labels)]);
    assert_refused(profile(&many), "too_many_rows", &["1000 rows"]);
    let image = gray(1, 1, &[9]);
    let names: Vec<String> = (0..1_001).map(|i| format!("a/{i}.png")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (&name[..], &image[..])).collect();
    assert_refused(profile(&zip_of(&entries)), "too_many_rows", &[]);
}

/// Nothing is written anywhere: the folders above mean nothing.
#[test]
fn names_that_climb_out_are_only_names() {
    let image = gray(1, 1, &[9]);
    let file = zip_of(&[
        ("../../etc/cats/1.png", &image),
        ("/dogs/1.png", &image),
        ("windows\\birds\\1.png", &image),
    ]);
    let raw = read(&file, &["birds", "cats", "dogs"], [1, 1, 1], Split::Training).unwrap();
    assert_eq!(raw.targets, [1.0, 2.0, 0.0]);
    let outside = zip_of(&[("../1.png", &image)]);
    assert_refused(profile(&outside), "bad_image", &["in no folder"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens to a file on its way, reading it ends with a profile or an error.
    #[test]
    fn no_damage_ends_in_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        stored: bool,
    ) {
        let jpeg = DynamicImage::ImageLuma8(GrayImage::from_pixel(9, 9, image::Luma([90])));
        let jpeg = encoded(&jpeg, ImageFormat::Jpeg);
        let method = if stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let folders = zip_bytes(&[("a/1.png", &gray(3, 3, &[9; 9])), ("b/1.jpg", &jpeg)], method);
        let idx = zip_bytes(
            &[
                ("images-idx3.gz", &gzip(&idx_images([2, 2, 1], &[1, 2, 3, 4]))),
                ("labels-idx1", &idx_labels(&[0, 1])),
            ],
            method,
        );
        for mut bytes in [folders, idx] {
            for (place, value) in &changes {
                *place.get_mut(&mut bytes) = *value;
            }
            if let Some(end) = cut {
                bytes.truncate(end.index(bytes.len()));
            }
            if let Err(error) = profile(&file(&bytes)) {
                prop_assert!(!error.cause().message.is_empty());
            }
        }
    }
}

/// The same with the images themselves, behind an archive whose checksums are right.
#[test]
fn no_damaged_image_ends_in_a_panic() {
    let image = DynamicImage::ImageRgb8(RgbImage::from_fn(9, 7, |x, y| {
        image::Rgb([(x * 20) as u8, (y * 30) as u8, 7])
    }));
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let whole = encoded(&image, format);
        for place in 0..whole.len() {
            for value in [0, 0xff, whole[place] ^ 1] {
                let mut bytes = whole.clone();
                bytes[place] = value;
                if let Ok(decoder) = picture::decoder(&bytes)
                    && picture::decoded_bytes(&decoder) < 1 << 20
                {
                    picture::decode(decoder).map_or_else(|why| assert!(!why.is_empty()), drop);
                }
            }
        }
    }
}

use super::*;

#[test]
fn folders_name_the_class_and_images_are_scaled() {
    let dark = gray(2, 2, &[10, 10, 30, 30]);
    let light = gray(4, 4, &[200; 16]);
    let red = color(1, 1, [255, 0, 0]);
    let file = zip_of(&[
        ("pets/cats/", b""),
        ("pets/cats/1.png", &dark),
        ("pets/dogs/1.PNG", &light),
        ("pets/dogs/deep red.png", &red),
        ("pets/readme.txt", b"hello"),
        ("__MACOSX/pets/cats/._1.png", b"x"),
        ("pets/cats/.DS_Store", b"x"),
        ("pets/cats/Thumbs.db", b"x"),
    ]);
    let raw = read(&file, &["cats", "dogs"], [1, 1, 1], Split::Training).unwrap();
    assert_eq!(raw.targets, [0.0, 1.0, 1.0]);
    // Luma of pure red by Rec. 709: 0.2126 * 255.
    assert_eq!(raw.batch(&[0, 1, 2], None), [20.0 / 255.0, 200.0 / 255.0, 54.0 / 255.0]);
    let raw = read(&file, &["cats", "dogs"], [2, 1, 3], Split::Training).unwrap();
    let third = raw.batch(&[2], None);
    assert_eq!(third, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn jpeg_files_are_read_by_what_they_are_and_not_by_name() {
    let image = DynamicImage::ImageRgb8(RgbImage::from_pixel(8, 8, image::Rgb([200, 40, 90])));
    let jpeg = encoded(&image, ImageFormat::Jpeg);
    let file = zip_of(&[("a/1.jpg", &jpeg), ("a/2.jpeg", &jpeg), ("b/misnamed.png", &jpeg)]);
    let raw = read(&file, &["a", "b"], [1, 1, 3], Split::Training).unwrap();
    let first = raw.batch(&[0], None);
    for (got, expected) in first.iter().zip([200.0, 40.0, 90.0]) {
        assert!((got * 255.0 - expected).abs() < 6.0, "{first:?}");
    }
    assert_eq!(raw.batch(&[2], None), first);
}

#[test]
fn train_and_test_folders_are_parts_and_a_class_may_be_called_test() {
    let image = gray(1, 1, &[9]);
    let file = zip_of(&[
        ("data/train/cats/1.png", &image),
        ("data/train/dogs/1.png", &image),
        ("data/test/dogs/2.png", &image),
    ]);
    assert_eq!(read(&file, &["cats", "dogs"], [1, 1, 1], Split::Training).unwrap().rows(), 2);
    let test = read(&file, &["cats", "dogs"], [1, 1, 1], Split::Test).unwrap();
    assert_eq!(test.targets, [1.0]);
    let warnings = profile(&file).unwrap().warnings;
    assert!(warnings.iter().any(|w| w.contains("a test part of its own")), "{warnings:?}");
    let file = zip_of(&[("test/1.png", &image), ("trial/1.png", &image)]);
    assert_eq!(read(&file, &["test", "trial"], [1, 1, 1], Split::Training).unwrap().rows(), 2);
}

#[test]
fn a_profile_warns_of_sizes_labels_and_imbalance() {
    let mut entries = vec![];
    for i in 0..50 {
        entries.push((format!("many/{i}.png"), gray(2, 2, &[i, 0, 0, 0])));
    }
    entries.push(("few/1.png".into(), gray(2, 2, &[7, 0, 0, 0])));
    entries.push(("few/2.png".into(), color(3, 5, [1, 2, 3])));
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(n, b)| (&n[..], &b[..])).collect();
    let profile = profile(&zip_of(&entries)).unwrap();
    assert_eq!((profile.rows, profile.duplicate_rows), (52, 0));
    let image = profile.column("image").unwrap();
    assert_eq!((image.image, image.distinct), (Some([2, 2, 3]), 51));
    for part in [
        "2 to 3 pixels high, 2 to 5 wide, and 51 of them are gray",
        "1 images appear again under another label",
        "is `few` in only 2 of 52 rows",
        "52 rows: a model learns little",
    ] {
        assert!(
            profile.warnings.iter().any(|w| w.contains(part)),
            "{part}: {:?}",
            profile.warnings
        );
    }
}

#[test]
fn a_folder_whose_name_means_missing_has_no_label() {
    let image = gray(1, 1, &[9]);
    let file = zip_of(&[("a/1.png", &image), ("b/1.png", &image), ("NA/1.png", &image)]);
    let raw = read(&file, &["a", "b"], [1, 1, 1], Split::Training).unwrap();
    assert_eq!((raw.rows(), raw.rows_without_target), (2, 1));
    assert_eq!(profile(&file).unwrap().column("label").unwrap().missing, 1);
}

#[test]
fn what_is_no_image_is_refused_by_name() {
    let png = gray(40, 40, &[7; 1_600]);
    let wide = gray(1, 4_097, &[0; 4_097]);
    for (name, bytes, says) in [
        ("cats/1.png", &b"GIF89a......"[..], "neither a PNG nor a JPEG"),
        ("cats/1.png", b"", "neither a PNG nor a JPEG"),
        ("cats/1.png", &png[..40], "cannot be decoded"),
        ("cats/1.png", &png[..png.len() - 20], "cannot be decoded"),
        ("cats/1.png", &wide, "larger than 4096 x 4096"),
        ("1.png", &png, "in no folder"),
        ("cats/1.gif", &png, "convert it to PNG or JPEG"),
    ] {
        let file = zip_of(&[(name, bytes)]);
        assert_refused(profile(&file), "bad_image", &[&format!("`{name}`"), says]);
    }
}

#[test]
fn a_new_folder_is_no_class_of_an_old_specification() {
    let file = zip_of(&[("birds/1.png", &gray(1, 1, &[9]))]);
    let says = ["`birds/1.png`", "`birds` is not one of the 2 classes", "submit the job again"];
    assert_refused(read(&file, &["cats", "dogs"], [1, 1, 1], Split::Training), "bad_image", &says);
}

use super::*;

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

#[test]
fn files_are_read_compressed_or_not_and_the_test_part_apart() {
    let (images, labels) =
        (idx_images([3, 1, 2], &[0, 51, 102, 153, 204, 255]), idx_labels(&[7, 2, 7]));
    let (test_images, test_labels) = (idx_images([1, 1, 2], &[255, 0]), idx_labels(&[2]));
    let plain: [&[u8]; 4] = [&images, &labels, &test_images, &test_labels];
    let gzipped = plain.map(gzip);
    let named: Vec<(String, &[u8])> = NAMES
        .iter()
        .zip(&gzipped)
        .map(|(name, bytes)| (format!("mnist/{name}.gz"), &bytes[..]))
        .collect();
    let named: Vec<(&str, &[u8])> = named.iter().map(|(name, bytes)| (&name[..], *bytes)).collect();
    let plain: Vec<(&str, &[u8])> = NAMES.into_iter().zip(plain).collect();
    for file in [zip_of(&plain), zip_of(&named)] {
        let training = read(&file, &["2", "7"], [1, 2, 1], Split::Training).unwrap();
        assert_eq!(training.targets, [1.0, 0.0, 1.0]);
        assert_eq!(training.batch(&[2, 0], None), [0.8, 1.0, 0.0, 0.2]);
        assert!(RawImages::has_test(file.path(), &limits()).unwrap());
        let test = read(&file, &["2", "7"], [1, 2, 1], Split::Test).unwrap();
        assert_eq!((test.targets.as_slice(), test.batch(&[0], None)), (&[0.0][..], vec![1.0, 0.0]));
    }
}

#[test]
fn a_test_part_alone_is_a_dataset_of_its_own() {
    let file =
        zip_of(&[(NAMES[2], &idx_images([2, 1, 1], &[5, 6])), (NAMES[3], &idx_labels(&[0, 1]))]);
    assert_eq!(read(&file, &["0", "1"], [1, 1, 1], Split::Training).unwrap().rows(), 2);
    assert!(!RawImages::has_test(file.path(), &limits()).unwrap());
    assert_refused(read(&file, &["0", "1"], [1, 1, 1], Split::Test), "no_rows", &[]);
}

#[test]
fn a_profile_lists_the_digits_and_a_specification_follows_from_it() {
    let pixels: Vec<u8> = (0..40).flat_map(|i| [i as u8 % 20, 3]).collect();
    let labels: Vec<u8> = (0..40).map(|i| i % 20 % 3).collect();
    let file =
        zip_of(&[(NAMES[0], &idx_images([40, 2, 1], &pixels)), (NAMES[1], &idx_labels(&labels))]);
    let profile = profile(&file).unwrap();
    assert_eq!((profile.rows, profile.duplicate_rows), (40, 20));
    let image = profile.column("image").unwrap();
    assert_eq!((image.kind, image.image, image.distinct), (ColumnType::Image, Some([2, 1, 1]), 20));
    let label = profile.column("label").unwrap();
    assert_eq!((label.kind, label.distinct), (ColumnType::Categorical, 3));
    let values: Vec<_> =
        label.values.iter().flatten().map(|v| (v.value.as_str(), v.rows)).collect();
    assert_eq!(values, [("0", 14), ("1", 14), ("2", 12)]);
    let spec = spec(&profile);
    assert_eq!(spec.classes, ["0", "1", "2"]);
    let raw = RawImages::read(file.path(), &limits(), &spec, [2, 1, 1], Split::Training).unwrap();
    assert_eq!(raw.targets[..4], [0.0, 1.0, 2.0, 0.0]);
}

fn refused(images: &[u8], labels: &[u8], says: &[&str]) {
    let file = zip_of(&[(NAMES[0], images), (NAMES[1], labels)]);
    assert_refused(profile(&file), "bad_image", says);
    assert_refused(read(&file, &["0", "1"], [1, 1, 1], Split::Training), "bad_image", says);
}

#[test]
fn files_that_are_not_whole_are_refused_by_name() {
    let (images, labels) = (idx_images([2, 1, 1], &[5, 6]), idx_labels(&[0, 1]));
    let image_file = "`train-images-idx3-ubyte`";
    refused(
        &images[..17],
        &labels,
        &[image_file, "says 2 bytes and 1 follow", "push the whole one"],
    );
    refused(&images[..9], &labels, &[image_file, "ends within its header"]);
    refused(&[], &labels, &[image_file, "starts with [0, 0, 8, 3] and this one with []"]);
    refused(&[&images[..], &[0]].concat(), &labels, &[image_file, "says 2 bytes and 3 follow"]);
    refused(&labels, &images, &[image_file, "starts with [0, 0, 8, 3]"]);
    let label_file = "`train-labels-idx1-ubyte`";
    refused(&images, &labels[..9], &[label_file, "says 2 bytes and 1 follow"]);
    refused(&images, &idx_labels(&[0, 1, 1]), &[label_file, "3 labels for 2 images"]);
}

#[test]
fn sizes_that_no_image_has_are_refused() {
    let labels = idx_labels(&[]);
    refused(&idx_images([0, 0, 5], &[]), &labels, &["0 x 5 pixels", "1 to 4096"]);
    refused(&idx_images([u32::MAX; 3], &[]), &labels, &["4294967295 x 4294967295"]);
    refused(&idx_images([u32::MAX, 4096, 4096], &[]), &labels, &["72057594021150720 bytes"]);
    let none = zip_of(&[(NAMES[0], &idx_images([0, 2, 2], &[])), (NAMES[1], &labels)]);
    assert_refused(profile(&none), "no_rows", &["at least one of each class"]);
}

#[test]
fn files_without_their_partner_or_with_a_twin_are_refused() {
    let (images, labels) = (idx_images([1, 1, 1], &[5]), idx_labels(&[0]));
    let alone = zip_of(&[(NAMES[0], &images), (NAMES[3], &labels)]);
    assert_refused(profile(&alone), "bad_image", &[NAMES[0], "add `train-labels-idx1-ubyte`"]);
    let twins = zip_of(&[
        (NAMES[0], &images),
        (NAMES[1], &labels),
        ("more-images-idx3", &images),
        ("more-labels-idx1", &labels),
    ]);
    assert_refused(profile(&twins), "bad_image", &["more-images-idx3", "keep one pair"]);
}

#[test]
fn a_label_of_no_class_names_its_image() {
    let file =
        zip_of(&[(NAMES[0], &idx_images([2, 1, 1], &[5, 6])), (NAMES[1], &idx_labels(&[0, 9]))]);
    let says = ["image 2", "`9` is not one of the 2 classes"];
    assert_refused(read(&file, &["0", "1"], [1, 1, 1], Split::Training), "bad_image", &says);
}

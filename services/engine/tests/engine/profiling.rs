//! Profiles of small tables made for one question each, and of real files.

use domain::dataset::{ColumnType, Compression, Format, Profile};

use crate::samples::{Scratch, breast_cancer, real_data};

fn profile(csv: &str) -> Profile {
    Scratch::new(csv).profile().unwrap()
}

#[track_caller]
fn warned(profile: &Profile, words: &str) {
    assert!(profile.warnings.iter().any(|w| w.contains(words)), "{:#?}", profile.warnings);
}

#[test]
fn every_type_is_found() {
    let profile = profile(
        "int,float,bool,cat,empty\n1,1.5,true,a,NA\n-2,2,False,b,\n+3,1e3,TRUE,a,null\n,?,N/A,nan,?\n",
    );
    let kinds: Vec<ColumnType> = profile.columns.iter().map(|c| c.kind).collect();
    use ColumnType::*;
    assert_eq!(kinds, [Integer, Float, Boolean, Categorical, Empty]);
    let missing: Vec<u64> = profile.columns.iter().map(|c| c.missing).collect();
    assert_eq!(missing, [1, 1, 1, 1, 4]);
    let float = profile.column("float").unwrap();
    assert_eq!((float.min, float.max), (Some(1.5), Some(1000.0)));
    assert!((float.mean.unwrap() - 1003.5 / 3.0).abs() < 1e-9);
    let cat = profile.column("cat").unwrap();
    let values: Vec<_> = cat.values.iter().flatten().map(|v| (v.value.as_str(), v.rows)).collect();
    assert_eq!(values, [("a", 2), ("b", 1)]);
    warned(&profile, "column `empty` is empty");
    warned(&profile, "4 rows: a model learns little");
}

#[test]
fn text_has_more_values_than_categories_may() {
    let mut csv = String::from("few,many\n");
    (0..30).for_each(|i| csv += &format!("v{},t{i}\n", i % 20));
    let profile = profile(&csv);
    assert_eq!(profile.columns[0].kind, ColumnType::Categorical);
    assert_eq!(profile.columns[1].kind, ColumnType::Text);
    assert_eq!(profile.columns[1].distinct, 30);
}

#[test]
fn counting_stops_at_ten_thousand() {
    let csv: String =
        std::iter::once("id\n".to_owned()).chain((0..12_000).map(|i| format!("{i}\n"))).collect();
    let profile = profile(&csv);
    let id = &profile.columns[0];
    assert_eq!((id.distinct, id.distinct_is_exact, id.values.is_none()), (10_000, false, true));
    warned(&profile, "column `id` looks like an identifier");
}

#[test]
fn infinite_values_and_stray_words_are_named() {
    let mut csv = String::from("x,y\ninf,1\n-Infinity,oops\n");
    (0..40).for_each(|i| csv += &format!("{},{i}\n", f64::from(i) + 0.5));
    let profile = profile(&csv);
    let x = profile.column("x").unwrap();
    assert_eq!((x.kind, x.infinite, x.min), (ColumnType::Float, 2, Some(0.5)));
    warned(&profile, "column `x` is infinite in 2 rows");
    warned(&profile, "column `y` is not numeric because of `oops` in row 2 (line 3): 1 of its 42");
}

#[test]
fn rows_and_columns_to_look_at() {
    let mut csv = String::from("same,hole,label\n1,5,no\n1,5,no\n");
    (0..100).for_each(|i| csv += &format!("1,,{}\n", if i == 7 { "yes" } else { "no" }));
    let profile = profile(&csv);
    assert_eq!(profile.duplicate_rows, 99);
    warned(&profile, "99 rows repeat an earlier one");
    warned(&profile, "column `same` holds the same value in every row");
    warned(&profile, "column `hole` is missing in 100 of 102 rows");
    warned(&profile, "column `label` is `yes` in only 1 of 102 rows (1.0 %)");
}

#[test]
fn numbers_at_the_edge_of_the_range_keep_the_profile_finite() {
    let profile = profile("x\n1e308\n-1e308\n1e308\n1e999\n");
    let x = &profile.columns[0];
    assert_eq!((x.infinite, x.min, x.max), (1, Some(-1e308), Some(1e308)));
    assert!(x.mean.is_none_or(f64::is_finite));
    assert!(serde_json::to_string(&profile).unwrap().contains("1e308") || x.max.is_some());
}

#[test]
fn breast_cancer_has_569_rows_and_two_classes() {
    let profile = Scratch::new(breast_cancer()).profile().unwrap();
    assert_eq!((profile.rows, profile.columns.len(), profile.duplicate_rows), (569, 32, 0));
    let diagnosis = profile.column("diagnosis").unwrap();
    let values: Vec<_> =
        diagnosis.values.iter().flatten().map(|v| (v.value.as_str(), v.rows)).collect();
    assert_eq!(values, [("B", 357), ("M", 212)]);
    assert_eq!(profile.column("radius_mean").unwrap().kind, ColumnType::Float);
    warned(&profile, "column `id` looks like an identifier");
}

#[test]
fn real_files_have_the_profile_that_their_description_gives() {
    let Some(adult) = real_data("adult/train.csv.gz") else { return };
    let adult = Scratch::with(adult, Format::Csv, Compression::Gzip).profile().unwrap();
    assert_eq!(adult.rows, 32_561);
    let income = adult.column("income").unwrap();
    assert_eq!(income.values.as_ref().unwrap()[1].rows, 7_841);
    assert!(adult.columns.iter().any(|c| c.missing > 1_000));

    let Some(housing) = real_data("california-housing/housing.csv.gz") else { return };
    let housing = Scratch::with(housing, Format::Csv, Compression::Gzip).profile().unwrap();
    assert_eq!(housing.rows, 20_640);
    assert_eq!(housing.column("total_bedrooms").unwrap().missing, 207);
    assert_eq!(housing.column("ocean_proximity").unwrap().kind, ColumnType::Categorical);
}

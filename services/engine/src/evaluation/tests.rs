//! Every figure against scikit-learn 1.9.1 on the same numbers: both sides draw them from one linear
//! congruential generator (Knuth's MMIX constants, the upper 53 bits as a fraction) in the order in
//! which the functions below do, and scikit-learn's figures are copied here.

use proptest::prelude::*;

use super::*;

struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

struct Sample {
    task: Task,
    outputs: usize,
    answers: Vec<f64>,
    targets: Vec<f64>,
}

impl Sample {
    fn new(task: Task, outputs: usize, answers: &[f64], targets: &[f64]) -> Self {
        Self { task, outputs, answers: answers.to_vec(), targets: targets.to_vec() }
    }

    fn predictions(&self) -> Predictions<'_> {
        let Self { task, outputs, answers, targets } = self;
        Predictions { task: *task, outputs: *outputs, answers, targets }
    }

    fn metric(&self, wanted: Metric) -> Option<f64> {
        metric(wanted, &self.predictions())
    }

    fn assert(&self, figures: &[(Metric, f64)]) {
        for &(metric, expected) in figures {
            let value = self.metric(metric).unwrap();
            close(value, expected, metric.as_str());
        }
    }

    fn evaluate(&self, classes: &[&str]) -> Evaluation {
        let classes: Vec<String> = classes.iter().map(|&c| c.to_owned()).collect();
        let p = self.predictions();
        evaluate(EvaluationSplit::Test, 0.25, &Metric::ALL, &classes, &p)
    }
}

fn close(value: f64, expected: f64, what: &str) {
    let error = (value - expected).abs() / expected.abs().max(1.0);
    assert!(error < 1e-12, "{what}: {value} is not {expected}");
}

/// 200 rows with 41 distinct probabilities, 0, 1 and the edges of bins among them.
fn binary() -> Sample {
    let mut draws = Draws(1);
    let mut sample = Sample::new(Task::BinaryClassification, 1, &[], &[]);
    for _ in 0..200 {
        let probability = (draws.next() * 41.0).floor() / 40.0;
        sample.answers.push(probability);
        sample.targets.push(f64::from(draws.next() < 0.2 + 0.6 * probability));
    }
    sample
}

/// 150 rows of 4 classes.
fn multiclass() -> Sample {
    let mut draws = Draws(2);
    let mut sample = Sample::new(Task::MulticlassClassification, 4, &[], &[]);
    for _ in 0..150 {
        let class = (draws.next() * 4.0).floor() as usize;
        let raw = [0, 1, 2, 3].map(|i| draws.next() + if i == class { 0.5 } else { 0.05 });
        let sum = raw.iter().fold(0.0, |sum, r| sum + r);
        sample.answers.extend(raw.map(|r| r / sum));
        sample.targets.push(class as f64);
    }
    sample
}

fn values(seed: u64, rows: usize, outputs: usize) -> Sample {
    let mut draws = Draws(seed);
    let mut sample = Sample::new(Task::Forecasting, outputs, &[], &[]);
    for i in 0..rows * outputs {
        let truth = (10.0 * draws.next() - 3.0) * (i % outputs + 1) as f64;
        sample.targets.push(truth);
        sample.answers.push(truth + (draws.next() - 0.4) * 4.0);
    }
    sample
}

#[test]
fn binary_figures() {
    binary().assert(&[
        (Metric::Accuracy, 0.71),
        (Metric::Precision, 0.7204301075268817),
        (Metric::Recall, 0.6767676767676768),
        (Metric::F1, 0.6979166666666666),
        (Metric::Auc, 0.7545754575457546),
        (Metric::PrAuc, 0.6991414261465975),
        (Metric::LogLoss, 0.9687267251439781),
        (Metric::BrierScore, 0.207528125),
        // The mean of |difference| in calibration_curve(n_bins=10), weighted by rows.
        (Metric::CalibrationError, 0.13812500000000003),
    ]);
}

#[test]
fn binary_report_and_curves() {
    let evaluation = binary().evaluate(&["no", "yes"]);
    assert_eq!(evaluation.confusion_matrix, Some(vec![vec![75, 26], vec![32, 67]]));
    let report = evaluation.per_class.unwrap();
    assert_eq!((report[0].class.as_str(), report[0].support), ("no", 101));
    close(report[0].precision, 75.0 / 107.0, "precision");
    close(report[1].f1, 0.6979166666666666, "f1");

    let bins = evaluation.calibration.unwrap();
    let rows: Vec<u64> = bins.iter().map(|b| b.rows).collect();
    assert_eq!(rows, [21, 18, 22, 23, 23, 20, 22, 20, 17, 14]);
    close(bins[3].mean_predicted, 0.366304347826087, "mean of a bin");
    close(bins[3].share_positive, 0.43478260869565216, "share of a bin");
    assert_eq!((bins[2].from, bins[2].to), (0.2, 0.3));

    // roc_curve(drop_intermediate=False)
    let roc = evaluation.roc_curve.unwrap();
    assert_eq!(roc.len(), 42);
    assert_eq!((roc[0].false_positive_rate, roc[0].threshold), (0.0, None));
    close(roc[20].false_positive_rate, 0.25742574257425743, "false positive rate");
    close(roc[20].true_positive_rate, 0.6767676767676768, "true positive rate");
    assert_eq!(roc[20].threshold, Some(0.525));

    // precision_recall_curve, from its end
    let curve = evaluation.precision_recall_curve.unwrap();
    assert_eq!((curve[0].recall, curve[0].precision), (0.0, 1.0));
    for (point, (precision, recall, threshold)) in curve[1..].iter().zip([
        (1.0, 2.0 / 99.0, 1.0),
        (0.5, 2.0 / 99.0, 0.975),
        (6.0 / 9.0, 6.0 / 99.0, 0.95),
        (10.0 / 14.0, 10.0 / 99.0, 0.925),
    ]) {
        close(point.precision, precision, "precision");
        close(point.recall, recall, "recall");
        assert_eq!(point.threshold, Some(threshold));
    }
    assert_eq!(curve.last().unwrap().recall, 1.0);
}

#[test]
fn multiclass_figures() {
    let sample = multiclass();
    sample.assert(&[
        (Metric::Accuracy, 0.78),
        (Metric::Precision, 0.7837719298245615),
        (Metric::Recall, 0.769854514334617),
        (Metric::F1, 0.7729313123282686),
        (Metric::LogLoss, 0.9594674856556334),
    ]);
    assert_eq!(sample.metric(Metric::Auc), None);
    let evaluation = sample.evaluate(&["a", "b", "c", "d"]);
    let matrix = vec![vec![19, 4, 4, 3], vec![3, 33, 1, 4], vec![0, 1, 36, 4], vec![2, 0, 7, 29]];
    assert_eq!(evaluation.confusion_matrix, Some(matrix));
    let report = evaluation.per_class.unwrap();
    assert_eq!((report[3].class.as_str(), report[3].support), ("d", 38));
    close(report[3].precision, 0.725, "precision");
    close(report[3].recall, 0.7631578947368421, "recall");
    close(report[3].f1, 0.7435897435897436, "f1");
    assert!(evaluation.roc_curve.is_none() && evaluation.residuals.is_none());
}

#[test]
fn classes_that_are_nowhere_are_not_averaged_over() {
    // Class 2 is never predicted; class 3 is neither predicted nor true.
    let answers = [
        [0.7, 0.1, 0.1, 0.1],
        [0.2, 0.6, 0.1, 0.1],
        [0.1, 0.8, 0.1, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.6, 0.2, 0.0, 0.2],
    ];
    let targets = [0.0, 0.0, 1.0, 1.0, 2.0];
    Sample::new(Task::MulticlassClassification, 4, &answers.concat(), &targets).assert(&[
        (Metric::Precision, 0.38888888888888884),
        (Metric::Recall, 0.5),
        (Metric::F1, 0.43333333333333335),
        (Metric::LogLoss, 7.646581959360839),
    ]);
}

#[test]
fn figures_of_one_output() {
    let sample = values(3, 100, 1);
    sample.assert(&[
        (Metric::MeanSquaredError, 1.31819450950564),
        (Metric::RootMeanSquaredError, 1.1481265215583343),
        (Metric::MeanAbsoluteError, 0.9548069444199366),
        (Metric::MeanAbsolutePercentageError, 0.8866079942602053),
        (Metric::R2, 0.8348666622658727),
    ]);
    // numpy.quantile
    let expected = [
        -2.3738683932240123,
        -2.060444552577661,
        -1.883103880649298,
        -1.4059405765325526,
        -0.6150614998262987,
        0.2620665673523849,
        0.7290820943665389,
        1.169344231198374,
        1.410456718348938,
    ];
    let residuals = sample.evaluate(&[]).residuals.unwrap();
    assert_eq!(residuals.len(), expected.len());
    for (quantile, expected) in residuals.iter().zip(expected) {
        close(quantile.value, expected, "quantile");
    }
}

#[test]
fn figures_of_two_outputs() {
    values(4, 50, 2).assert(&[
        (Metric::MeanSquaredError, 1.6301807250111742),
        (Metric::RootMeanSquaredError, 1.2761912126826465),
        (Metric::MeanAbsoluteError, 1.0984464720249174),
        (Metric::MeanAbsolutePercentageError, 2.561661533567492),
        (Metric::R2, 0.8746994174565106),
    ]);
}

#[test]
fn a_constant_target_is_explained_or_not() {
    let r2 = |outputs, answers: &[f64], targets: &[f64]| {
        Sample::new(Task::Regression, outputs, answers, targets).metric(Metric::R2)
    };
    assert_eq!(r2(1, &[2.0, 2.0, 3.0], &[2.0; 3]), Some(0.0));
    assert_eq!(r2(1, &[2.0; 3], &[2.0; 3]), Some(1.0));
    let targets = [1.0, 5.0, 2.0, 5.0, 3.0, 5.0];
    assert_eq!(r2(2, &[1.0, 5.0, 2.0, 5.0, 4.0, 5.0], &targets), Some(0.75));
    assert_eq!(r2(2, &[1.0, 5.0, 2.0, 5.0, 4.0, 6.0], &targets), Some(0.25));
    assert_eq!(r2(1, &[1.0], &[2.0]), None);
}

#[test]
fn certain_and_wrong_is_a_large_but_finite_loss() {
    let sample =
        Sample::new(Task::BinaryClassification, 1, &[0.0, 1.0, 0.0, 0.25], &[0.0, 1.0, 1.0, 0.0]);
    sample.assert(&[(Metric::LogLoss, 9.082833865392233)]);
    let zero = Sample::new(Task::Regression, 1, &[0.0, 1.0], &[0.0, 2.0]);
    zero.assert(&[(Metric::MeanAbsolutePercentageError, 0.25)]);
}

#[test]
fn one_class_has_no_ranking() {
    let positive = Sample::new(Task::BinaryClassification, 1, &[0.1, 0.2], &[1.0, 1.0]);
    assert_eq!(positive.metric(Metric::Auc), None);
    positive.assert(&[(Metric::PrAuc, 1.0), (Metric::Precision, 0.0), (Metric::F1, 0.0)]);
    let evaluation = positive.evaluate(&["no", "yes"]);
    assert_eq!(evaluation.roc_curve, None);
    assert_eq!(evaluation.precision_recall_curve.unwrap().len(), 3);

    let negative = Sample::new(Task::BinaryClassification, 1, &[0.1, 0.9], &[0.0, 0.0]);
    assert_eq!((negative.metric(Metric::Auc), negative.metric(Metric::PrAuc)), (None, None));
    negative.assert(&[(Metric::Recall, 0.0), (Metric::BrierScore, 0.41)]);
    assert_eq!(negative.evaluate(&["no", "yes"]).precision_recall_curve, None);
}

#[test]
fn what_is_no_prediction_has_no_figures() {
    let binary = Task::BinaryClassification;
    let multiclass = Task::MulticlassClassification;
    for sample in [
        Sample::new(binary, 1, &[], &[]),
        Sample::new(binary, 0, &[], &[]),
        Sample::new(binary, 1, &[0.5, f64::NAN], &[0.0, 1.0]),
        Sample::new(binary, 1, &[0.5, 0.5], &[0.0, 2.0]),
        Sample::new(binary, 2, &[0.5, 0.5], &[1.0]),
        Sample::new(multiclass, 2, &[0.5, 0.5], &[-1.0]),
        Sample::new(multiclass, 2, &[0.5, 0.5], &[0.5]),
        Sample::new(multiclass, 2, &[0.5, 0.5, 0.1], &[0.0]),
        Sample::new(Task::Regression, 1, &[0.5], &[f64::NAN]),
        Sample::new(Task::Regression, 1, &[f64::INFINITY], &[1.0]),
        Sample::new(Task::Forecasting, 2, &[0.5, 0.5], &[1.0]),
        Sample::new(Task::LanguageModeling, 1, &[0.5], &[1.0]),
    ] {
        for wanted in Metric::ALL {
            assert_eq!(sample.metric(wanted), None, "{:?} {wanted:?}", sample.task);
        }
        let evaluation = sample.evaluate(&["a", "b"]);
        assert!(evaluation.metrics.is_empty() && evaluation.per_class.is_none());
        assert!(evaluation.residuals.is_none() && evaluation.calibration.is_none());
    }
    let huge = Sample::new(Task::Regression, 1, &[1e300, 0.0], &[-1e300, 1.0]);
    assert_eq!(huge.metric(Metric::MeanSquaredError), None);
}

#[test]
fn many_classes_have_no_matrix_but_a_report() {
    let mut answers = vec![0.0; 101];
    answers[7] = 1.0;
    let names: Vec<String> = (0..101).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sample = Sample::new(Task::MulticlassClassification, 101, &answers, &[7.0]);
    let evaluation = sample.evaluate(&names);
    assert_eq!(evaluation.confusion_matrix, None);
    assert_eq!(evaluation.per_class.unwrap()[7].recall, 1.0);
}

#[test]
fn long_curves_keep_their_shape_in_a_hundred_points() {
    // Rare positives that score high: the curve's left end says it all.
    let mut draws = Draws(5);
    let mut sample = Sample::new(Task::BinaryClassification, 1, &[], &[]);
    for _ in 0..20_000 {
        let positive = draws.next() < 0.01;
        let score = draws.next();
        sample.answers.push(if positive { 1.0 - 0.2 * score * score } else { score });
        sample.targets.push(f64::from(positive));
    }
    let evaluation = sample.evaluate(&["no", "yes"]);
    let roc = evaluation.roc_curve.unwrap();
    assert!((90..=100).contains(&roc.len()), "{}", roc.len());
    let area: f64 = roc
        .windows(2)
        .map(|pair| {
            let width = pair[1].false_positive_rate - pair[0].false_positive_rate;
            width * (pair[0].true_positive_rate + pair[1].true_positive_rate) / 2.0
        })
        .sum();
    assert!((area - evaluation.metrics["auc"]).abs() < 1e-3, "{area}");
    let last = roc.last().unwrap();
    assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));

    let curve = evaluation.precision_recall_curve.unwrap();
    assert!((50..=100).contains(&curve.len()), "{}", curve.len());
    let area: f64 = curve.windows(2).map(|p| (p[1].recall - p[0].recall) * p[1].precision).sum();
    assert!((area - evaluation.metrics["pr_auc"]).abs() < 0.02, "{area}");
    assert_eq!(curve.last().unwrap().recall, 1.0);
}

proptest! {
    #[test]
    fn auc_is_the_share_of_ordered_pairs(
        rows in prop::collection::vec((0_u8..6, any::<bool>()), 1..60),
    ) {
        let answers: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 5.0).collect();
        let targets: Vec<f64> = rows.iter().map(|r| f64::from(r.1)).collect();
        let (mut pairs, mut wins) = (0.0, 0.0);
        for positive in rows.iter().filter(|r| r.1) {
            for negative in rows.iter().filter(|r| !r.1) {
                pairs += 1.0;
                wins += match positive.0.cmp(&negative.0) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        let auc = Sample::new(Task::BinaryClassification, 1, &answers, &targets).metric(Metric::Auc);
        prop_assert_eq!(auc.is_some(), pairs > 0.0);
        if let Some(auc) = auc {
            prop_assert!((auc - wins / pairs).abs() < 1e-12);
        }
    }

    #[test]
    fn no_numbers_panic(
        answers in prop::collection::vec(any::<f64>(), 0..30),
        targets in prop::collection::vec(
            prop_oneof![any::<f64>(), Just(0.0), Just(1.0), Just(2.0)], 0..30,
        ),
        outputs in 0_usize..4,
    ) {
        for task in [
            Task::BinaryClassification,
            Task::MulticlassClassification,
            Task::Regression,
            Task::LanguageModeling,
            Task::Forecasting,
            Task::Recommendation,
        ] {
            let evaluation =
                Sample::new(task, outputs, &answers, &targets).evaluate(&["a", "b", "c"]);
            prop_assert!(evaluation.metrics.values().all(|v| v.is_finite()));
        }
    }
}

//! What people ask for, drawn from a seed: each kind by itself.

use std::ops::Range;

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use store::models::{Among, Kind, MetricBound, Order, Search};

use crate::made::{LICENCES, TENANTS, World, skewed, slug};

pub struct Question {
    pub name: &'static str,
    pub draw: fn(&World, &mut ChaCha8Rng) -> Search,
}

/// Ranks of words: of the first ones each is in every twentieth model or more, of the last ones in one of
/// ten thousand.
const COMMON: Range<usize> = 0..20;
const USUAL: Range<usize> = 20..500;
const RARE: Range<usize> = 500..20_000;
const ANY: Range<usize> = 0..20_000;

const ORDERS: [Order; 5] =
    [Order::Updated, Order::Created, Order::Downloads, Order::Likes, Order::Trending];

pub const QUESTIONS: [Question; 20] = [
    Question { name: "nothing, by each order", draw: |_, rng| ordered(rng) },
    Question { name: "text: a common word", draw: |world, rng| text(&[world.word(rng, COMMON)]) },
    Question { name: "text: a usual word", draw: |world, rng| text(&[world.word(rng, USUAL)]) },
    Question { name: "text: a rare word", draw: |world, rng| text(&[world.word(rng, RARE)]) },
    Question { name: "text: two words", draw: |world, rng| text(&two(world, rng)) },
    Question {
        name: "text: a word with a typing error",
        draw: |world, rng| text(&[&mistyped(world.word(rng, ANY), rng)]),
    },
    Question {
        name: "text: the beginning of a word",
        draw: |world, rng| text(&[&world.word(rng, ANY)[..3]]),
    },
    Question {
        name: "text, by each order",
        draw: |world, rng| Search { words: Some(world.word(rng, ANY).to_owned()), ..ordered(rng) },
    },
    Question {
        name: "text: two words, by each order",
        draw: |world, rng| Search { words: Some(two(world, rng).join(" ")), ..ordered(rng) },
    },
    Question { name: "task", draw: |_, rng| Search { kinds: vec![task(rng)], ..ordered(rng) } },
    Question { name: "family", draw: |_, rng| Search { kinds: vec![family(rng)], ..ordered(rng) } },
    Question {
        name: "licence",
        draw: |_, rng| Search { kinds: vec![licence(rng)], ..ordered(rng) },
    },
    Question {
        name: "task, family and licence",
        draw: |_, rng| Search { kinds: kinds(rng), ..ordered(rng) },
    },
    Question {
        name: "tag",
        draw: |world, rng| Search { tags: vec![world.word(rng, ANY).to_owned()], ..ordered(rng) },
    },
    Question {
        name: "metric at least",
        draw: |_, rng| Search { metric: Some(metric(rng)), ..ordered(rng) },
    },
    Question {
        name: "size at most",
        draw: |_, rng| Search { max_bytes: Some(bytes(rng)), ..ordered(rng) },
    },
    Question {
        name: "tenant",
        draw: |_, rng| Search {
            kinds: vec![(Kind::Tenant, slug(skewed(rng, TENANTS)))],
            ..ordered(rng)
        },
    },
    Question {
        name: "all filters",
        draw: |_, rng| Search {
            kinds: kinds(rng),
            metric: Some(metric(rng)),
            max_bytes: Some(bytes(rng)),
            ..ordered(rng)
        },
    },
    Question {
        name: "text and all filters",
        draw: |world, rng| Search {
            kinds: kinds(rng),
            metric: Some(metric(rng)),
            max_bytes: Some(bytes(rng)),
            ..text(&[world.word(rng, ANY)])
        },
    },
    Question {
        name: "what others do not see",
        draw: |_, rng| Search { among: Among::NotPublic, ..ordered(rng) },
    },
];

/// Lists that are long enough for a thousand pages.
pub const LONG: [Question; 4] = [
    Question { name: "everything, by downloads", draw: |_, _| by(Order::Downloads) },
    Question {
        name: "a task, by time",
        draw: |_, rng| Search { kinds: vec![task(rng)], ..by(Order::Created) },
    },
    Question {
        name: "a metric at least, by likes",
        draw: |_, _| {
            let metric = MetricBound { at_least: Some(0.75), ..accuracy() };
            Search { metric: Some(metric), ..by(Order::Likes) }
        },
    },
    Question {
        name: "a common word, by trend",
        draw: |world, _| Search { words: Some(world.words[1].clone()), ..by(Order::Trending) },
    },
];

fn by(order: Order) -> Search {
    Search { order, ..Search::of(Among::Public) }
}

fn ordered(rng: &mut ChaCha8Rng) -> Search {
    by(ORDERS[rng.random_range(0..ORDERS.len())])
}

fn text(words: &[&str]) -> Search {
    Search { words: Some(words.join(" ")), ..by(Order::Relevance) }
}

fn two<'a>(world: &'a World, rng: &mut ChaCha8Rng) -> [&'a str; 2] {
    [world.word(rng, 0..200), world.word(rng, 0..2_000)]
}

fn mistyped(word: &str, rng: &mut ChaCha8Rng) -> String {
    let at = rng.random_range(1..word.len());
    let letter = char::from(b'a' + rng.random_range(0..26));
    format!("{}{letter}{}", &word[..at], &word[at + 1..])
}

fn drawn(kind: Kind, of: &[&str], rng: &mut ChaCha8Rng) -> (Kind, String) {
    (kind, of.choose(rng).copied().unwrap_or_default().to_owned())
}

fn task(rng: &mut ChaCha8Rng) -> (Kind, String) {
    let tasks = ["binary_classification", "multiclass_classification", "regression", "forecasting"];
    drawn(Kind::Task, &tasks, rng)
}

fn family(rng: &mut ChaCha8Rng) -> (Kind, String) {
    drawn(Kind::Family, &["dense", "convolutional", "recurrent", "transformer"], rng)
}

fn licence(rng: &mut ChaCha8Rng) -> (Kind, String) {
    drawn(Kind::Licence, &LICENCES, rng)
}

fn kinds(rng: &mut ChaCha8Rng) -> Vec<(Kind, String)> {
    vec![task(rng), family(rng), licence(rng)]
}

fn accuracy() -> MetricBound {
    MetricBound { name: "val_accuracy".to_owned(), at_least: None, at_most: None }
}

fn metric(rng: &mut ChaCha8Rng) -> MetricBound {
    MetricBound { at_least: Some(rng.random()), ..accuracy() }
}

fn bytes(rng: &mut ChaCha8Rng) -> u64 {
    rng.random_range(6.0..18.0_f64).exp() as u64
}

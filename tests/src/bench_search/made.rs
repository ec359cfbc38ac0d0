//! Models that follow from a seed: the rows that publishing leaves. Words are as common as words are, the
//! `n`th about once where the first comes `n` times; some tenants have many models and most have few; a few
//! models have almost all downloads.

use std::io::Write;

use chrono::{DateTime, Duration};
use domain::Timestamp;
use e2e::bench::Turn;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

pub const SEED: u64 = 7;
pub const TENANTS: usize = 1_000;
const WORDS: usize = 20_000;
const CARD_WORDS: usize = 30;

pub const LICENCES: [&str; 8] =
    ["mit", "apache-2.0", "cc-by-4.0", "gpl-3.0", "bsd-3-clause", "cc-by-nc-4.0", "isc", "mpl-2.0"];
/// A task, and what models of it read.
const TASKS: [(&str, &str); 7] = [
    ("binary_classification", "table"),
    ("multiclass_classification", "table"),
    ("regression", "table"),
    ("binary_classification", "text"),
    ("multiclass_classification", "images"),
    ("language_modeling", "corpus"),
    ("forecasting", "series"),
];
const LAYERS: [&str; 4] = ["Dense", "Conv2D", "LSTM", "TransformerEncoder"];

pub struct World {
    pub words: Vec<String>,
    pub tenants: Vec<Uuid>,
    models: Vec<Model>,
}

/// Its id, its tenant, and what it takes to draw the rest once more.
struct Model {
    id: Uuid,
    tenant: Uuid,
    seed: u64,
    created_at: Timestamp,
}

impl World {
    pub fn draw(models: usize, newest: Timestamp) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let words = words(&mut rng);
        let tenants: Vec<_> = (0..TENANTS).map(|_| Uuid::from_u128(rng.random())).collect();
        let models = (0..models)
            .map(|_| Model {
                id: Uuid::from_u128(rng.random()),
                tenant: tenants[skewed(&mut rng, TENANTS)],
                seed: rng.random(),
                created_at: newest - Duration::seconds(rng.random_range(0..86_400_000)),
            })
            .collect();
        Self { words, tenants, models }
    }

    /// Into an empty database that has been migrated.
    pub fn load(&self, turn: &Turn) -> anyhow::Result<()> {
        turn.load(|to| {
            writeln!(to, "{BEGIN}\ncopy tenant (id, slug, name) from stdin;")?;
            for (n, id) in self.tenants.iter().enumerate() {
                writeln!(to, "{id}\t{}\tTenant {n}", slug(n))?;
            }
            writeln!(to, "\\.\n{MODELS}")?;
            for (n, model) in self.models.iter().enumerate() {
                self.said(to, n, model)?;
            }
            writeln!(to, "\\.\n{VERSIONS}")?;
            for model in &self.models {
                version(to, model)?;
            }
            writeln!(to, "\\.\n{TALLIES}")?;
            for model in &self.models {
                tally(to, model)?;
            }
            Ok(writeln!(to, "\\.\n{SEARCHED}")?)
        })
    }

    /// What its people say of it.
    fn said(&self, to: &mut dyn Write, n: usize, model: &Model) -> anyhow::Result<()> {
        let mut rng = ChaCha8Rng::seed_from_u64(model.seed);
        let mut words = |count: usize, between: &str| {
            let drawn: Vec<_> = (0..count).map(|_| self.word(&mut rng, 0..WORDS)).collect();
            drawn.join(between)
        };
        let (name, description) = (words(2, "-"), words(5, " "));
        let (card, tags) = (words(CARD_WORDS, " "), words(3, ","));
        let licence = LICENCES[skewed(&mut rng, LICENCES.len())];
        let (id, tenant, created) = (model.id, model.tenant, model.created_at.to_rfc3339());
        writeln!(
            to,
            "{id}\t{tenant}\t{name}-{n}\tpublic\t{description}\t{card}\t{licence}\t{{{tags}}}\t{created}"
        )?;
        Ok(())
    }

    /// Of these ranks, as common as it is there.
    pub fn word(&self, rng: &mut ChaCha8Rng, ranks: std::ops::Range<usize>) -> &str {
        let (first, last) = ((ranks.start as f64 + 1.0).ln(), (ranks.end as f64).ln());
        let rank = rng.random_range(first..last).exp();
        &self.words[(rank as usize - 1).min(WORDS - 1)]
    }
}

pub fn slug(tenant: usize) -> String {
    format!("tenant-{tenant}")
}

/// The first of so many most often.
pub fn skewed(rng: &mut ChaCha8Rng, of: usize) -> usize {
    (of as f64 * rng.random::<f64>().powi(2)) as usize
}

/// Of two to four syllables, each once.
fn words(rng: &mut ChaCha8Rng) -> Vec<String> {
    let syllables: Vec<String> = "bcdfghjklmnprstvwz"
        .chars()
        .flat_map(|consonant| "aeiou".chars().map(move |vowel| format!("{consonant}{vowel}")))
        .collect();
    let mut seen = std::collections::HashSet::new();
    let mut words = Vec::new();
    while words.len() < WORDS {
        let length = [2, 3, 3, 4][rng.random_range(0..4)];
        let word: String =
            (0..length).filter_map(|_| syllables.choose(rng).map(String::as_str)).collect();
        if seen.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

fn version(to: &mut dyn Write, model: &Model) -> anyhow::Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(model.seed ^ 1);
    let (task, input) = TASKS[skewed(&mut rng, TASKS.len())];
    let layer = LAYERS[skewed(&mut rng, LAYERS.len())];
    let config = format!(
        r#"{{"task":"{task}","input":{{"type":"{input}"}},"layers":[{{"type":"{layer}"}}]}}"#
    );
    let bytes = rng.random_range(6.0..18.0_f64).exp() as u64;
    let (accuracy, loss) = (rng.random::<f64>(), -rng.random::<f64>().ln());
    let metrics = format!(r#"{{"val_accuracy":{accuracy:.4},"val_loss":{loss:.4}}}"#);
    let digest = format!("\\\\x{}", "11".repeat(32));
    let at: DateTime<_> = model.created_at + Duration::hours(rng.random_range(0..2_000));
    let (id, tenant, at) = (model.id, model.tenant, at.to_rfc3339());
    writeln!(
        to,
        "{id}\t1\t{tenant}\tuploaded\t{config}\t{digest}\t{bytes}\t{digest}\t{metrics}\t{bytes}\t{at}"
    )?;
    Ok(())
}

fn tally(to: &mut dyn Write, model: &Model) -> anyhow::Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(model.seed ^ 2);
    let downloads = (rng.random::<f64>().powi(3) * 14.0).exp() as u64 - 1;
    let likes = downloads / 20;
    let half_lives = model.created_at.timestamp() as f64 / 604_800.0;
    let trending = half_lives + (1.0 + downloads as f64 + 5.0 * likes as f64).log2();
    writeln!(to, "{}\t{downloads}\t{likes}\t{trending}\tt", model.id)?;
    Ok(())
}

/// The triggers are off: what they write comes at the end, from the view that they read.
const BEGIN: &str = "set session_replication_role = replica; set maintenance_work_mem = '1GB';";
const MODELS: &str = "copy model (id, tenant_id, name, visibility, description, card, licence, tags, \
    created_at) from stdin;";
const VERSIONS: &str = "copy model_version (model_id, number, tenant_id, source, config, \
    weights_sha256, weights_bytes, config_sha256, metrics, bytes, created_at) from stdin;";
const TALLIES: &str =
    "copy model_tally (model_id, downloads, likes, trending, is_settled) from stdin;";
const SEARCHED: &str = "\
    analyze;
    create table made_again as
    select indexname, indexdef from pg_indexes
    where tablename = 'public_model' and indexname <> 'public_model_pkey';
    do $$ declare name text; begin
        for name in select indexname from made_again loop execute format('drop index %I', name); end loop;
    end $$;
    insert into public_model (
        id, tenant, name, visibility, description, licence, tags, created_at, version, updated_at, metrics, bytes,
        task, family, input, pipeline, downloads, likes, predictions, trending, title, words, steps)
    select
        id, tenant, name, visibility, description, licence, tags, created_at, version, updated_at, metrics, bytes,
        task, family, input, pipeline, downloads, likes, predictions, trending, title, words, steps
    from model_facts;
    insert into search_word
    select lexeme from model, unnest(to_tsvector('english', card))
    where length(lexeme) between 3 and 40 group by lexeme;";
/// The indexes, once everything is in its place.
pub const INDEXES: &str = "\
    set maintenance_work_mem = '1GB';
    do $$ declare made text; begin
        for made in select indexdef from made_again loop execute made; end loop;
    end $$;
    drop table made_again;
    vacuum analyze public_model;
    vacuum analyze search_word;
    checkpoint;";

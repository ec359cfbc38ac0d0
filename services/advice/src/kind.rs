//! What a dataset is about, as far as its columns tell: images, a text to go on with, who rated what,
//! something that goes on in time, texts, or a table.

use domain::dataset::{ColumnProfile, ColumnType, Profile};

use crate::{columns, season};

/// Parts of the names of columns that say who, and what.
const USERS: [&str; 3] = ["user", "customer", "reader"];
const ITEMS: [&str; 8] = ["item", "movie", "film", "product", "book", "song", "track", "article"];
const RATINGS: [&str; 4] = ["rating", "stars", "score", "target"];
/// A series is forecast from two seasons back, for one ahead: of fewer steps nothing is left to learn.
const LEAST_SEASONS: u64 = 4;
/// Rows of a panel that may be missing at some times.
const PANEL_SHARE: f64 = 0.9;
/// So long a text says something by itself.
const LEAST_CHARS: f64 = 20.0;

pub(crate) enum Kind<'a> {
    Images,
    Corpus,
    Ratings {
        user: &'a str,
        item: &'a str,
        rating: Option<&'a str>,
    },
    Series {
        time: &'a ColumnProfile,
        series: Option<&'a str>,
        target: &'a str,
    },
    Text {
        column: &'a ColumnProfile,
        target: &'a str,
    },
    /// With a text beside the other columns, if there is one worth reading.
    Table {
        target: &'a str,
        text: Option<&'a ColumnProfile>,
    },
}

/// What it is for who wants to predict `target`, or names nothing.
pub(crate) fn of<'a>(profile: &'a Profile, target: Option<&'a str>) -> Kind<'a> {
    let columns = &profile.columns;
    if columns.iter().any(|column| column.kind == ColumnType::Image) {
        return Kind::Images;
    }
    if target.is_none() && columns.len() == 1 {
        return Kind::Corpus;
    }
    if let Some(ratings) = ratings(columns, target) {
        return ratings;
    }
    if let Some(series) = series(profile, target) {
        return series;
    }
    let target = target.or_else(|| columns::guess(profile).map(|column| column.name.as_str()));
    let target = target.unwrap_or_default();
    let others = || columns.iter().filter(|column| column.name != target);
    let text = |column: &&ColumnProfile| {
        let chars = column.chars.map_or(0.0, |chars| chars.mean);
        column.kind == ColumnType::Text && chars >= LEAST_CHARS
    };
    let readable = others().filter(text).max_by(|a, b| chars(a).total_cmp(&chars(b)));
    let cells = others().any(|column| {
        column.kind != ColumnType::Text && columns::useless(column, profile.rows).is_none()
    });
    match readable {
        Some(column) if !cells => Kind::Text { column, target },
        text => Kind::Table { target, text },
    }
}

fn chars(column: &ColumnProfile) -> f64 {
    column.chars.map_or(0.0, |chars| chars.mean)
}

fn named<'a>(columns: &'a [ColumnProfile], words: &[&str]) -> Option<&'a str> {
    let fits = |column: &&ColumnProfile| {
        let name = column.name.to_ascii_lowercase();
        let name = name.strip_suffix("_id").or_else(|| name.strip_suffix("id")).unwrap_or(&name);
        let name = name.trim_end_matches('_');
        words.contains(&name)
    };
    columns.iter().find(fits).map(|column| column.name.as_str())
}

fn ratings<'a>(columns: &'a [ColumnProfile], target: Option<&str>) -> Option<Kind<'a>> {
    let (user, item) = (named(columns, &USERS)?, named(columns, &ITEMS)?);
    let rating = named(columns, &RATINGS);
    let rating =
        rating.filter(|name| columns.iter().any(|c| c.name == *name && c.kind.is_numeric()));
    // who names another column wants something else of the same rows
    (target.is_none() || target == rating).then_some(Kind::Ratings { user, item, rating })
}

/// One row a step, or one a step of each series of a panel.
fn series<'a>(profile: &'a Profile, target: Option<&str>) -> Option<Kind<'a>> {
    let columns = &profile.columns;
    let mut dates = columns.iter().filter(|column| column.kind == ColumnType::Date);
    let (time, None) = (dates.next()?, dates.next()) else { return None };
    let number = |column: &&ColumnProfile| {
        column.kind.is_numeric() && columns::useless(column, profile.rows).is_none()
    };
    let target = match target {
        Some(target) => columns.iter().filter(number).find(|column| column.name == target)?,
        None => columns.iter().rfind(number)?,
    };
    let season = season::of(time).map_or(1, |season| u64::from(season.steps));
    if time.missing > 0 || time.distinct < LEAST_SEASONS * season.max(8) {
        return None;
    }
    let target = target.name.as_str();
    if time.distinct == profile.rows {
        return Some(Kind::Series { time, series: None, target });
    }
    let panel = |column: &&ColumnProfile| {
        let all = (time.distinct * column.distinct) as f64;
        let kind = matches!(column.kind, ColumnType::Categorical | ColumnType::Integer);
        let whole = profile.rows as f64 >= PANEL_SHARE * all && profile.rows as f64 <= all;
        kind && column.name != target && column.distinct >= 2 && whole
    };
    let series = columns.iter().find(panel)?;
    Some(Kind::Series { time, series: Some(&series.name), target })
}

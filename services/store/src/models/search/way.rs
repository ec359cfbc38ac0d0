//! Which way leads soonest to a page. The decision alone.
//!
//! Two ways lead to a page in an order of what fulfils conditions: to walk along the order and take what
//! fulfils them, or to gather all that does from an index and sort it. The first is for what is common, the second
//! for what is rare, and each takes seconds for the other's. How common it is is what the database's statistics say.
//! They take conditions to be independent of each other and of the order: where they are not, the walk ends
//! without a page after some times what was expected, and the rest is gathered.

/// Microseconds, about, for each model: that an index lists, that is found there, and that an order's index has.
const LISTED: f64 = 0.06;
const GATHERED: f64 = 2.2;
const PASSED: f64 = 0.27;
/// More for a model that is passed: for each of what is looked for in its signature, the one or the other, with what
/// is read because a signature has it by chance; and for a metric.
const LOOKED_FOR: f64 = 0.15;
const MEASURED: f64 = 0.3;
/// Of what is common beside something rare, the index lists so many for each of the rare and skips the rest.
const SKIPPED_TO: f64 = 25.0;
/// A walk goes on for so many times what is expected, and so many more.
const PATIENCE: f64 = 3.0;
const LEAST_WALK: f64 = 2_000.0;
/// However rare something is said to be.
const LONGEST_WALK: f64 = 100_000.0;
/// How many models there are, and how many fulfil what is asked for, as the statistics say.
#[derive(Debug, Clone, Default)]
pub(super) struct Estimate {
    pub models: f64,
    /// Each word, tags, kinds together, a tenant: what is asked for of these.
    pub named: Vec<f64>,
    pub by_metric: Option<f64>,
    pub by_bytes: Option<f64>,
    /// Of what is looked for first in a signature.
    pub alternatives: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Along the order, past so many at most.
    Walk(i64),
    Gather(By),
}

/// Whether the index finds what is within the ranges, too, or only what is named: a wide range lists more
/// models there than are left to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct By {
    pub metric: bool,
    pub bytes: bool,
    /// Only what is at least so popular.
    pub least_popularity: Option<i16>,
}

impl By {
    const NAMES: Self = Self { metric: false, bytes: false, least_popularity: None };
    const ALL: Self = Self { metric: true, bytes: true, ..Self::NAMES };
}

impl Estimate {
    /// To a page of so many.
    pub fn way(&self, page: i64) -> Way {
        self.costed(page).0
    }

    /// To so many of the most popular. `shares` are those of all models that have a popularity.
    pub fn way_to_popular(&self, page: i64, shares: &[(i16, f64)]) -> Way {
        let (way, cost) = self.costed(page);
        match self.popular(page, shares) {
            Some((popular, bounded)) if bounded < cost => popular,
            _ => way,
        }
    }

    /// Where the rest is gathered.
    pub fn gathering(&self) -> By {
        self.gathered(None).0
    }

    fn costed(&self, page: i64) -> (Way, f64) {
        let expected = page as f64 / self.share();
        let walk = expected.min(self.models) * self.step();
        let (by, gather) = self.gathered(None);
        if gather < walk || expected > LONGEST_WALK.min(self.models) {
            return (Way::Gather(by), gather);
        }
        (Way::Walk((expected * PATIENCE + LEAST_WALK).min(LONGEST_WALK) as i64), walk)
    }

    fn popular(&self, page: i64, shares: &[(i16, f64)]) -> Option<(Way, f64)> {
        let wanted = page as f64 / (self.models * self.share());
        let mut shares = shares.to_vec();
        shares.sort_by_key(|(popularity, _)| -popularity);
        let mut above = 0.0;
        let (least, _) = shares.into_iter().find(|(_, share)| {
            above += share;
            above >= wanted
        })?;
        let (by, cost) = self.gathered(Some(above * self.models));
        Some((Way::Gather(By { least_popularity: Some(least), ..by }), cost))
    }

    /// How it is gathered best, and how long that takes.
    fn gathered(&self, popular: Option<f64>) -> (By, f64) {
        let ways =
            [By::NAMES, By { metric: true, ..By::NAMES }, By { bytes: true, ..By::NAMES }, By::ALL];
        let costs = ways.map(|by| (by, self.gathered_by(by, popular)));
        costs.into_iter().min_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap_or_default()
    }

    fn gathered_by(&self, by: By, popular: Option<f64>) -> f64 {
        let used = || self.parts(by).chain(popular);
        let rarest = used().fold(f64::INFINITY, f64::min);
        let listed: f64 = used().map(|part| part.min(rarest * SKIPPED_TO)).sum();
        // of nothing that is used, all
        if rarest.is_finite() {
            listed * LISTED + self.models * self.shares(used()) * GATHERED
        } else {
            f64::INFINITY
        }
    }

    fn step(&self) -> f64 {
        let looked_for = if self.named.is_empty() { 0.0 } else { self.alternatives * LOOKED_FOR };
        // only of those whose signatures have the names
        let measured = self.shares(self.parts(By::NAMES)) * MEASURED;
        PASSED + looked_for + self.by_metric.map_or(0.0, |_| measured)
    }

    /// Of all models, that are what is asked for.
    fn share(&self) -> f64 {
        self.shares(self.parts(By::ALL))
    }

    fn parts(&self, by: By) -> impl Iterator<Item = f64> {
        let by_metric = self.by_metric.filter(|_| by.metric);
        let by_bytes = self.by_bytes.filter(|_| by.bytes);
        self.named.iter().copied().chain(by_metric).chain(by_bytes)
    }

    /// That fulfil each of these.
    fn shares(&self, parts: impl Iterator<Item = f64>) -> f64 {
        parts.map(|part| (part.max(1.0) / self.models.max(1.0)).min(1.0)).product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: i64 = 51;
    const MODELS: Estimate = Estimate {
        models: 1e6,
        named: Vec::new(),
        by_metric: None,
        by_bytes: None,
        alternatives: 1.0,
    };

    fn named(models: f64) -> Estimate {
        Estimate { named: vec![models], ..MODELS }
    }

    fn is_walk(estimate: &Estimate) -> bool {
        matches!(estimate.way(PAGE), Way::Walk(_))
    }

    #[test]
    fn what_is_common_is_walked_to_and_what_is_rare_is_gathered() {
        assert_eq!(named(5e4).way(PAGE), Way::Walk(5_060));
        assert_eq!(named(500.0).way(PAGE), Way::Gather(By::default()));
        assert_eq!(named(0.0).way(PAGE), Way::Gather(By::default()));
    }

    #[test]
    fn a_range_is_looked_up_where_it_is_narrow() {
        let metric = Estimate { by_metric: Some(1_000.0), ..MODELS };
        assert_eq!(metric.way(PAGE), Way::Gather(By { metric: true, ..By::NAMES }));
        assert!(is_walk(&Estimate { by_metric: Some(5e5), ..MODELS }));
        let both = Estimate { by_bytes: Some(8e5), ..metric };
        assert_eq!(both.way(PAGE), Way::Gather(By { metric: true, ..By::NAMES }));
    }

    #[test]
    fn what_is_common_and_a_narrow_range_are_looked_up_together() {
        let kinds = Estimate { by_metric: Some(1e4), ..named(8e4) };
        assert_eq!(kinds.way(PAGE), Way::Gather(By { metric: true, ..By::NAMES }));
        assert!(is_walk(&Estimate { by_metric: Some(4e5), ..kinds }));
        let rare = Estimate { by_metric: Some(5e5), ..named(100.0) };
        assert_eq!(rare.way(PAGE), Way::Gather(By::default()));
    }

    #[test]
    fn two_that_are_common_are_gathered_where_few_are_both() {
        let both = Estimate { named: vec![3e4, 3e4], ..MODELS };
        assert_eq!(both.way(PAGE), Way::Gather(By::default()));
        assert!(is_walk(&Estimate { named: vec![1e5, 1e5], ..MODELS }));
    }

    #[test]
    fn the_more_is_looked_for_the_sooner_it_is_gathered() {
        assert!(is_walk(&named(8e3)));
        assert!(!is_walk(&Estimate { alternatives: 30.0, ..named(8e3) }));
    }

    #[test]
    fn of_what_many_have_the_popular_are_enough() {
        let shares = [(0, 0.5), (3, 0.3), (9, 0.15), (12, 0.05)];
        let way = |named: f64| self::named(named).way_to_popular(100, &shares);
        assert!(matches!(way(2e5), Way::Walk(_)), "of what very many have it is as well to walk");
        assert_eq!(way(4e3), Way::Gather(By { least_popularity: Some(12), ..By::NAMES }));
        assert_eq!(way(200.0), Way::Gather(By::default()));
        assert_eq!(named(4e3).way_to_popular(100, &[]), named(4e3).way(100));
    }

    #[test]
    fn of_few_models_any_way_is_short() {
        let few = Estimate { models: 10.0, ..named(2.0) };
        assert_eq!(few.way(PAGE), Way::Gather(By::default()));
        assert_eq!(Estimate { models: 0.0, ..few }.way(PAGE), Way::Gather(By::default()));
    }
}

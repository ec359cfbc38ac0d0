//! Which way leads soonest to a page, as a sample tells. The decision alone.
//!
//! Two ways lead to a page in an order of what fulfils conditions: to walk along the order and take what
//! fulfils them, or to gather all that does and sort it. The first is for what is common, the second for what
//! is rare, and each takes seconds for the other's. How common it is is counted in a sample, since conditions
//! that go together, or exclude each other, are beyond what the planner can know.

/// Microseconds, about, for each model: that lies somewhere; along an order, whole or only its signature; by its id.
const GATHERED: f64 = 3.0;
const READ: f64 = 2.4;
const SIGNED: f64 = 0.23;
/// For each of what is looked for in a signature, the one or the other.
const LOOKED_FOR: f64 = 0.07;
const READ_BY_ID: f64 = 3.5;
/// In the index of kinds, without a metric and with one.
const OF_KIND: f64 = 0.2;
const MEASURED: f64 = 0.7;
/// Among the steps of a range, and read because of it.
const STEPPED: f64 = 3.0;
/// Of some models, by lot, those that fulfil conditions.
#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
pub(super) struct Sample {
    /// That there are, about.
    pub models: f64,
    /// Whose signatures were looked at, and those that may be what is asked for.
    pub looked: i64,
    pub signed: i64,
    /// Of these, that were read.
    pub read: i64,
    /// By words, kinds and tags.
    pub named: i64,
    /// And within the range.
    pub by_metric: i64,
    pub by_bytes: i64,
    /// All conditions.
    pub within: i64,
}

/// What is asked of a model by an index; all else is looked at model by model, of those that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Words, tags, tenant, and kinds together.
    Names,
    /// A task, and kinds beside it.
    Kinds,
    Metric,
    Bytes,
    /// Only what an order's index tells.
    Order,
}

/// What a question asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asks {
    /// A walk does not go further.
    pub longest: f64,
    /// Of what is looked for in a signature.
    pub alternatives: f64,
    /// Words, tags, a tenant, or kinds without the task.
    pub names: bool,
    /// The task, and maybe others.
    pub kinds: bool,
    pub metric: bool,
    pub bytes: bool,
}

impl Sample {
    fn share(&self, of: i64) -> f64 {
        let signed = self.signed as f64 / (self.looked as f64).max(1.0);
        signed * of as f64 / (self.read as f64).max(1.0)
    }

    /// Whether to walk along the order to a page of so many, or by what to gather.
    pub fn way(&self, page: i64, asks: Asks) -> Option<By> {
        let is_signed = asks.names || asks.kinds || asks.bytes;
        let signed = self.signed as f64 / (self.looked as f64).max(1.0);
        let each = if is_signed {
            SIGNED + asks.alternatives * LOOKED_FOR + signed * READ_BY_ID
        } else {
            READ
        };
        let passed = page as f64 / self.share(self.within);
        let is_far = passed > asks.longest && self.models > asks.longest;
        let (by, gather) = self.gathering(asks);
        (self.within == 0 || is_far || gather < passed.min(self.models) * each).then_some(by)
    }

    /// And how long it takes.
    fn gathering(&self, asks: Asks) -> (By, f64) {
        let all = |of: i64| self.share(of) * self.models;
        match asks {
            Asks { names: true, .. } => (By::Names, all(self.named) * GATHERED),
            Asks { kinds: true, metric, .. } => {
                (By::Kinds, all(self.named) * if metric { MEASURED } else { OF_KIND })
            }
            Asks { bytes: true, metric, .. } if !metric || self.by_bytes < self.by_metric => {
                (By::Bytes, all(self.by_bytes) * STEPPED)
            }
            _ => (By::Metric, all(self.by_metric) * STEPPED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Asks = Asks {
        longest: 60_000.0,
        alternatives: 1.0,
        names: false,
        kinds: false,
        metric: false,
        bytes: false,
    };
    const NAMES: Asks = Asks { names: true, ..NOTHING };
    const KINDS: Asks = Asks { kinds: true, ..NOTHING };

    /// Of a million models, of which the signatures of 4,000 were looked at.
    fn sample([signed, read, named]: [i64; 3], within: i64) -> Sample {
        let (models, looked) = (1e6, 4_000);
        Sample { models, looked, signed, read, named, by_metric: within, by_bytes: within, within }
    }

    #[test]
    fn what_is_common_is_walked_to_and_what_is_rare_is_gathered() {
        assert_eq!(sample([500, 300, 240], 240).way(51, NAMES), None);
        assert_eq!(sample([40, 40, 2], 2).way(51, NAMES), Some(By::Names));
        assert_eq!(sample([0, 0, 0], 0).way(51, NAMES), Some(By::Names));
    }

    #[test]
    fn where_one_range_is_asked_for_its_steps_help_if_few_are_in_it() {
        let metric = Asks { metric: true, ..NOTHING };
        assert_eq!(sample([4_000, 500, 500], 1).way(51, metric), Some(By::Metric));
        assert_eq!(sample([4_000, 500, 500], 50).way(51, metric), None);
        let both = Asks { bytes: true, ..metric };
        let few_bytes = Sample { by_metric: 100, by_bytes: 1, ..sample([4_000, 500, 500], 1) };
        assert_eq!(few_bytes.way(51, both), Some(By::Bytes));
        let few_measured = Sample { by_metric: 0, by_bytes: 100, ..sample([4_000, 500, 500], 0) };
        assert_eq!(few_measured.way(51, both), Some(By::Metric));
    }

    #[test]
    fn kinds_that_many_are_of_and_a_narrow_range_are_looked_up_among_the_kinds() {
        let asks = Asks { metric: true, bytes: true, ..KINDS };
        assert_eq!(sample([120, 120, 80], 1).way(51, asks), Some(By::Kinds));
        assert_eq!(sample([120, 120, 80], 40).way(51, asks), None);
    }

    #[test]
    fn of_few_models_any_way_is_short() {
        assert_eq!(Sample::default().way(51, KINDS), Some(By::Kinds));
    }
}

//! Where moments stand in the day, the week, the month and the year. Years and months are counted from
//! March on, so that a leap day comes last; all divisions are of whole numbers that are not below zero.

use domain::spec::CalendarFeature;

use crate::{
    graph::{Edge, Graph},
    proto::Type,
};

/// The years 1 to 9999, in seconds since 1970.
const FIRST: f64 = -62_135_596_800.0;
const LAST: f64 = 253_402_300_799.0;
/// Days from the first of March of the year 0 to 1970.
const TO_1970: i64 = 719_468;
/// In 400 years.
const DAYS_OF_ERA: i64 = 146_097;

pub struct Calendar<'a> {
    pub graph: &'a mut Graph,
    /// Since midnight.
    seconds: Edge,
    /// Since the first of March of the year 0.
    days: Edge,
    parts: Option<Parts>,
}

/// Whole numbers, each as the moments lie.
#[derive(Clone)]
struct Parts {
    /// From 0.
    month: Edge,
    day: Edge,
    day_of_year: Edge,
    days_of_month: Edge,
    days_of_year: Edge,
}

impl<'a> Calendar<'a> {
    /// Of seconds since 1970, as doubles of any shape.
    pub fn new(graph: &'a mut Graph, seconds: &str) -> Self {
        let [first, last] = [FIRST, LAST].map(|n| graph.double(n));
        let seconds = graph.op("Floor", &[seconds]);
        let seconds = graph.op("Clip", &[&seconds, &first, &last]);
        let seconds = graph.cast(&seconds, Type::Int64);
        let [day, offset] = [86_400, TO_1970 * 86_400].map(|n| graph.int(n));
        let since = graph.op("Add", &[&seconds, &offset]);
        let days = graph.op("Div", &[&since, &day]);
        let seconds = graph.op("Mod", &[&since, &day]);
        Self { graph, seconds, days, parts: None }
    }

    /// Sine and cosine of the place in a cycle.
    pub fn place(&mut self, feature: CalendarFeature) -> [Edge; 2] {
        let (done, whole) = match feature {
            CalendarFeature::HourOfDay => (self.seconds.clone(), self.graph.int(86_400)),
            CalendarFeature::DayOfWeek => {
                // the first of March of the year 0 was a Wednesday, and weeks begin on Mondays
                let days = self.days.clone();
                (self.step("Add", &days, 2), self.graph.int(7))
            }
            CalendarFeature::DayOfMonth => {
                let parts = self.parts();
                (parts.day, parts.days_of_month)
            }
            CalendarFeature::MonthOfYear => (self.parts().month, self.graph.int(12)),
            CalendarFeature::DayOfYear => {
                let parts = self.parts();
                (parts.day_of_year, parts.days_of_year)
            }
        };
        let done = match feature {
            CalendarFeature::DayOfWeek => self.step("Mod", &done, 7),
            _ => done,
        };
        let graph = &mut *self.graph;
        let [done, whole] = [done, whole].map(|n| graph.cast(&n, Type::Double));
        let share = graph.op("Div", &[&done, &whole]);
        let turn = graph.double(std::f64::consts::TAU);
        let angle = graph.op("Mul", &[&share, &turn]);
        ["Sin", "Cos"].map(|wave| {
            let wave = graph.op(wave, &[&angle]);
            graph.cast(&wave, Type::Float)
        })
    }

    fn step(&mut self, operation: &str, x: &str, by: i64) -> Edge {
        let by = self.graph.int(by);
        self.graph.op(operation, &[x, &by])
    }

    fn both(&mut self, operation: &str, a: &str, b: &str) -> Edge {
        self.graph.op(operation, &[a, b])
    }

    fn parts(&mut self) -> Parts {
        if let Some(parts) = &self.parts {
            return parts.clone();
        }
        let days = self.days.clone();
        let era = self.step("Div", &days, DAYS_OF_ERA);
        let of_era = self.step("Mod", &days, DAYS_OF_ERA);
        let year = self.year_of_era(&of_era);
        // days of the year that began in March
        let started = self.days_before(&year);
        let day_of_march_year = self.both("Sub", &of_era, &started);
        let fives = self.step("Mul", &day_of_march_year, 5);
        let fives = self.step("Add", &fives, 2);
        let march_month = self.step("Div", &fives, 153);
        let before = self.step("Mul", &march_month, 153);
        let before = self.step("Add", &before, 2);
        let before = self.step("Div", &before, 5);
        let day = self.both("Sub", &day_of_march_year, &before);
        let month = self.step("Add", &march_month, 2);
        let month = self.step("Mod", &month, 12);
        // January and February belong to the next year
        let eras = self.step("Mul", &era, 400);
        let year = self.both("Add", &year, &eras);
        let early = self.step("Less", &month, 2);
        let early_one = self.graph.cast(&early, Type::Int64);
        let year = self.both("Add", &year, &early_one);
        let leap = self.leap(&year);
        let after_february = self.step("Add", &day_of_march_year, 59);
        let after_february = self.both("Add", &after_february, &leap);
        let from_january = self.step("Sub", &day_of_march_year, 306);
        let day_of_year = self.graph.op("Where", &[&early, &from_january, &after_february]);
        let lengths = self.graph.ints(&[31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);
        let days_of_month = self.both("Gather", &lengths, &month);
        let february = self.step("Equal", &month, 1);
        let february = self.graph.cast(&february, Type::Int64);
        let leap_day = self.both("Mul", &february, &leap);
        let days_of_month = self.both("Add", &days_of_month, &leap_day);
        let days_of_year = self.step("Add", &leap, 365);
        let parts = Parts { month, day, day_of_year, days_of_month, days_of_year };
        self.parts.insert(parts).clone()
    }

    /// Leap days of 4, 100 and 400 years taken out, years are of 365 days.
    fn year_of_era(&mut self, of_era: &str) -> Edge {
        let fours = self.step("Div", of_era, 1_460);
        let hundreds = self.step("Div", of_era, 36_524);
        let all = self.step("Div", of_era, 146_096);
        let even = self.both("Sub", of_era, &fours);
        let even = self.both("Add", &even, &hundreds);
        let even = self.both("Sub", &even, &all);
        self.step("Div", &even, 365)
    }

    /// Days of an era before one of its years.
    fn days_before(&mut self, year: &str) -> Edge {
        let plain = self.step("Mul", year, 365);
        let fours = self.step("Div", year, 4);
        let hundreds = self.step("Div", year, 100);
        let days = self.both("Add", &plain, &fours);
        self.both("Sub", &days, &hundreds)
    }

    /// 1 in a leap year, else 0.
    fn leap(&mut self, year: &str) -> Edge {
        let by = |calendar: &mut Self, n: i64| {
            let rest = calendar.step("Mod", year, n);
            calendar.step("Equal", &rest, 0)
        };
        let (by_4, by_100, by_400) = (by(self, 4), by(self, 100), by(self, 400));
        let plain = self.graph.op("Not", &[&by_100]);
        let usual = self.both("And", &by_4, &plain);
        let leap = self.both("Or", &usual, &by_400);
        self.graph.cast(&leap, Type::Int64)
    }
}

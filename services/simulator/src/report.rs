//! Figures of several orders on the same trace, side by side, as a table that Markdown reads too.

use crate::figures::{Figures, Waits};

pub fn table(figures: &[Figures]) -> String {
    let mut table = Table(String::new());
    table.row("", figures, |f| f.order.to_owned());
    table.row("---", figures, |_| "---:".to_owned());
    table.row("jobs finished", figures, |f| format!("{} of {}", f.finished, f.jobs));
    table.row("last end, s", figures, |f| format!("{:.0}", f.makespan));
    table.row("CPU used", figures, |f| percent(f.cpu));
    if figures.iter().any(|f| f.accelerators > 0.0) {
        table.row("accelerators used", figures, |f| percent(f.accelerators));
    }
    let waits = |f: &Waits| format!("{:.0} / {:.0} / {:.0} / {:.0}", f.p50, f.p90, f.p99, f.max);
    table.row("wait, s: p50 / p90 / p99 / max", figures, |f| waits(&f.wait));
    table.row("… smallest third of the tenants", figures, |f| waits(&f.wait_small));
    table.row("… middle third", figures, |f| waits(&f.wait_medium));
    table.row("… largest third", figures, |f| waits(&f.wait_large));
    table.row("Jain's index of weighted shares", figures, |f| {
        f.jain.map_or("nobody waited".to_owned(), |jain| format!("{jain:.3}"))
    });
    table.row("longest time without a start, s", figures, |f| format!("{:.0}", f.drought));
    table.row("attempts stopped", figures, |f| f.stops.to_string());
    table.row("work done twice", figures, |f| format!("{:.2} %", f.wasted * 100.0));
    if figures.iter().any(|f| f.forecasts > 0) {
        table.row("forecasts that held", figures, |f| {
            format!("{} of {}", percent(f.coverage), f.forecasts)
        });
        table.row("mean error of a forecast, s", figures, |f| format!("{:.0}", f.forecast_error));
    }
    table.row("plan, µs: p50 / p99 / max", figures, |f| {
        format!("{} / {} / {}", f.plan_p50, f.plan_p99, f.plan_max)
    });
    table.0
}

fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

struct Table(String);

impl Table {
    fn row(&mut self, name: &str, figures: &[Figures], cell: impl Fn(&Figures) -> String) {
        let cells: Vec<_> = figures.iter().map(cell).collect();
        self.0.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
}

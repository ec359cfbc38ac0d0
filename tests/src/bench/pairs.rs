//! Several sides measured in turns, so that what disturbs the machine for a while disturbs all.

use anyhow::ensure;

use super::{
    figures::{Spread, median},
    machine::Quiet,
};

/// Figures of each side, by repetition; higher is better.
pub type Figures<'a> = &'a [Vec<f64>];

/// How a side is measured once.
pub type Once<'a, T> = &'a dyn Fn() -> anyhow::Result<T>;

/// A side's name and how it is measured once.
pub type Side<'a, T> = (&'a str, Once<'a, T>);

/// What each side gave, by repetition. The order changes from one repetition to the next. What others
/// have disturbed is measured again. `goes_on` tells of what there is so far and of a side whether it
/// takes part in the next repetition.
pub fn measure<T>(
    sides: &[Side<'_, T>],
    repetitions: usize,
    quiet: &Quiet,
    show: &dyn Fn(&T) -> String,
    goes_on: &dyn Fn(&[Vec<T>], usize) -> bool,
) -> anyhow::Result<Vec<Vec<T>>> {
    let mut results: Vec<Vec<T>> = sides.iter().map(|_| vec![]).collect();
    let mut disturbed = 0;
    while results[0].len() < repetitions {
        let repetition = results[0].len();
        quiet.wait()?;
        let watch = quiet.watch();
        let mut found: Vec<(usize, T)> = vec![];
        for turn in 0..sides.len() {
            let side = (repetition + turn) % sides.len();
            if !goes_on(&results, side) {
                continue;
            }
            let (name, once) = sides[side];
            let result = once()?;
            eprintln!("    {}/{repetitions} {name}: {}", repetition + 1, show(&result));
            found.push((side, result));
        }
        if let Some(share) = quiet.disturbed_since(&watch) {
            disturbed += 1;
            let percent = share * 100.0;
            ensure!(
                disturbed <= repetitions,
                "others took {percent:.0} % of the CPUs meanwhile, again and again; ANYWAY=1 ignores it"
            );
            eprintln!("    once more: others took {percent:.0} % of the CPUs meanwhile");
            continue;
        }
        found.into_iter().for_each(|(side, result)| results[side].push(result));
    }
    Ok(results)
}

/// The side, of those from the second on, that is best.
pub fn best_peer(figures: Figures<'_>) -> usize {
    let peers = 1..figures.len();
    peers.max_by(|a, b| median(&figures[*a]).total_cmp(&median(&figures[*b]))).unwrap_or(0)
}

/// How the first side compares with another, repetition by repetition.
pub fn ratio(figures: Figures<'_>, peer: usize) -> Spread {
    let pairs = figures[0].iter().zip(&figures[peer]);
    Spread::of(&pairs.map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn sides_take_turns_at_being_first() {
        let order = RefCell::new(vec![]);
        let once = |side: usize| {
            let order = &order;
            move || -> anyhow::Result<usize> {
                order.borrow_mut().push(side);
                Ok(side)
            }
        };
        let [a, b, c] = [once(0), once(1), once(2)];
        let sides: [Side<'_, usize>; 3] = [("a", &a), ("b", &b), ("c", &c)];
        let quiet = Quiet::find(true).unwrap();
        let results = measure(&sides, 2, &quiet, &usize::to_string, &|_, _| true).unwrap();
        assert_eq!(results, [[0, 0], [1, 1], [2, 2]]);
        assert_eq!(order.take(), [0, 1, 2, 1, 2, 0]);
        let once = |so_far: &[Vec<usize>], side: usize| side != 2 || so_far[side].is_empty();
        let results = measure(&sides, 2, &quiet, &usize::to_string, &once).unwrap();
        assert_eq!(results, [vec![0, 0], vec![1, 1], vec![2]]);
        assert_eq!(order.take(), [0, 1, 2, 1, 0]);
    }

    #[test]
    fn the_best_peer_is_compared_pair_by_pair() {
        let figures = [vec![10.0, 20.0, 30.0], vec![5.0, 5.0, 5.0], vec![4.0, 10.0, 10.0]];
        assert_eq!(best_peer(&figures), 2);
        assert_eq!(ratio(&figures, 2), Spread { median: 2.5, min: 2.0, max: 3.0 });
    }
}

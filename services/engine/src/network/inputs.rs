//! What a batch is to the network, as plain numbers, and rows of several batches as one.

#[derive(Debug, Clone)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) enum Inputs {
    Features {
        values: Vec<f32>,
        width: usize,
    },
    Tokens {
        ids: Vec<i32>,
        length: usize,
        lengths: Vec<usize>,
    },
    Sequence {
        values: Vec<f32>,
        length: usize,
        features: usize,
    },
    /// Rows, columns, channels.
    Images {
        values: Vec<f32>,
        height: usize,
        width: usize,
        channels: usize,
    },
    Pairs {
        users: Vec<i32>,
        items: Vec<i32>,
    },
}

impl Inputs {
    /// These rows, each of one of several inputs of a kind. Texts are padded to the longest of them.
    pub fn gather(rows: &[(&Self, usize)]) -> Self {
        let Some((first, _)) = rows.first() else { unreachable!("a batch has a row") };
        match **first {
            Self::Features { width, .. } => {
                Self::Features { values: numbers_of(rows, width), width }
            }
            Self::Sequence { length, features, .. } => {
                let values = numbers_of(rows, length * features);
                Self::Sequence { values, length, features }
            }
            Self::Images { height, width, channels, .. } => {
                let values = numbers_of(rows, height * width * channels);
                Self::Images { values, height, width, channels }
            }
            Self::Tokens { .. } => tokens_of(rows),
            Self::Pairs { .. } => {
                let (users, items) = rows.iter().map(|(from, row)| from.pair(*row)).unzip();
                Self::Pairs { users, items }
            }
        }
    }

    /// Tokens of a row that is a text; other rows are as long as each other.
    pub fn length(&self, row: usize) -> usize {
        match self {
            Self::Tokens { lengths, .. } => lengths[row],
            _ => 0,
        }
    }

    fn numbers(&self, row: usize, width: usize) -> &[f32] {
        match self {
            Self::Features { values, .. }
            | Self::Sequence { values, .. }
            | Self::Images { values, .. } => &values[row * width..(row + 1) * width],
            Self::Tokens { .. } | Self::Pairs { .. } => unreachable!("inputs of another kind"),
        }
    }

    fn tokens(&self, row: usize) -> &[i32] {
        match self {
            Self::Tokens { ids, length, lengths } => &ids[row * length..][..lengths[row]],
            _ => unreachable!("inputs of another kind"),
        }
    }

    fn pair(&self, row: usize) -> (i32, i32) {
        match self {
            Self::Pairs { users, items } => (users[row], items[row]),
            _ => unreachable!("inputs of another kind"),
        }
    }
}

fn numbers_of(rows: &[(&Inputs, usize)], width: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(rows.len() * width);
    rows.iter().for_each(|(from, row)| values.extend_from_slice(from.numbers(*row, width)));
    values
}

fn tokens_of(rows: &[(&Inputs, usize)]) -> Inputs {
    let texts: Vec<&[i32]> = rows.iter().map(|(from, row)| from.tokens(*row)).collect();
    let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
    let length = lengths.iter().copied().max().unwrap_or(0);
    let mut ids = Vec::with_capacity(length * texts.len());
    for text in texts {
        ids.extend_from_slice(text);
        ids.resize(ids.len() + length - text.len(), 0);
    }
    Inputs::Tokens { ids, length, lengths }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_several_inputs_become_one() {
        let features = |values: &[f32]| Inputs::Features { values: values.to_vec(), width: 2 };
        let (a, b) = (features(&[1.0, 2.0, 3.0, 4.0]), features(&[5.0, 6.0]));
        let all = Inputs::gather(&[(&b, 0), (&a, 1), (&a, 0)]);
        assert_eq!(all, features(&[5.0, 6.0, 3.0, 4.0, 1.0, 2.0]));
        let pairs = |users: &[i32], items: &[i32]| Inputs::Pairs {
            users: users.to_vec(),
            items: items.to_vec(),
        };
        let (a, b) = (pairs(&[1, 2], &[3, 4]), pairs(&[5], &[6]));
        assert_eq!(Inputs::gather(&[(&a, 1), (&b, 0)]), pairs(&[2, 5], &[4, 6]));
    }

    #[test]
    fn texts_are_padded_to_the_longest_of_those_that_are_there() {
        let a = Inputs::Tokens { ids: vec![7, 8, 9, 5, 0, 0], length: 3, lengths: vec![3, 1] };
        let b = Inputs::Tokens { ids: vec![4, 6], length: 2, lengths: vec![2] };
        let short = Inputs::gather(&[(&a, 1), (&b, 0)]);
        let expected = Inputs::Tokens { ids: vec![5, 0, 4, 6], length: 2, lengths: vec![1, 2] };
        assert_eq!(short, expected);
        assert_eq!([a.length(0), a.length(1), b.length(0)], [3, 1, 2]);
        let none = Inputs::Tokens { ids: vec![], length: 0, lengths: vec![0, 0] };
        assert_eq!(Inputs::gather(&[(&none, 1), (&none, 0)]), none);
    }
}

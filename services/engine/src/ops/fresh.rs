//! Large results that are written once: clearing them first would be among the slower parts of making
//! them.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// A place for numbers that holds nothing yet.
pub(crate) type Empty = [MaybeUninit<f32>];

/// `N` arrays of `len` numbers, filled in groups of `size` by all threads. `fill` is told which group it
/// has, and gives back the places that it got, filled.
pub(crate) fn filled<const N: usize>(
    len: usize,
    size: usize,
    fill: impl for<'a> Fn(usize, [&'a mut Empty; N]) -> [&'a mut [f32]; N] + Sync,
) -> [Vec<f32>; N] {
    filled_and(len, size, |group, places| (fill(group, places), ())).0
}

/// Like [`filled`], with what else `fill` makes of each group.
pub(crate) fn filled_and<const N: usize, T: Send>(
    len: usize,
    size: usize,
    fill: impl for<'a> Fn(usize, [&'a mut Empty; N]) -> ([&'a mut [f32]; N], T) + Sync,
) -> ([Vec<f32>; N], Vec<T>) {
    let mut arrays: [Vec<f32>; N] = std::array::from_fn(|_| Vec::with_capacity(len));
    if len == 0 {
        return (arrays, vec![]);
    }
    let mut parts =
        arrays.each_mut().map(|array| array.spare_capacity_mut()[..len].chunks_mut(size));
    let groups = (0..len.div_ceil(size))
        .map(|_| parts.each_mut().map(|parts| parts.next().expect("there is one for each group")));
    let groups: Vec<[&mut Empty; N]> = groups.collect();
    let fill = |(i, places): (usize, [&mut Empty; N])| {
        let given = places.each_ref().map(|place| (place.as_ptr().cast::<f32>(), place.len()));
        let (filled, more) = fill(i, places);
        let filled = filled.map(|numbers| (numbers.as_ptr(), numbers.len()));
        assert!(given == filled, "each place is filled and given back");
        more
    };
    let more = groups.into_par_iter().enumerate().map(fill).collect();
    for array in &mut arrays {
        claim(array, len);
    }
    (arrays, more)
}

#[expect(unsafe_code, reason = "the compiler cannot see that every part was filled")]
fn claim(array: &mut Vec<f32>, len: usize) {
    // SAFETY: the parts together are the first `len` places of the array, and of each the function
    // that filled it has given back a slice of numbers that begins and ends where the part does.
    unsafe { array.set_len(len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_where_they_belong() {
        for (len, size) in [(0, 3), (1, 3), (3, 3), (10, 3), (7, 100)] {
            let made = filled(len, size, |group, places: [&mut Empty; 2]| {
                let mut times = 1.0;
                places.map(|place| {
                    let numbers: Vec<f32> =
                        (0..place.len()).map(|i| times * (group * size + i) as f32).collect();
                    times += 1.0;
                    place.write_copy_of_slice(&numbers)
                })
            });
            assert!(made[0].iter().copied().eq((0..len).map(|i| i as f32)), "{len} {size}");
            assert!(made[1].iter().copied().eq((0..len).map(|i| 2.0 * i as f32)), "{len} {size}");
        }
    }

    #[test]
    #[should_panic(expected = "filled and given back")]
    fn another_slice_is_no_proof() {
        filled(2, 2, |_, [_]: [&mut Empty; 1]| [Box::leak(Box::new([1.0, 2.0])).as_mut_slice()]);
    }
}

use super::*;

/// `MaxPooling2D(2)` and `AveragePooling2D(2)` of an image of 5 x 4: the last row is left out.
#[test]
fn windows_side_by_side_are_pooled_as_keras_does() {
    let x = ramp_of([1, 5, 4, 2], 7, 11);
    let y = max_pool2d(x.clone(), 2);
    assert_eq!(y.dims(), [1, 2, 2, 2]);
    assert_close(&values(y), &[-0.125, 0.625, 0.625, 0.125, 0.125, 0.625, 0.5, 0.375], 0.0);
    let y = average_pool2d(x, 2);
    assert_eq!(y.dims(), [1, 2, 2, 2]);
    assert_close(
        &values(y),
        &[-0.375, 0.15625, 0.375, -0.125, -0.125, 0.0625, -0.0625, 0.125],
        0.0,
    );
}

#[test]
fn a_maximum_gets_the_gradient_and_of_equals_the_first() {
    let x = learned(vec![1.0, 3.0, 3.0, 2.0, 5.0, 4.0, 9.0, 9.0, 9.0], [1, 3, 3, 1]);
    let gradients = max_pool2d(x.clone(), 2).sum().backward();
    // 1 3
    // 2 5
    assert_eq!(gradient(&x, &gradients), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let x = learned(vec![7.0; 8], [1, 2, 2, 2]);
    let gradients = (max_pool2d(x.clone(), 2) * 3.0).sum().backward();
    assert_eq!(gradient(&x, &gradients), [3.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn not_a_number_is_not_hidden_by_a_maximum() {
    let x = learned(vec![1.0, f32::NAN, 2.0, 3.0], [1, 2, 2, 1]);
    assert!(values(max_pool2d(x, 2))[0].is_nan());
}

#[test]
fn the_average_of_an_image_gives_each_pixel_its_share() {
    let x = ramp_of([2, 2, 2, 3], 7, 11);
    let y = global_average_pool2d(x.clone());
    assert_eq!(y.dims(), [2, 3]);
    let all = values(x.clone());
    let first = (0..4).map(|i| all[i * 3]).sum::<f32>() / 4.0;
    assert_close(&values(y.clone())[..1], &[first], 1e-6);
    assert_eq!(gradient(&x, &y.sum().backward()), [0.25; 24]);
}

#[test]
fn padding_is_no_part_of_a_sequence() {
    let steps = vec![1.0, -8.0, 3.0, -6.0, 99.0, 99.0, 5.0, -4.0, 7.0, -2.0, 9.0, -3.0];
    let x = learned(steps, [2, 3, 2]);
    let y = global_average_pool1d(x.clone(), &[2, 3]);
    assert_close(&values(y.clone()), &[2.0, -7.0, 7.0, -3.0], 1e-6);
    let third = 1.0 / 3.0;
    let expected = [0.5, 0.5, 0.5, 0.5, 0.0, 0.0, third, third, third, third, third, third];
    assert_close(&gradient(&x, &y.sum().backward()), &expected, 1e-7);
    let y = global_max_pool1d(x.clone(), &[2, 3]);
    assert_eq!(values(y.clone()), [3.0, -6.0, 9.0, -2.0]);
    let expected = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    assert_eq!(gradient(&x, &y.sum().backward()), expected);
}

#[test]
fn of_no_steps_both_poolings_make_zero() {
    let x = ramp_of([2, 2, 2], 7, 11);
    assert_eq!(values(global_average_pool1d(x.clone(), &[0, 2]))[..2], [0.0, 0.0]);
    let y = global_max_pool1d(x.clone(), &[0, 2]);
    assert_eq!(values(y.clone())[..2], [0.0, 0.0]);
    assert_eq!(gradient(&x, &y.sum().backward())[..4], [0.0; 4]);
}

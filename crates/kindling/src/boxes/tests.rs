//! What holds for any boxes: order does not matter, boxes without area overlap nothing, what is no number is an error.

use candle_core::{DType, Device, Tensor, Var};

use super::*;
use crate::{Result, data::Random, ops::select_rows};

fn tensor(rows: &[[f32; 4]]) -> Tensor {
    Tensor::from_slice(rows.as_flattened(), (rows.len(), 4), &Device::Cpu).unwrap()
}

fn some(count: usize, seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    let rows: Vec<[f32; 4]> = (0..count)
        .map(|_| {
            let mut number = || random.next_f64() as f32;
            let (x, y) = (40.0 * number(), 40.0 * number());
            [x, y, x + 5.0 + 20.0 * number(), y + 5.0 + 20.0 * number()]
        })
        .collect();
    tensor(&rows)
}

fn scores(count: usize, seed: u64) -> Tensor {
    Random::new(seed).uniform(count, 0.0, 1.0).unwrap()
}

fn none() -> Tensor {
    Tensor::zeros((0, 4), DType::F32, &Device::Cpu).unwrap()
}

/// Boxes without area: a point, a line, and edges the wrong way round in one direction and in both.
const FLAT: [[f32; 4]; 4] = [
    [5.0, 5.0, 5.0, 5.0],
    [0.0, 5.0, 10.0, 5.0],
    [10.0, 0.0, 0.0, 10.0],
    [10.0, 10.0, 0.0, 0.0],
];

#[test]
fn overlap_is_symmetric_and_at_most_one() {
    let (one, other) = (some(20, 1), some(30, 2));
    for measure in [iou, giou] {
        let there = measure(&one, &other).unwrap();
        let back = measure(&other, &one).unwrap().t().unwrap();
        assert_eq!(
            there.to_vec2::<f32>().unwrap(),
            back.to_vec2::<f32>().unwrap()
        );
        let own = measure(&one, &one).unwrap().to_vec2::<f32>().unwrap();
        for (row, numbers) in own.iter().enumerate() {
            assert!((numbers[row] - 1.0).abs() < 1e-6);
            assert!(
                numbers
                    .iter()
                    .all(|share| (-1.0..=1.000_001).contains(share))
            );
        }
    }
}

#[test]
fn boxes_without_area_overlap_nothing() {
    let flat = tensor(&FLAT);
    assert_eq!(areas(&flat).unwrap().to_vec1::<f32>().unwrap(), [0.0; 4]);
    let boxes = tensor(&[FLAT[0], FLAT[2], [0.0, 0.0, 10.0, 10.0]]);
    for row in iou(&flat, &boxes).unwrap().to_vec2::<f32>().unwrap() {
        assert_eq!(row, [0.0; 3]);
    }
    let every = nms(&flat, &scores(4, 1), 0.5).unwrap();
    assert_eq!(every.len(), 4);
    let loss = giou_loss(&flat, &flat).unwrap().to_vec1::<f32>().unwrap();
    assert!(loss.iter().all(|loss| loss.is_finite()), "{loss:?}");
    assert_eq!(large_enough(&flat, 1.0).unwrap(), [0_usize; 0]);
    assert!(pyramid_levels(&flat, 2, 5, 224.0).unwrap() == [2; 4]);
    let coder = BoxCoder::default();
    let error = coder.encode(&flat, &flat).unwrap_err().to_string();
    assert!(error.contains("in row 0"), "{error}");
}

#[test]
fn the_loss_pulls_boxes_together() {
    let targets = some(10, 3);
    let boxes = Var::from_tensor(&some(10, 4)).unwrap();
    let loss = |boxes: &Tensor| giou_loss(boxes, &targets).unwrap().sum_all().unwrap();
    let before = loss(&boxes).to_scalar::<f32>().unwrap();
    for number in 0..1_500 {
        let gradients = loss(&boxes).backward().unwrap();
        let length = 20.0 * 0.996_f64.powi(number); // shorter and shorter, to come to rest
        let step = (gradients.get(&boxes).unwrap() * length).unwrap();
        boxes.set(&(boxes.as_tensor() - step).unwrap()).unwrap();
    }
    let after = loss(&boxes).to_scalar::<f32>().unwrap();
    assert!(after < 0.1 * before, "{before} {after}");
}

#[test]
fn what_is_kept_does_not_depend_on_the_order() {
    let (boxes, scores) = (some(60, 5), scores(60, 6));
    let classes: Vec<u32> = (0..60).map(|number| number % 4).collect();
    let classes = Tensor::new(classes, &Device::Cpu).unwrap();
    let order = Random::new(7).permutation(60);
    let moved = |tensor: &Tensor| select_rows(tensor, &order).unwrap();
    let back = |kept: Vec<usize>| -> Vec<usize> { kept.iter().map(|&at| order[at]).collect() };
    let (other_boxes, other_scores) = (moved(&boxes), moved(&scores));
    for threshold in [0.0, 0.3, 0.7, 1.0] {
        let kept = nms(&boxes, &scores, threshold).unwrap();
        let other = nms(&other_boxes, &other_scores, threshold).unwrap();
        assert_eq!(kept, back(other));
        let kept = batched_nms(&boxes, &scores, &classes, threshold).unwrap();
        let other = batched_nms(&other_boxes, &other_scores, &moved(&classes), threshold).unwrap();
        assert_eq!(kept, back(other));
    }
    let decay = Decay::Gaussian { sigma: 0.5 };
    let positions = |kept: Vec<(usize, f32)>| kept.into_iter().map(|(at, _)| at).collect();
    let kept: Vec<usize> = positions(soft_nms(&boxes, &scores, decay, 0.1).unwrap());
    let other = positions(soft_nms(&other_boxes, &other_scores, decay, 0.1).unwrap());
    assert_eq!(kept, back(other));
}

#[test]
fn kept_boxes_do_not_overlap_and_the_others_have_a_reason() {
    let (boxes, numbers) = (some(60, 8), scores(60, 9));
    let shares = iou(&boxes, &boxes).unwrap().to_vec2::<f32>().unwrap();
    let kept = nms(&boxes, &numbers, 0.4).unwrap();
    let numbers = numbers.to_vec1::<f32>().unwrap();
    assert!(kept.is_sorted_by(|one, other| numbers[*one] >= numbers[*other]));
    for candidate in 0..60 {
        let surer = kept
            .iter()
            .filter(|&&other| other != candidate && numbers[other] >= numbers[candidate]);
        let hidden = surer
            .into_iter()
            .any(|&other| shares[other][candidate] > 0.4);
        assert_eq!(hidden, !kept.contains(&candidate));
    }
    // A threshold of 1 hides nothing, and equal scores keep their order.
    let equal = Tensor::zeros(60, DType::F32, &Device::Cpu).unwrap();
    assert!(nms(&boxes, &equal, 1.0).unwrap().into_iter().eq(0..60));
}

#[test]
fn soft_suppression_is_mild_at_one_end_and_hard_at_the_other() {
    let (boxes, numbers) = (some(40, 10), scores(40, 11));
    let kept = |decay| soft_nms(&boxes, &numbers, decay, 0.0).unwrap();
    let mild = kept(Decay::Gaussian { sigma: 1e9 });
    let numbers = numbers.to_vec1::<f32>().unwrap();
    assert_eq!(mild.len(), 40);
    assert!(
        mild.iter()
            .all(|&(at, score)| (numbers[at] - score).abs() < 1e-5)
    );
    let hard = kept(Decay::Gaussian { sigma: 1e-9 });
    let shares = iou(&boxes, &boxes).unwrap().to_vec2::<f32>().unwrap();
    for (number, (one, _)) in hard.iter().enumerate() {
        assert!(
            hard[..number]
                .iter()
                .all(|(other, _)| shares[*one][*other] < 0.01)
        );
    }
    let linear = kept(Decay::Linear { threshold: 0.3 });
    assert!(linear.is_sorted_by(|one, other| one.1 >= other.1));
}

#[test]
fn coding_there_and_back_gives_the_same_boxes() {
    let (boxes, anchors) = (some(50, 12), some(50, 13));
    let coder = BoxCoder::new([10.0, 10.0, 5.0, 5.0]).unwrap();
    let deltas = coder.encode(&boxes, &anchors).unwrap();
    let again = coder.decode(&deltas, &anchors).unwrap();
    let difference = (again - boxes).unwrap().abs().unwrap();
    let largest = difference.flatten_all().unwrap().max(0).unwrap();
    assert!(largest.to_scalar::<f32>().unwrap() < 1e-3);
    assert!(BoxCoder::new([1.0, 0.0, 1.0, 1.0]).is_err());
}

#[test]
fn nothing_gives_nothing() {
    let no_scores = Tensor::zeros(0, DType::F32, &Device::Cpu).unwrap();
    let no_classes = Tensor::zeros(0, DType::U32, &Device::Cpu).unwrap();
    assert_eq!(iou(&none(), &some(3, 1)).unwrap().dims(), [0, 3]);
    assert_eq!(giou(&some(3, 1), &none()).unwrap().dims(), [3, 0]);
    assert_eq!(giou_loss(&none(), &none()).unwrap().dims(), [0]);
    assert_eq!(areas(&none()).unwrap().dims(), [0]);
    assert_eq!(clip(&none(), 5, 5).unwrap().dims(), [0, 4]);
    assert!(nms(&none(), &no_scores, 0.5).unwrap().is_empty());
    assert!(
        batched_nms(&none(), &no_scores, &no_classes, 0.5)
            .unwrap()
            .is_empty()
    );
    let decay = Decay::Linear { threshold: 0.5 };
    assert!(
        soft_nms(&none(), &no_scores, decay, 0.1)
            .unwrap()
            .is_empty()
    );
    assert!(large_enough(&none(), 1.0).unwrap().is_empty());
    assert!(pyramid_levels(&none(), 2, 5, 224.0).unwrap().is_empty());
    let coder = BoxCoder::default();
    assert_eq!(coder.encode(&none(), &none()).unwrap().dims(), [0, 4]);
    assert_eq!(coder.decode(&none(), &none()).unwrap().dims(), [0, 4]);
    assert_eq!(anchors(&[], &[], &[1.0]).unwrap().dims(), [0, 4]);
    assert_eq!(points(&[]).unwrap().dims(), [0, 2]);
}

#[test]
fn what_is_no_number_and_what_has_no_such_shape_is_an_error() {
    let (two, good) = (some(2, 1), scores(2, 1));
    let nan = tensor(&[[0.0, 0.0, 1.0, 1.0], [0.0, f32::NAN, 1.0, 1.0]]);
    let wide = Tensor::zeros((2, 5), DType::F32, &Device::Cpu).unwrap();
    let nan_score = Tensor::new(&[0.5, f32::NAN], &Device::Cpu).unwrap();
    let decay = Decay::Gaussian { sigma: 0.5 };
    for bad in [&nan, &wide] {
        let failures: [Result<()>; 8] = [
            iou(bad, &two).map(drop),
            giou(&two, bad).map(drop),
            giou_loss(bad, bad).map(drop),
            areas(bad).map(drop),
            clip(bad, 1, 1).map(drop),
            nms(bad, &good, 0.5).map(drop),
            soft_nms(bad, &good, decay, 0.1).map(drop),
            BoxCoder::default().decode(bad, bad).map(drop),
        ];
        for failure in failures {
            let message = failure.unwrap_err().to_string();
            assert!(message.contains("expected"), "{message}");
        }
    }
    let message = nms(&two, &nan_score, 0.5).unwrap_err().to_string();
    assert_eq!(message, "scores: expected numbers, found NaN at position 1");
    assert!(nms(&two, &scores(3, 1), 0.5).is_err());
    assert!(nms(&two, &good, f64::NAN).is_err());
    assert!(batched_nms(&two, &good, &scores(3, 1), 0.5).is_err());
    assert!(soft_nms(&two, &nan_score, decay, 0.1).is_err());
    assert!(soft_nms(&two, &good, Decay::Gaussian { sigma: 0.0 }, 0.1).is_err());
    assert!(soft_nms(&two, &good, decay, f64::NAN).is_err());
    assert!(giou_loss(&two, &some(3, 1)).is_err());
    assert!(large_enough(&two, f64::NAN).is_err());
    assert!(pyramid_levels(&two, 5, 2, 224.0).is_err());
    assert!(pyramid_levels(&two, 2, 5, 0.0).is_err());
    assert!(pyramid_levels(&two, 2, 5, f64::NAN).is_err());
    let level = Level::of_picture(20, 33, 8).unwrap();
    assert_eq!((level.rows, level.columns, level.cells()), (3, 5, 15));
    assert!(Level::of_picture(20, 33, 0).is_err());
    assert!(anchors(&[level], &[], &[1.0]).is_err());
    assert!(anchors(&[level], &[vec![-1.0]], &[1.0]).is_err());
    assert!(anchors(&[level], &[vec![8.0]], &[f64::NAN]).is_err());
}

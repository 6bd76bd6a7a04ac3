//! Each operation against PyTorch's printed values, against Candle's own operations, and against finite differences.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // tests may fail loudly

use std::collections::HashMap;

use candle_core::{Device, Tensor, Var};
use kindling_base::Random;
use kindling_ops::{
    Conv2dConfig, add_relu, batch_norm, bias_relu, conv_pool, conv_relu_pool, conv2d,
    cross_entropy, linear, linear_relu, max_pool2d,
};
use serde::Deserialize;
use serde_json::Value;

/// A tensor as PyTorch printed it: its shape, and its numbers row after row.
#[derive(Deserialize)]
struct Numbers {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Numbers {
    /// As Candle has it.
    fn tensor(&self) -> Tensor {
        Tensor::from_slice(&self.values, self.shape.as_slice(), &Device::Cpu).unwrap()
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    arguments: HashMap<String, Value>,
    inputs: HashMap<String, Numbers>,
    output: Numbers,
    probe: Numbers,
    gradients: HashMap<String, Numbers>,
}

impl Case {
    fn number(&self, name: &str) -> usize {
        self.arguments
            .get(name)
            .map_or(1, |value| value.as_u64().unwrap() as usize)
    }

    fn flag(&self, name: &str) -> bool {
        self.arguments[name].as_bool().unwrap()
    }

    fn run(&self, inputs: &HashMap<&str, Var>) -> Tensor {
        let input = |name: &str| inputs[name].as_tensor();
        match self.name.as_str() {
            "conv2d" => {
                let config = Conv2dConfig {
                    stride: self.number("stride"),
                    padding: self.number("padding"),
                    dilation: self.number("dilation"),
                    groups: self.number("groups"),
                };
                conv2d(input("images"), input("weight"), &config).unwrap()
            }
            "conv_relu_pool" => {
                let config = Conv2dConfig {
                    padding: self.number("padding"),
                    ..Conv2dConfig::default()
                };
                let (images, weight, bias) = (input("images"), input("weight"), input("bias"));
                conv_relu_pool(images, weight, bias, &config, self.number("size")).unwrap()
            }
            "max_pool2d" => {
                max_pool2d(input("images"), self.number("size"), self.number("stride")).unwrap()
            }
            "batch_norm" => {
                let (features, weight, bias) = (input("features"), input("weight"), input("bias"));
                batch_norm(features, weight, bias, 1e-5, self.flag("relu"))
                    .unwrap()
                    .0
            }
            "linear" if self.flag("relu") => {
                linear_relu(input("inputs"), input("weight"), input("bias")).unwrap()
            }
            "linear" => linear(input("inputs"), input("weight"), input("bias")).unwrap(),
            "cross_entropy" => {
                let labels: Vec<u32> =
                    serde_json::from_value(self.arguments["labels"].clone()).unwrap();
                let labels = Tensor::new(labels, &Device::Cpu).unwrap();
                let smoothing = self.arguments["label_smoothing"].as_f64().unwrap();
                let loss = cross_entropy(input("logits"), &labels, smoothing).unwrap();
                loss.reshape(1).unwrap()
            }
            unknown => panic!("no such operation: {unknown}"),
        }
    }
}

fn assert_close(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (place, (a, b)) in numbers(found)
        .into_iter()
        .zip(numbers(expected))
        .enumerate()
    {
        assert!(
            (a - b).abs() <= 2e-5 * (1.0 + b.abs()),
            "{what}, number {place}: {a} and not {b}"
        );
    }
}

#[test]
fn forward_and_backward_give_what_pytorch_gives() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/operations.json")).unwrap();
    assert_eq!(cases.len(), 18);
    for (number, case) in cases.iter().enumerate() {
        let what = format!("case {number}, {} {:?}", case.name, case.arguments);
        let inputs: HashMap<&str, Var> = case
            .inputs
            .iter()
            .map(|(name, numbers)| (name.as_str(), Var::from_tensor(&numbers.tensor()).unwrap()))
            .collect();
        let output = case.run(&inputs);
        assert_close(&output, &case.output.tensor(), &what);
        let loss = (output * case.probe.tensor()).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        for (name, expected) in &case.gradients {
            let found = gradients.get(&inputs[name.as_str()]).unwrap();
            assert_close(
                found,
                &expected.tensor(),
                &format!("{what}, gradient of {name}"),
            );
        }
    }
}

/// The same, composed of Candle's operations.
fn composed_conv2d(images: &Tensor, weight: &Tensor, config: &Conv2dConfig) -> Tensor {
    let images = images.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
    let weight = weight.permute((3, 2, 0, 1)).unwrap().contiguous().unwrap();
    let Conv2dConfig {
        stride,
        padding,
        dilation,
        groups,
    } = *config;
    let output = images
        .conv2d(&weight, padding, stride, dilation, groups)
        .unwrap();
    output.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap()
}

#[test]
fn random_convolutions_agree_with_candle() {
    let mut random = Random::new(7);
    for round in 0..120 {
        let groups = [1, 1, 1, 2, 3][random.below(5)];
        let config = Conv2dConfig {
            stride: 1 + random.below(3),
            padding: random.below(3),
            dilation: 1 + random.below(2),
            groups,
        };
        let kernel = (1 + random.below(3), 1 + random.below(3));
        let size = (6 + random.below(7), 6 + random.below(7));
        let (inputs, outputs) = (
            groups * (1 + random.below(20)),
            groups * (1 + random.below(40)),
        );
        let batch = 1 + random.below(20);
        let images = random
            .normal((batch, size.0, size.1, inputs), 0.0, 1.0)
            .unwrap();
        let weight = random
            .normal((kernel.0, kernel.1, inputs / groups, outputs), 0.0, 0.2)
            .unwrap();
        let ours = conv2d(&images, &weight, &config).unwrap();
        let theirs = composed_conv2d(&images, &weight, &config);
        let scale = (inputs * kernel.0 * kernel.1) as f64;
        let scaled = |tensor: &Tensor| (tensor / scale.sqrt()).unwrap();
        let what = format!(
            "round {round}: {:?} {:?} {config:?}",
            images.dims(),
            weight.dims()
        );
        assert_close(&scaled(&ours), &scaled(&theirs), &what);
    }
}

#[test]
fn a_photograph_is_convolved_in_bands_as_in_one_piece() {
    let mut random = Random::new(9);
    let images = random.normal((2, 61, 83, 5), 0.0, 1.0).unwrap();
    let weight = random.normal((3, 3, 5, 20), 0.0, 0.2).unwrap();
    let config = Conv2dConfig {
        padding: 1,
        ..Conv2dConfig::default()
    };
    let theirs = composed_conv2d(&images, &weight, &config);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let ours = pool
            .unwrap()
            .install(|| conv2d(&images, &weight, &config).unwrap());
        assert_close(&ours, &theirs, &format!("{threads} threads"));
    }
}

#[test]
fn gradients_agree_with_candle() {
    // Candle's own backward pass knows one group and a stride that fits.
    let mut random = Random::new(8);
    for round in 0..30 {
        let config = Conv2dConfig {
            padding: random.below(3),
            ..Conv2dConfig::default()
        };
        let (batch, side) = (1 + random.below(18), 5 + random.below(6));
        let (inputs, outputs) = (1 + random.below(20), 1 + random.below(40));
        let images = random
            .normal((batch, side, side + 1, inputs), 0.0, 1.0)
            .unwrap();
        let weight = random.normal((3, 3, inputs, outputs), 0.0, 0.2).unwrap();
        let (images, weight) = (
            Var::from_tensor(&images).unwrap(),
            Var::from_tensor(&weight).unwrap(),
        );
        let ours = conv2d(&images, &weight, &config).unwrap();
        let theirs = composed_conv2d(&images, &weight, &config);
        let probe = random.normal(ours.shape().clone(), 0.0, 0.1).unwrap();
        let gradients = |output: Tensor| {
            (output * &probe)
                .unwrap()
                .sum_all()
                .unwrap()
                .backward()
                .unwrap()
        };
        let (ours, theirs) = (gradients(ours), gradients(theirs));
        for (name, parameter) in [("images", &images), ("weight", &weight)] {
            let what = format!("round {round}, {name} {:?}", parameter.dims());
            assert_close(
                ours.get(parameter).unwrap(),
                theirs.get(parameter).unwrap(),
                &what,
            );
        }
    }
}

/// Compares the gradient of `probe · function(inputs)` with what moving one number at a time does.
fn check_by_differences(what: &str, inputs: &[Tensor], function: &dyn Fn(&[Tensor]) -> Tensor) {
    let variables: Vec<Var> = inputs
        .iter()
        .map(|input| Var::from_tensor(input).unwrap())
        .collect();
    let tensors: Vec<Tensor> = variables
        .iter()
        .map(|var| var.as_tensor().clone())
        .collect();
    let output = function(&tensors);
    let probe = Random::new(99)
        .normal(output.shape().clone(), 0.0, 1.0)
        .unwrap();
    let value = |output: Tensor| (output * &probe).unwrap().sum_all().unwrap();
    let gradients = value(output).backward().unwrap();
    let step = 1e-2_f32;
    for (which, variable) in variables.iter().enumerate() {
        let numbers = inputs[which]
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        let gradient = gradients
            .get(variable)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        for place in (0..numbers.len()).step_by(1 + numbers.len() / 25) {
            let moved = |by: f32| {
                let mut numbers = numbers.clone();
                numbers[place] += by;
                let mut tensors = inputs.to_vec();
                tensors[which] =
                    Tensor::from_vec(numbers, inputs[which].shape(), &Device::Cpu).unwrap();
                f64::from(value(function(&tensors)).to_scalar::<f32>().unwrap())
            };
            let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
            let found = f64::from(gradient[place]);
            assert!(
                (slope - found).abs() < 2e-2 * (1.0 + slope.abs()),
                "{what}, input {which}, number {place}: gradient {found}, difference {slope}"
            );
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let mut random = Random::new(5);
    let mut normal =
        |shape: &[usize], deviation: f64| random.normal(shape, 0.0, deviation).unwrap();
    for (stride, padding, dilation, groups) in [
        (1, 0, 1, 1),
        (2, 1, 1, 1),
        (1, 2, 2, 1),
        (2, 1, 1, 2),
        (1, 1, 1, 4),
    ] {
        let config = Conv2dConfig {
            stride,
            padding,
            dilation,
            groups,
        };
        let inputs = [
            normal(&[2, 7, 6, 4], 1.0),
            normal(&[3, 3, 4 / groups, 8 / groups.min(2)], 0.3),
        ];
        check_by_differences(&format!("{config:?}"), &inputs, &|x| {
            conv2d(&x[0], &x[1], &config).unwrap()
        });
    }
    // Far from the kinks of ReLU and of the maximum, where a slope is not defined.
    let spread = |tensor: Tensor| ((tensor * 10.0).unwrap().round().unwrap() / 10.0).unwrap();
    let inputs = [normal(&[2, 5, 5, 3], 1.0), normal(&[3], 0.5)];
    let far = [
        spread(inputs[0].clone()),
        (spread(inputs[1].clone()) + 0.05).unwrap(),
    ];
    check_by_differences("bias_relu", &far, &|x| bias_relu(&x[0], &x[1]).unwrap());
    let far = [
        spread(normal(&[4, 6], 1.0)),
        (spread(normal(&[4, 6], 1.0)) + 0.05).unwrap(),
    ];
    check_by_differences("add_relu", &far, &|x| add_relu(&x[0], &x[1]).unwrap());
    let inputs = [
        normal(&[3, 4, 4, 5], 2.0),
        normal(&[5], 1.0),
        normal(&[5], 1.0),
    ];
    check_by_differences("batch_norm", &inputs, &|x| {
        batch_norm(&x[0], &x[1], &x[2], 1e-5, false).unwrap().0
    });
    let inputs = [
        normal(&[5, 9], 1.0),
        normal(&[4, 9], 1.0),
        normal(&[4], 1.0),
    ];
    check_by_differences("linear", &inputs, &|x| linear(&x[0], &x[1], &x[2]).unwrap());
    let labels = Tensor::new(&[0_u32, 2, 1, 1], &Device::Cpu).unwrap();
    check_by_differences("cross_entropy", &[normal(&[4, 3], 2.0)], &|x| {
        cross_entropy(&x[0], &labels, 0.1).unwrap()
    });
}

#[test]
fn convolution_is_linear_and_moves_with_the_image() {
    let mut random = Random::new(21);
    let config = Conv2dConfig::default();
    for _ in 0..10 {
        let (a, b) = (
            random.normal((2, 9, 9, 3), 0.0, 1.0).unwrap(),
            random.normal((2, 9, 9, 3), 0.0, 1.0).unwrap(),
        );
        let weight = random.normal((3, 3, 3, 20), 0.0, 0.2).unwrap();
        let apply = |images: &Tensor| conv2d(images, &weight, &config).unwrap();
        let sum = apply(&(&a + &b).unwrap());
        assert_close(&sum, &(apply(&a) + apply(&b)).unwrap(), "sum");
        // What a part of the image gives is that part of what the whole gives.
        let part = a.narrow(1, 2, 6).unwrap().narrow(2, 1, 7).unwrap();
        let expected = apply(&a).narrow(1, 2, 4).unwrap().narrow(2, 1, 5).unwrap();
        assert_close(&apply(&part), &expected.contiguous().unwrap(), "part");
    }
}

#[test]
fn the_fused_operations_are_their_parts() {
    let mut random = Random::new(31);
    for round in 0..60 {
        let (batch, side) = (1 + random.below(20), 9 + random.below(12));
        let (inputs, outputs) = (1 + random.below(40), 1 + random.below(40));
        let config = Conv2dConfig {
            stride: 1 + random.below(2),
            padding: random.below(2),
            dilation: 1 + random.below(2),
            groups: 1,
        };
        let (size, kernel) = (1 + random.below(3), 1 + random.below(3));
        let mut variable = |shape: &[usize], deviation: f64| {
            Var::from_tensor(&random.normal(shape, 0.0, deviation).unwrap()).unwrap()
        };
        let images = variable(&[batch, side, side, inputs], 1.0);
        let weight = variable(&[kernel, kernel, inputs, outputs], 0.2);
        let bias = variable(&[outputs], 0.3);
        let sums = || conv2d(&images, &weight, &config).unwrap();
        let relu = bias_relu(&sums(), &bias).unwrap();
        let all: [(&str, Tensor, Tensor, &[&Var]); 2] = [
            (
                "with bias and ReLU",
                conv_relu_pool(&images, &weight, &bias, &config, size).unwrap(),
                max_pool2d(&relu, size, size).unwrap(),
                &[&images, &weight, &bias],
            ),
            (
                "without",
                conv_pool(&images, &weight, &config, size).unwrap(),
                max_pool2d(&sums(), size, size).unwrap(),
                &[&images, &weight],
            ),
        ];
        for (name, fused, parts, parameters) in all {
            let what = format!("round {round}, {name}, {config:?}, kernel {kernel}, window {size}");
            assert_close(&fused, &parts, &what);
            let probe = random.normal(fused.shape().clone(), 0.0, 0.1).unwrap();
            let gradients = |output: Tensor| {
                let loss = (output * &probe).unwrap().sum_all().unwrap();
                loss.backward().unwrap()
            };
            let (fused, parts) = (gradients(fused), gradients(parts));
            for (number, parameter) in parameters.iter().enumerate() {
                let [fused, parts] = [&fused, &parts].map(|all| all.get(parameter).unwrap());
                assert_close(fused, parts, &format!("{what}, gradient {number}"));
            }
        }
    }
}

/// Output of a layer, and the gradients of its sum weighted by `probe`.
fn layer_both_ways(inputs: &[Tensor; 3], relu: bool, probe: &Tensor) -> [Tensor; 4] {
    let [x, weight, bias] = inputs
        .each_ref()
        .map(|input| Var::from_tensor(input).unwrap());
    let layer = if relu { linear_relu } else { linear };
    let output = layer(&x, &weight, &bias).unwrap();
    let loss = (&output * probe).unwrap().sum_all().unwrap();
    let gradients = loss.backward().unwrap();
    let of = |var: &Var| gradients.get(var).unwrap().clone();
    [output.clone(), of(&x), of(&weight), of(&bias)]
}

#[test]
fn a_layer_for_many_rows_agrees_with_candle_and_leaves_padding_out() {
    let mut random = Random::new(12);
    for (shape, outputs, relu) in [
        (&[130, 33][..], 50, false),
        (&[4, 40, 64], 70, true),
        (&[1_100, 20], 13, false), // deeper than is summed at a time
        (&[100, 300], 200, true),
        (&[2, 3, 17], 5, true), // few rows, in three dimensions
    ] {
        let width = *shape.last().unwrap();
        let inputs = [
            random.normal(shape, 0.0, 1.0).unwrap(),
            random.normal((outputs, width), 0.0, 0.1).unwrap(),
            random.normal(outputs, 0.0, 1.0).unwrap(),
        ];
        let mut output_shape = shape.to_vec();
        *output_shape.last_mut().unwrap() = outputs;
        let probe = random.normal(output_shape.as_slice(), 0.0, 0.1).unwrap();
        let mut rows = output_shape.clone();
        *rows.last_mut().unwrap() = 1;
        let rows = random.uniform(rows, 0.0, 1.0).unwrap().gt(0.4_f32).unwrap();
        let rows = rows.to_dtype(candle_core::DType::F32).unwrap();
        let probe = probe.broadcast_mul(&rows).unwrap(); // a third is padding
        let ours = layer_both_ways(&inputs, relu, &probe);
        let double = |tensor: &Tensor| tensor.to_dtype(candle_core::DType::F64).unwrap();
        let composed = layer_both_ways(&inputs.each_ref().map(double), relu, &double(&probe));
        for (number, (ours, composed)) in ours.iter().zip(&composed).enumerate() {
            let composed = composed.to_dtype(candle_core::DType::F32).unwrap();
            assert_close(ours, &composed, &format!("{shape:?}, result {number}"));
        }
    }
}

#[test]
fn a_layer_does_not_depend_on_the_number_of_threads() {
    let mut random = Random::new(13);
    let inputs = [
        random.normal((1_100, 65), 0.0, 1.0).unwrap(),
        random.normal((130, 65), 0.0, 0.1).unwrap(),
        random.normal(130, 0.0, 1.0).unwrap(),
    ];
    let probe = random.normal((1_100, 130), 0.0, 1.0).unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new();
        let pool = pool.num_threads(threads).build().unwrap();
        let results = pool.install(|| layer_both_ways(&inputs, true, &probe));
        results.map(|tensor| {
            let flat = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            flat.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let one = with(1);
    assert!(one == with(2) && one == with(5));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let train = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut random = Random::new(3);
            let images = random.normal((37, 12, 12, 3), 0.0, 1.0).unwrap();
            let weight =
                Var::from_tensor(&random.normal((3, 3, 3, 20), 0.0, 0.3).unwrap()).unwrap();
            let bias = Var::from_tensor(&random.normal(20, 0.0, 0.3).unwrap()).unwrap();
            let scale = Var::from_tensor(&random.normal(20, 1.0, 0.3).unwrap()).unwrap();
            let x = conv_relu_pool(&images, &weight, &bias, &Conv2dConfig::default(), 2).unwrap();
            let (x, _) = batch_norm(&x, &scale, &bias, 1e-5, true).unwrap();
            let gradients = x.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            let bits = |var: &Var| {
                let gradient = gradients.get(var).unwrap().flatten_all().unwrap();
                gradient
                    .to_vec1::<f32>()
                    .unwrap()
                    .into_iter()
                    .map(f32::to_bits)
                    .collect::<Vec<_>>()
            };
            (bits(&weight), bits(&bias), bits(&scale))
        })
    };
    let one = train(1);
    assert_eq!(one, train(2));
    assert_eq!(one, train(5));
}

#[test]
fn double_precision_is_composed_of_candles_operations() {
    let mut random = Random::new(4);
    let double = |tensor: &Tensor| tensor.to_dtype(candle_core::DType::F64).unwrap();
    let single = |tensor: &Tensor| tensor.to_dtype(candle_core::DType::F32).unwrap();
    let images = random.normal((2, 8, 8, 3), 0.0, 1.0).unwrap();
    let weight = random.normal((3, 3, 3, 6), 0.0, 0.3).unwrap();
    let bias = random.normal(6, 0.0, 0.3).unwrap();
    let config = Conv2dConfig::default();
    let ours = conv_relu_pool(&images, &weight, &bias, &config, 2).unwrap();
    let composed = conv_relu_pool(
        &double(&images),
        &double(&weight),
        &double(&bias),
        &config,
        2,
    )
    .unwrap();
    assert_close(&ours, &single(&composed), "conv_relu_pool");
    let ours = conv_pool(&images, &weight, &config, 2).unwrap();
    let composed = conv_pool(&double(&images), &double(&weight), &config, 2).unwrap();
    assert_close(&ours, &single(&composed), "conv_pool");
    let (ours, statistics) = batch_norm(
        &images,
        &bias.narrow(0, 0, 3).unwrap(),
        &bias.narrow(0, 3, 3).unwrap(),
        1e-5,
        true,
    )
    .unwrap();
    let (composed, same) = batch_norm(
        &double(&images),
        &double(&bias.narrow(0, 0, 3).unwrap()),
        &double(&bias.narrow(0, 3, 3).unwrap()),
        1e-5,
        true,
    )
    .unwrap();
    assert_close(&ours, &single(&composed), "batch_norm");
    assert!((statistics.mean[0] - same.mean[0]).abs() < 1e-6 && statistics.count == same.count);
    let labels = Tensor::new(&[1_u32, 0], &Device::Cpu).unwrap();
    let logits = random.normal((2, 4), 0.0, 2.0).unwrap();
    let ours = cross_entropy(&logits, &labels, 0.1).unwrap();
    assert_close(
        &ours,
        &single(&cross_entropy(&double(&logits), &labels, 0.1).unwrap()),
        "cross_entropy",
    );
}

#[test]
fn wrong_shapes_and_settings_are_named() {
    let zeros =
        |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    let config = Conv2dConfig::default();
    let error = |result: kindling_base::Result<Tensor>| result.unwrap_err().to_string();
    let images = zeros(&[2, 8, 8, 3]);
    assert!(
        error(conv2d(&zeros(&[8, 8, 3]), &zeros(&[3, 3, 3, 4]), &config))
            .starts_with("images: expected shape (batch, height")
    );
    assert!(
        error(conv2d(&images, &zeros(&[3, 3, 4, 4]), &config))
            .starts_with("weight: expected shape")
    );
    assert!(error(conv2d(&images, &zeros(&[9, 3, 3, 4]), &config)).contains("at least 9 rows"));
    let stuck = Conv2dConfig {
        stride: 0,
        ..config
    };
    assert_eq!(
        error(conv2d(&images, &zeros(&[3, 3, 3, 4]), &stuck)),
        "stride: expected at least 1, found 0"
    );
    assert!(error(max_pool2d(&images, 9, 1)).contains("at least 9 by 9 pixels"));
    assert!(error(max_pool2d(&images, 2, 0)).starts_with("stride"));
    assert!(error(bias_relu(&images, &zeros(&[4]))).starts_with("bias"));
    assert!(error(linear(&zeros(&[2, 3]), &zeros(&[4, 5]), &zeros(&[4]))).starts_with("weight"));
    let labels = Tensor::new(&[0_u32, 7], &Device::Cpu).unwrap();
    assert_eq!(
        error(cross_entropy(&zeros(&[2, 3]), &labels, 0.0)),
        "labels: expected classes below 3, found 7"
    );
    assert!(error(cross_entropy(&zeros(&[2, 3]), &zeros(&[3, 3]), 0.0)).starts_with("targets"));
    assert!(error(cross_entropy(&zeros(&[2, 3]), &labels, 1.5)).starts_with("label_smoothing"));
}

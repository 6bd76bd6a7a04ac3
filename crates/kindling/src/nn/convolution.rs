//! The convolutional layer, alone and with batch normalisation.

use candle_core::{DType, Device, Tensor, Var};

use super::BatchNorm;
use crate::{
    Result,
    data::Random,
    ops::{Conv2dConfig, bias_relu, conv_pool, conv_relu_pool, conv2d},
};

/// A square kernel slid over images, with a bias for each output channel.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// `(kernel_height, kernel_width, in_channels / groups, out_channels)`.
    pub weight: Var,
    /// `(out_channels)`.
    pub bias: Var,
    /// Stride, padding, dilation and groups.
    pub config: Conv2dConfig,
}

impl Convolution {
    /// Weights drawn evenly from ±√(6 / (fan in + fan out)) (Glorot and Bengio, 2010), as Keras does; biases zero.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        kernel: usize,
        config: Conv2dConfig,
        random: &mut Random,
    ) -> Result<Self> {
        let fans = kernel * kernel * (in_channels + out_channels);
        let limit = (6.0 / fans as f64).sqrt();
        let shape = (
            kernel,
            kernel,
            in_channels / config.groups.max(1),
            out_channels,
        );
        Ok(Self {
            weight: Var::from_tensor(&random.uniform(shape, -limit, limit)?)?,
            bias: Var::zeros(out_channels, DType::F32, &Device::Cpu)?,
            config,
        })
    }

    /// From `(batch, height, width, in_channels)` to `(batch, out_height, out_width, out_channels)`.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        Ok(conv2d(images, &self.weight, &self.config)?.broadcast_add(&self.bias)?)
    }

    /// [`Convolution::forward`] and then ReLU.
    pub fn forward_relu(&self, images: &Tensor) -> Result<Tensor> {
        bias_relu(&conv2d(images, &self.weight, &self.config)?, &self.bias)
    }

    /// [`Convolution::forward`], ReLU and max-pooling over `size × size` windows, without the large tensors in between.
    pub fn forward_relu_pool(&self, images: &Tensor, size: usize) -> Result<Tensor> {
        conv_relu_pool(images, &self.weight, &self.bias, &self.config, size)
    }

    /// Weight and bias by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        vec![
            (format!("{name}.weight"), self.weight.clone()),
            (format!("{name}.bias"), self.bias.clone()),
        ]
    }
}

/// Convolution, batch normalisation and, unless told otherwise, ReLU: the block that most networks for vision repeat.
#[derive(Debug, Clone)]
pub struct ConvolutionNorm {
    /// `(kernel_height, kernel_width, in_channels, out_channels)`; without a bias, which the normalisation would take off again.
    pub weight: Var,
    /// The normalisation of the output channels.
    pub norm: BatchNorm,
    config: Conv2dConfig,
    pool: Option<usize>,
}

impl ConvolutionNorm {
    /// Weights from a normal distribution of variance 2 / fan in, made for ReLU (He et al., 2015, equation 10).
    ///
    /// An odd `kernel` with a `stride` of 1 keeps height and width.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        kernel: usize,
        stride: usize,
        random: &mut Random,
    ) -> Result<Self> {
        let deviation = (2.0 / (kernel * kernel * in_channels) as f64).sqrt();
        let shape = (kernel, kernel, in_channels, out_channels);
        Ok(Self {
            weight: Var::from_tensor(&random.normal(shape, 0.0, deviation)?)?,
            norm: BatchNorm::new(out_channels)?.with_relu(),
            config: Conv2dConfig {
                stride,
                padding: kernel / 2,
                ..Conv2dConfig::default()
            },
            pool: None,
        })
    }

    /// The same with max-pooling over `size × size` windows before the normalisation, which then has less to look at.
    #[must_use]
    pub fn pooled(self, size: usize) -> Self {
        Self {
            pool: Some(size),
            ..self
        }
    }

    /// The same without ReLU.
    #[must_use]
    pub fn linear(mut self) -> Self {
        self.norm.relu = false;
        self
    }

    /// With the running statistics.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.norm.forward(&self.features(images)?)
    }

    /// With the statistics of this batch.
    pub fn forward_training(&self, images: &Tensor) -> Result<Tensor> {
        self.norm.forward_training(&self.features(images)?)
    }

    /// What the normalisation is given.
    fn features(&self, images: &Tensor) -> Result<Tensor> {
        match self.pool {
            Some(size) => conv_pool(images, &self.weight, &self.config, size),
            None => conv2d(images, &self.weight, &self.config),
        }
    }

    /// Weight and normalisation by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        let mut state = vec![(format!("{name}.weight"), self.weight.clone())];
        state.extend(self.norm.state(&format!("{name}.norm")));
        state
    }

    /// What the normalisation measures.
    #[must_use]
    pub fn buffers(&self) -> Vec<Var> {
        self.norm.buffers()
    }
}

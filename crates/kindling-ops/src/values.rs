//! The numbers of a tensor as a slice.

use std::ops::{Deref, Range};

use candle_core::{CpuStorage, DType, Layout, Storage, Tensor};

/// Whether our own loops can work on these tensors; anything else is composed of Candle's operations.
pub(super) fn on_cpu(tensors: &[&Tensor]) -> bool {
    tensors
        .iter()
        .all(|tensor| tensor.device().is_cpu() && tensor.dtype() == DType::F32)
}

/// The numbers of a contiguous tensor in a custom operation.
pub(super) fn slice<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> candle_core::Result<&'a [f32]> {
    let numbers = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&numbers[start..end]),
        None => candle_core::bail!("expected a contiguous tensor, found {layout:?}"),
    }
}

/// The numbers of a contiguous f32 tensor on the CPU, locked for reading.
pub(super) struct Values<'a> {
    storage: candle_core::StorageRef<'a>,
    range: Range<usize>,
}

impl<'a> Values<'a> {
    pub(super) fn of(tensor: &'a Tensor) -> candle_core::Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        let range = match &*storage {
            Storage::Cpu(numbers) => {
                slice(numbers, layout)?;
                layout.start_offset()..layout.start_offset() + layout.shape().elem_count()
            }
            _ => candle_core::bail!("expected a tensor on the CPU, found {:?}", tensor.device()),
        };
        Ok(Self { storage, range })
    }
}

impl Deref for Values<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(numbers)) => &numbers[self.range.clone()],
            _ => &[], // `of` has refused everything else
        }
    }
}

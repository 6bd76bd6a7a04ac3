//! The objects of a mini-batch as one tensor, and back.

use candle_core::{DType, Device, Tensor};

use crate::{
    Error, Result,
    boxes::{Object, Role},
};

/// The numbers of an object in a tensor: `x1, y1, x2, y2`, class, role.
pub const TARGET_SIZE: usize = 6;

/// The class of a row that stands for nothing.
const NONE: f32 = -1.0;

/// The objects of each picture as `(batch, objects, 6)`: corners, class and role; rows beyond a picture's own have the class -1.
///
/// `objects` in the shape is `most`, so that all batches have the same; a picture with more is an error.
pub fn targets(pictures: &[&[Object]], most: usize) -> Result<Tensor> {
    let mut numbers = Vec::with_capacity(pictures.len() * most * TARGET_SIZE);
    for objects in pictures {
        if objects.len() > most {
            return Err(Error::Argument(format!(
                "most: expected at least {}, as many as one picture has objects, found {most}",
                objects.len()
            )));
        }
        for object in *objects {
            let role = match object.role {
                Role::Counted => 0.0,
                Role::Ignored => 1.0,
                Role::Crowd => 2.0,
            };
            numbers.extend(object.corners);
            numbers.extend([object.class as f32, role]);
        }
        for _ in objects.len()..most {
            numbers.extend([0.0, 0.0, 0.0, 0.0, NONE, 0.0]);
        }
    }
    let shape = (pictures.len(), most, TARGET_SIZE);
    Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?)
}

/// The objects of each picture, from a tensor `(batch, objects, 6)` that [`targets`] made.
pub fn objects_of(targets: &Tensor) -> Result<Vec<Vec<Object>>> {
    let &[batch, most, TARGET_SIZE] = targets.dims() else {
        return Err(Error::Shape {
            what: "targets".to_owned(),
            expected: format!("(batch, objects, {TARGET_SIZE})"),
            found: targets.dims().to_vec(),
        });
    };
    let numbers = targets.to_dtype(DType::F32)?.flatten_all()?;
    let numbers = numbers.to_vec1::<f32>()?;
    let (rows, _) = numbers.as_chunks::<TARGET_SIZE>();
    let picture = |picture: usize| {
        let rows = rows[picture * most..][..most].iter();
        let objects = rows.filter(|row| row[4] >= 0.0);
        objects.map(|&[x1, y1, x2, y2, class, role]| Object {
            corners: [x1, y1, x2, y2],
            class: class as usize,
            role: match role {
                1.0 => Role::Ignored,
                2.0 => Role::Crowd,
                _ => Role::Counted,
            },
        })
    };
    Ok((0..batch).map(|number| picture(number).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_survive_the_way_to_a_tensor_and_back() {
        let mut objects = vec![Object::new([1.0, 2.0, 3.0, 4.0], 7); 3];
        objects[1].role = Role::Ignored;
        objects[2].role = Role::Crowd;
        let tensor = targets(&[&objects, &[]], 4).unwrap(); // (2, 4, 6)
        assert_eq!(tensor.dims(), [2, 4, 6]);
        assert_eq!(objects_of(&tensor).unwrap(), [objects.clone(), Vec::new()]);
        assert!(targets(&[&objects], 2).is_err());
        assert!(objects_of(&tensor.narrow(2, 0, 5).unwrap()).is_err());
    }
}

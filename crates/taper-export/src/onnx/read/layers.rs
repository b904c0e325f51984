//! Ops that one node stands for, with their weights.

use taper_graph::{Array, BatchNorm2d, Conv2d, Linear, Op};

use super::Reader;
use super::call::Call;
use super::error::ReadError;

impl<'a> Reader<'a> {
    /// Wires `op` as a layer with `params`, named after the first of them.
    fn layer(&mut self, call: Call<'a>, op: Op, params: Vec<(&str, Array)>) -> Result<(), ReadError> {
        let (x, name) = (self.first(call)?, self.name(call, call.input(1)));
        self.wire(call, &name, op, &[x])?;
        let params = params.into_iter().map(|(param, array)| (format!("{name}.{param}"), array));
        self.arrays.extend(params);
        Ok(())
    }

    /// An op without weights.
    pub(super) fn simple(&mut self, call: Call<'a>, op: Op) -> Result<(), ReadError> {
        call.only(&[])?;
        let (x, name) = (self.first(call)?, self.name(call, None));
        self.wire(call, &name, op, &[x])
    }

    pub(super) fn conv(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"])?;
        let weight = call.array(1)?;
        let [out_channels, _, height, width] = weight.shape[..] else {
            return Err(
                call.unsupported(format!("its weight is {:?}; only images are convolved", weight.shape))
            );
        };
        let [padding, ends] = call.pads()?;
        if padding != ends {
            return Err(call.unsupported(format!(
                "it pads by {padding:?} at the start and {ends:?} at the end; pad both sides alike"
            )));
        }
        let bias = call.input(2).map(|_| call.array(2)).transpose()?;
        let op = Op::Conv2d(Conv2d {
            out_channels,
            kernel: [height, width],
            stride: call.pair("strides", [1, 1])?,
            padding,
            dilation: call.pair("dilations", [1, 1])?,
            groups: usize::try_from(call.int("group", 1)).unwrap_or(0),
            bias: bias.is_some(),
        });
        let bias = bias.map(|bias| ("bias", bias));
        self.layer(call, op, [("weight", weight)].into_iter().chain(bias).collect())
    }

    /// `alpha·x·W + beta·b`, with `W` transposed or not.
    pub(super) fn gemm(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["alpha", "beta", "transA", "transB"])?;
        if call.int("transA", 0) != 0 {
            return Err(call.unsupported("it transposes its input"));
        }
        let weight = call.array(1)?;
        let weight = if call.int("transB", 0) != 0 { weight } else { transposed(weight) };
        let weight = scaled(weight, call.float("alpha", 1.0));
        let out_features = weight.shape.first().copied().unwrap_or(0);
        let bias = match call.input(2) {
            Some(_) => {
                let bias = scaled(call.array(2)?, call.float("beta", 1.0));
                // A bias is broadcast to `[N, F]`.
                let data = if bias.data.len() == 1 { vec![bias.data[0]; out_features] } else { bias.data };
                Some(("bias", Array { shape: vec![data.len()], data }))
            }
            None => None,
        };
        let op = Op::Linear(Linear { out_features, bias: bias.is_some() });
        self.layer(call, op, [("weight", weight)].into_iter().chain(bias).collect())
    }

    pub(super) fn batch_norm(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["epsilon", "momentum", "training_mode"])?;
        if call.int("training_mode", 0) != 0 {
            return Err(call.unsupported("it is in training mode; export the network in evaluation mode"));
        }
        // As the shortest decimal: 1e-5, and not the 9.999999747378752e-6 that an f32 has for it.
        let decimal = |number: f32| number.to_string().parse().unwrap_or(f64::from(number));
        // ONNX's momentum is the share that the old average keeps.
        let momentum = ((1.0 - decimal(call.float("momentum", 0.9))) * 1e6).round() / 1e6;
        let op = Op::BatchNorm2d(BatchNorm2d { eps: decimal(call.float("epsilon", 1e-5)), momentum });
        let names = ["weight", "bias", "running_mean", "running_var"].into_iter().enumerate();
        let params = names.map(|(place, name)| Ok((name, call.array(place + 1)?)));
        let params = params.collect::<Result<_, ReadError>>()?;
        self.layer(call, op, params)
    }

    /// The mean over height and width.
    pub(super) fn mean(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["axes", "keepdims", "noop_with_empty_axes"])?;
        self.image(call, call.input(0).unwrap_or_default())?;
        let axes = call.ints("axes").map(<[i64]>::to_vec).or_else(|| call.whole(1)).unwrap_or_default();
        let mut axes: Vec<i64> =
            axes.into_iter().map(|axis| if axis < 0 { axis + 4 } else { axis }).collect();
        axes.sort_unstable();
        if axes != [2, 3] {
            return Err(
                call.unsupported(format!("only the mean over height and width is read, not over {axes:?}"))
            );
        }
        self.is_for_candle = true;
        let (x, name) = (self.first(call)?, self.name(call, None));
        self.wire(call, &name, Op::GlobalAvgPool, &[x])?;
        if call.int("keepdims", 1) == 0 {
            let flat = self.name(call, None);
            self.wire(call, &flat, Op::Flatten, &[self.graph.output()])?;
        }
        Ok(())
    }

    pub(super) fn gelu(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["approximate"])?;
        if !matches!(call.text("approximate"), None | Some(b"none")) {
            return Err(call.unsupported("only the exact GELU is read, not its approximation by tanh"));
        }
        let (x, name) = (self.first(call)?, self.name(call, None));
        self.wire(call, &name, Op::Gelu, &[x])
    }

    pub(super) fn softmax(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["axis"])?;
        let x = self.first(call)?;
        let rank = self.graph.shape(x).rank() as i64;
        let axis = call.int("axis", if self.opset >= 13 { -1 } else { 1 });
        // Before operator set 13 it was taken over all dimensions from the axis on.
        if axis.rem_euclid(rank) != 1 || (self.opset < 13 && rank != 2) {
            return Err(call.unsupported(format!("it is taken over dimension {axis}, not over the channels")));
        }
        let name = self.name(call, None);
        self.wire(call, &name, Op::Softmax, &[x])
    }

    /// Dropout, which does nothing but may come back in training.
    pub(super) fn dropout(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["ratio", "seed"])?;
        let given = call.input(1).and_then(|name| self.constants.scalar(name));
        let (x, name) = (self.first(call)?, self.name(call, None));
        self.wire(call, &name, Op::dropout(given.unwrap_or(call.float("ratio", 0.5))), &[x])
    }

    /// Another name for what it reads.
    pub(super) fn identity(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        let value = self.first(call)?;
        self.values.insert(call.node.output.first().map_or("", String::as_str), value);
        Ok(())
    }

    pub(super) fn flatten(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["axis"])?;
        let x = self.first(call)?;
        let axis = call.int("axis", 1);
        if axis != 1 && axis.checked_add(self.graph.shape(x).rank() as i64) != Some(1) {
            return Err(call.unsupported(format!("it flattens from dimension {axis}, not from 1")));
        }
        let name = self.name(call, None);
        self.wire(call, &name, Op::Flatten, &[x])
    }

    /// `Reshape` to `[N, F]`: as PyTorch exports `flatten(1)` and `view(N, -1)`.
    pub(super) fn reshape(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["allowzero"])?;
        let x = self.first(call)?;
        let elements = self.graph.shape(x).elements() as i64;
        let target = call.whole(1);
        let is_flat = match target.as_deref() {
            Some([-1 | 0, size]) => *size == elements || (*size == -1 && target != Some(vec![-1, -1])),
            Some([batch, size]) => *batch == self.batch() && (*size == elements || *size == -1),
            _ => false,
        };
        if !is_flat {
            let target = target.map_or("what the graph computes".to_owned(), |target| format!("{target:?}"));
            return Err(call.unsupported(format!("it reshapes to {target}; only [N, {elements}] is read")));
        }
        let name = self.name(call, None);
        self.wire(call, &name, Op::Flatten, &[x])
    }

    /// The batch that the file's input is declared with; 0 if it is open.
    fn batch(&self) -> i64 {
        let tensor = self.input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let first = tensor.and_then(|tensor| tensor.shape.as_ref()?.dim.first()?.dim_value);
        first.unwrap_or(0)
    }

    pub(super) fn concat(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&["axis"])?;
        let rank = self.graph.shape(self.first(call)?).rank() as i64;
        match call.int("axis", 1) {
            axis if axis.rem_euclid(rank) == 1 => self.join(call, Op::Concat),
            axis => Err(call.unsupported(format!("it joins along dimension {axis}, not along the channels"))),
        }
    }

    /// An op of several values.
    pub(super) fn join(&mut self, call: Call<'a>, op: Op) -> Result<(), ReadError> {
        let inputs = call.node.input.iter().map(|name| self.value(call, name));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let name = self.name(call, None);
        self.wire(call, &name, op, &inputs)
    }
}

/// `[A, B]` to `[B, A]`; anything but a matrix as it is, to be refused by its shape.
fn transposed(matrix: Array) -> Array {
    let [rows, columns] = matrix.shape[..] else { return matrix };
    let data = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    Array { shape: vec![columns, rows], data: data.map(|place| matrix.data[place]).collect() }
}

fn scaled(mut array: Array, factor: f32) -> Array {
    if factor != 1.0 {
        array.data.iter_mut().for_each(|number| *number *= factor);
    }
    array
}

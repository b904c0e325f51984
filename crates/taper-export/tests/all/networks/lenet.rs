//! LeNet, as in candle's MNIST example.

use candle_core::Result;
use candle_nn::{Conv2d, Dropout, Linear, VarBuilder, conv2d, linear};
use taper_export::flow::{Flow, Inference, LayerT};

use super::agrees;
use crate::flow::check::{Sample, numbers};

struct ConvNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    dropout: Dropout,
}

impl ConvNet {
    fn new(vs: VarBuilder) -> Result<Self> {
        let conv1 = conv2d(1, 6, 5, Default::default(), vs.pp("c1"))?;
        let conv2 = conv2d(6, 8, 5, Default::default(), vs.pp("c2"))?;
        let fc1 = linear(128, 20, vs.pp("fc1"))?;
        let fc2 = linear(20, 10, vs.pp("fc2"))?;
        let dropout = Dropout::new(0.5);
        Ok(Self { conv1, conv2, fc1, fc2, dropout })
    }
}

impl LayerT for ConvNet {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let (b_sz, _img_dim) = xs.dims2()?;
        let xs = xs
            .reshape((b_sz, 1, 28, 28))?
            .apply(&self.conv1)?
            .max_pool2d(2)?
            .apply(&self.conv2)?
            .max_pool2d(2)?
            .flatten_from(1)?
            .apply(&self.fc1)?
            .relu()?;
        self.dropout.forward_t(&xs, train)?.apply(&self.fc2)
    }
}

#[test]
fn lenet() {
    let sample = Sample::batch(numbers(&[4, 784], 1));
    agrees("lenet", |vb| Ok(Inference(ConvNet::new(vb)?)), &[sample], true);
}

//! VGG-11, with an eighth of its channels, as a list of layers.

use candle_core::Result;
use candle_nn::{Activation, Conv2dConfig, Dropout, Linear, VarBuilder, conv2d, linear};
use taper_export::flow::{Flow, Inference, Layer, LayerT, Sequential, seq};

use super::agrees;
use crate::flow::check::{Sample, numbers};

struct MaxPool;

impl Layer for MaxPool {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.max_pool2d(2)
    }
}

struct Vgg {
    features: Sequential,
    classifier: [Linear; 3],
    dropout: Dropout,
}

impl Vgg {
    fn new(vb: VarBuilder) -> Result<Self> {
        let stages: [&[usize]; 5] = [&[8], &[16], &[32, 32], &[64, 64], &[64, 64]];
        let (mut features, mut place, mut c_in) = (seq(), 0, 3);
        for stage in stages {
            for &c_out in stage {
                let config = Conv2dConfig { padding: 1, ..Default::default() };
                features = features
                    .add(conv2d(c_in, c_out, 3, config, vb.pp("features").pp(place))?)
                    .add(Activation::Relu);
                (place, c_in) = (place + 2, c_out);
            }
            features = features.add(MaxPool);
            place += 1;
        }
        let vb = vb.pp("classifier");
        let classifier = [linear(64, 32, vb.pp(0))?, linear(32, 32, vb.pp(3))?, linear(32, 10, vb.pp(6))?];
        Ok(Self { features, classifier, dropout: Dropout::new(0.5) })
    }
}

impl LayerT for Vgg {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let xs = xs.apply(&self.features)?.flatten_from(1)?;
        let xs = xs.apply(&self.classifier[0])?.relu()?.apply_t(&self.dropout, train)?;
        let xs = xs.apply(&self.classifier[1])?.relu()?.apply_t(&self.dropout, train)?;
        xs.apply(&self.classifier[2])
    }
}

#[test]
fn vgg11() {
    let sample = Sample::batch(numbers(&[4, 3, 32, 32], 1));
    agrees("vgg11", |vb| Ok(Inference(Vgg::new(vb)?)), &[sample], true);
}

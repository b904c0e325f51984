//! A U-Net on images of dynamic size: group norm, and both ways to become larger again.

use candle_core::Result;
use candle_nn::{
    Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, VarBuilder, conv_transpose2d, conv2d,
};
use taper_export::flow::{Flow, GroupNorm, Layer, group_norm};

use super::agrees;
use crate::flow::check::{Sample, numbers};

struct DoubleConv {
    conv1: Conv2d,
    norm: GroupNorm,
    conv2: Conv2d,
}

impl DoubleConv {
    fn new(c_in: usize, c_out: usize, vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { padding: 1, ..Default::default() };
        Ok(Self {
            conv1: conv2d(c_in, c_out, 3, config, vb.pp("conv1"))?,
            norm: group_norm(4, c_out, 1e-5, vb.pp("norm"))?,
            conv2: conv2d(c_out, c_out, 3, config, vb.pp("conv2"))?,
        })
    }
}

impl Layer for DoubleConv {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.apply(&self.conv1)?.apply(&self.norm)?.silu()?.apply(&self.conv2)?.relu()
    }
}

struct UNet {
    down: [DoubleConv; 3],
    up1: ConvTranspose2d,
    mix1: DoubleConv,
    mix2: DoubleConv,
    out: Conv2d,
}

impl UNet {
    fn new(vb: VarBuilder) -> Result<Self> {
        let config = ConvTranspose2dConfig { stride: 2, ..Default::default() };
        let down = [
            DoubleConv::new(1, 8, vb.pp("down1"))?,
            DoubleConv::new(8, 16, vb.pp("down2"))?,
            DoubleConv::new(16, 32, vb.pp("down3"))?,
        ];
        Ok(Self {
            down,
            up1: conv_transpose2d(32, 16, 2, config, vb.pp("up1"))?,
            mix1: DoubleConv::new(32, 16, vb.pp("mix1"))?,
            mix2: DoubleConv::new(24, 8, vb.pp("mix2"))?,
            out: conv2d(8, 2, 1, Default::default(), vb.pp("out"))?,
        })
    }
}

impl Layer for UNet {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let x1 = xs.apply(&self.down[0])?;
        let x2 = x1.max_pool2d(2)?.apply(&self.down[1])?;
        let x3 = x2.max_pool2d(2)?.apply(&self.down[2])?;
        let xs = F::cat(&[x3.apply(&self.up1)?, x2], 1)?.apply(&self.mix1)?;
        let (_, _, height, width) = x1.dims4()?;
        let xs = xs.upsample_nearest2d(height, width)?;
        F::cat(&[&xs, &x1], 1)?.apply(&self.mix2)?.apply(&self.out)
    }
}

#[test]
fn unet() {
    let sample = Sample::image(numbers(&[4, 1, 20, 16], 1), 4);
    agrees("unet", UNet::new, &[sample], false);
}

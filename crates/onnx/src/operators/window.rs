//! Sliding windows of convolutions and poolings: which input positions each output position reads.

use super::Call;
use crate::{Refusal, shape::element_count};

/// What an output position reads through one place of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tap {
    /// An input position, flat over the spatial axes.
    Input(usize),
    /// Padding.
    Padding,
    /// Beyond the padding, where `ceil_mode` lets a window reach.
    Beyond,
}

/// One spatial axis.
struct Axis {
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    begin: usize,
    end: usize,
    output: usize,
}

/// The geometry of a sliding window.
pub(super) struct Window {
    axes: Vec<Axis>,
}

impl Window {
    /// Reads `auto_pad`, `dilations`, `kernel_shape`, `pads` and `strides`; `kernel` is the shape of the weights.
    pub(super) fn read(
        call: &mut Call<'_>,
        spatial: &[usize],
        kernel: Option<&[usize]>,
        dilated: bool,
        ceil: bool,
    ) -> Result<Self, Refusal> {
        let rank = spatial.len();
        let declared = sizes(call, "kernel_shape", rank)?;
        let kernel = match (kernel, declared) {
            (Some(kernel), Some(declared)) if declared != kernel => {
                return Err(Refusal::Shapes {
                    left: declared,
                    right: kernel.to_vec(),
                });
            }
            (Some(kernel), _) => kernel.to_vec(),
            (None, Some(declared)) => declared,
            (None, None) => {
                return Err(Refusal::MissingAttribute {
                    attribute: "kernel_shape",
                });
            }
        };
        let ones = || vec![1; rank];
        let strides = sizes(call, "strides", rank)?.unwrap_or_else(ones);
        let dilations = if dilated { sizes(call, "dilations", rank)? } else { None }.unwrap_or_else(ones);
        let auto_pad = call.attributes.text("auto_pad")?.unwrap_or("NOTSET");
        let pads = call.attributes.integers("pads")?;
        let fixed = match pads {
            Some(pads) if pads.len() != rank.saturating_mul(2) => {
                return Err(Refusal::AttributeLength {
                    attribute: "pads",
                    expected: rank.saturating_mul(2),
                    got: pads.len(),
                });
            }
            Some(pads) => pads
                .iter()
                .map(|&pad| {
                    // A pad as wide as the axes themselves is a damaged file.
                    usize::try_from(pad)
                        .ok()
                        .filter(|&pad| pad <= 1 << 20)
                        .ok_or(Refusal::AttributeValue {
                            attribute: "pads",
                            value: pad.to_string(),
                            supported: "a number of elements from 0 on",
                        })
                })
                .collect::<Result<Vec<_>, _>>()?,
            None => vec![0; rank.saturating_mul(2)],
        };
        let (begins, ends) = fixed.split_at(rank);
        let mut axes = Vec::with_capacity(rank);
        let parts = spatial.iter().zip(&kernel).zip(&strides).zip(&dilations);
        for ((((&input, &kernel), &stride), &dilation), (&begin, &end)) in parts.zip(begins.iter().zip(ends)) {
            let extent = kernel.saturating_sub(1).saturating_mul(dilation).saturating_add(1);
            let same = || {
                let output = input.div_ceil(stride);
                let reach = output.saturating_sub(1).saturating_mul(stride).saturating_add(extent);
                (output, reach.saturating_sub(input))
            };
            let (begin, end, output) = match auto_pad {
                "NOTSET" => (begin, end, None),
                "VALID" => (0, 0, None),
                "SAME_UPPER" => {
                    let (output, pad) = same();
                    (pad / 2, pad - pad / 2, Some(output))
                }
                "SAME_LOWER" => {
                    let (output, pad) = same();
                    (pad - pad / 2, pad / 2, Some(output))
                }
                other => {
                    return Err(Refusal::AttributeValue {
                        attribute: "auto_pad",
                        value: other.to_owned(),
                        supported: "NOTSET, VALID, SAME_UPPER or SAME_LOWER",
                    });
                }
            };
            let padded = input.saturating_add(begin).saturating_add(end);
            let output = match output {
                Some(output) => output,
                None => {
                    let room = padded.checked_sub(extent).ok_or_else(|| Refusal::Shapes {
                        left: spatial.to_vec(),
                        right: vec![extent],
                    })?;
                    let steps = if ceil { room.div_ceil(stride) } else { room / stride };
                    // A last window that starts beyond the input and the padding before it reads nothing.
                    let starts_outside = ceil && steps.saturating_mul(stride) >= input.saturating_add(begin);
                    steps.saturating_add(1).saturating_sub(usize::from(starts_outside))
                }
            };
            axes.push(Axis {
                input,
                kernel,
                stride,
                dilation,
                begin,
                end,
                output,
            });
        }
        if auto_pad != "NOTSET" && pads.is_some_and(|pads| pads.iter().any(|&pad| pad != 0)) {
            return Err(Refusal::AttributeValue {
                attribute: "pads",
                value: "given beside auto_pad".to_owned(),
                supported: "one of the two",
            });
        }
        Ok(Window { axes })
    }

    /// Spatial axes of the result.
    pub(super) fn output(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.output).collect()
    }

    /// Places of one window.
    pub(super) fn places(&self) -> usize {
        let kernel: Vec<usize> = self.axes.iter().map(|axis| axis.kernel).collect();
        element_count(&kernel).unwrap_or(usize::MAX)
    }

    /// What every output position reads, in row-major order of outputs and of window places. The caller has charged
    /// for outputs times places.
    pub(super) fn taps(&self) -> Vec<Vec<Tap>> {
        let mut windows = vec![vec![Tap::Input(0)]];
        for axis in &self.axes {
            windows = windows
                .iter()
                .flat_map(|window| (0..axis.output).map(move |output| axis.extend(window, output)))
                .collect();
        }
        windows
    }
}

impl Axis {
    /// A window over the axes so far, continued along this one at one output position.
    fn extend(&self, window: &[Tap], output: usize) -> Vec<Tap> {
        let along: Vec<Tap> = (0..self.kernel)
            .map(|place| {
                let reach = output
                    .saturating_mul(self.stride)
                    .saturating_add(place.saturating_mul(self.dilation));
                match reach.checked_sub(self.begin) {
                    Some(position) if position < self.input => Tap::Input(position),
                    Some(position) if position >= self.input.saturating_add(self.end) => Tap::Beyond,
                    _ => Tap::Padding,
                }
            })
            .collect();
        let join = |outer: Tap, inner: Tap| match (outer, inner) {
            (Tap::Beyond, _) | (_, Tap::Beyond) => Tap::Beyond,
            (Tap::Padding, _) | (_, Tap::Padding) => Tap::Padding,
            (Tap::Input(outer), Tap::Input(inner)) => {
                Tap::Input(outer.saturating_mul(self.input).saturating_add(inner))
            }
        };
        window
            .iter()
            .flat_map(|&outer| along.iter().map(move |&inner| join(outer, inner)))
            .collect()
    }
}

/// A list of positive sizes, one per spatial axis.
fn sizes(call: &mut Call<'_>, attribute: &'static str, rank: usize) -> Result<Option<Vec<usize>>, Refusal> {
    let Some(values) = call.attributes.integers(attribute)? else {
        return Ok(None);
    };
    if values.len() != rank {
        return Err(Refusal::AttributeLength {
            attribute,
            expected: rank,
            got: values.len(),
        });
    }
    values
        .iter()
        .map(|&value| {
            usize::try_from(value)
                .ok()
                .filter(|&value| value > 0)
                .ok_or(Refusal::AttributeValue {
                    attribute,
                    value: value.to_string(),
                    supported: "positive sizes",
                })
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

/// `(batch, channels, spatial axes)` of an image-like shape.
pub(super) fn image(shape: &[usize]) -> Result<(usize, usize, &[usize]), Refusal> {
    match shape {
        [batch, channels, spatial @ ..] if !spatial.is_empty() => Ok((*batch, *channels, spatial)),
        _ => Err(Refusal::Rank {
            shape: shape.to_vec(),
            expected: "a batch, channels and at least one spatial axis are needed",
        }),
    }
}

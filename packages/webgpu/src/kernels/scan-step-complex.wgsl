// For scan-step.wgsl: the imaginary part of the state, and no gate.
@group(0) @binding(5) var<storage, read_write> imaginary: array<f32>;

fn gateAt(at: u32) -> f32 {
  return 0.0;
}

fn stateIm(at: u32) -> f32 {
  return imaginary[at];
}

fn setStateIm(at: u32, value: f32) {
  imaginary[at] = value;
}

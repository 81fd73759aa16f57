// For scan-step.wgsl: a gate, and no imaginary part.
@group(0) @binding(5) var<storage, read> z: array<f32>;

fn gateAt(at: u32) -> f32 {
  return z[at];
}

fn stateIm(at: u32) -> f32 {
  return 0.0;
}

fn setStateIm(at: u32, value: f32) {}

// use: numerics
// One token of the causal convolution; the state [B, W - 1, D], oldest first, is shifted in place.
// A thread is a channel of a row.
const W: u32 = 4u;
const SILU: bool = true;
const HAS_BIAS: bool = true;
struct Params { batch: u32, channels: u32, xOffset: u32, xStride: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * 64u + i;
  let b = w.y;
  if (d >= p.channels) { return; }
  var sum = 0.0;
  if (HAS_BIAS) { sum = bias[d]; }
  var input = x[p.xOffset + b * p.xStride + d];
  sum += weight[d * W + W - 1u] * input;
  // From the newest to the oldest: each place takes what the one behind it held.
  for (var k = W - 1u; k > 0u; k--) {
    let at = (b * (W - 1u) + k - 1u) * p.channels + d;
    let old = state[at];
    sum += weight[d * W + k - 1u] * old;
    state[at] = input;
    input = old;
  }
  if (SILU) { sum = silu(vec4f(sum)).x; }
  y[b * p.channels + d] = sum;
}

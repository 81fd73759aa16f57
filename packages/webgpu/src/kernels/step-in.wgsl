// use: numerics
// First of the four kernels of a decoding step: r = x + residual, its RMS norm, in_proj, and, for the first half of the
// outputs, the convolution of the token with silu. What the convolution needs of a channel is one dot product, which the thread
// that adds it up has in its hand.
// A workgroup is ROWS outputs of one batch row; its threads stride over the inputs, eight at a time. Each workgroup norms the
// row for itself: it reads the row anyway. `weights-*.wgsl` in front says how in_proj lies, `sum-*.wgsl` adds up the threads'
// sums. The norm's weight is a storage buffer where there are bindings enough (norm-storage.wgsl in front), and a uniform one beside
// the scales of int8 (norm-uniform.wgsl); the bias is one: a workgroup reads a few neighbours of it.
const WG: u32 = 64u;
const ROWS: u32 = 4u;
const W: u32 = 4u; // width of the convolution
const BIAS: u32 = 1u; // quads of channels, or 1 without a bias
struct Params { outputs: u32, inputs: u32, pitch: u32, channels: u32, eps: f32, hasResidual: u32, hasBias: u32 }
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read> taps: array<f32>;        // [D, W]
@group(0) @binding(5) var<storage, read_write> state: array<f32>; // [B, W - 1, D]
@group(0) @binding(6) var<storage, read_write> uz: array<f32>;    // [B, 2 D]: u after the convolution, z
@group(0) @binding(7) var<storage, read_write> both: array<vec4f>;
@group(0) @binding(9) var<uniform> bias: array<vec4f, BIAS>;
@group(0) @binding(10) var<uniform> p: Params;

fn input(b: u32, quad: u32) -> vec4f {
  if (4u * quad >= p.inputs) { return vec4f(); }
  let at = b * p.inputs / 4u + quad;
  if (p.hasResidual > 0u) { return x[at] + residual[at]; }
  return x[at];
}

fn work(w: vec3u, n: vec3u, i: u32, lane: Lane) {
  let b = w.y;
  let quads = p.inputs / 4u;
  var squares = vec4f();
  for (var quad = i; quad < quads; quad += WG) {
    let r = input(b, quad);
    squares += r * r;
    if (w.x == 0u && p.hasResidual > 0u) { both[b * quads + quad] = r; }
  }
  let scale = inverseSqrt(dot(total(squares, i, lane), vec4f(1.0)) / f32(p.inputs) + p.eps);

  let first = w.x * ROWS;
  var sums = vec4f(); // one an output: ROWS is at most 4
  for (var unit = i; unit < (p.inputs + 7u) / 8u; unit += WG) {
    // Behind the end the input is zero, and WGSL reads some other place of `norm`.
    let a = input(b, 2u * unit) * norm[2u * unit];
    let c = input(b, 2u * unit + 1u) * norm[2u * unit + 1u];
    for (var r = 0u; r < ROWS; r++) {
      let weights = weight8(min(first + r, p.outputs - 1u), p.pitch, unit, p.inputs);
      sums[r] += dot(a, weights[0]) + dot(c, weights[1]);
    }
  }
  let all = total(sums, i, lane);
  let output = first + i;
  if (i >= ROWS || output >= p.outputs) { return; }
  var value = all[i] * scale;
  if (output < p.channels) {
    let d = output;
    var sum = taps[d * W + W - 1u] * value;
    if (p.hasBias > 0u) { sum += bias[d / 4u][d % 4u]; }
    // From the newest to the oldest: each place takes what the one behind it held.
    for (var k = W - 1u; k > 0u; k--) {
      let at = (b * (W - 1u) + k - 1u) * p.channels + d;
      let old = state[at];
      sum += taps[d * W + k - 1u] * old;
      state[at] = value;
      value = old;
    }
    value = silu(vec4f(sum)).x;
  }
  uz[b * p.outputs + output] = value;
}

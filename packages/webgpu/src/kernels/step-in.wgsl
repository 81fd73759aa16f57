// use: numerics
// First of the four kernels of a decoding step: r = x + residual, its RMS norm, in_proj, and, for the first half of the
// outputs, the convolution of the token with silu. What the convolution needs of a channel is one dot product, which the thread
// that adds it up has in its hand.
// A workgroup is ROWS outputs of one batch row; its threads stride over the inputs, eight at a time. Each workgroup norms the
// row for itself, and as a scale on its sums: so what it reads of row and weights is on its way at once. `weights-*.wgsl` in front says how in_proj lies, `sum-*.wgsl` adds up the threads'
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
  let first = w.x * ROWS;
  let output = first + i;
  let d = min(output, p.channels - 1u);
  // What the convolution needs, read at once; below it is too late.
  var past: array<f32, W>; // the newest last: it comes
  var tap: array<f32, W>;
  if (i < ROWS) {
    for (var k = 0u; k < W; k++) {
      tap[k] = taps[d * W + k];
      if (k + 1u < W) { past[k] = state[(b * (W - 1u) + k) * p.channels + d]; }
    }
  }
  var squares = vec4f();
  var sums = vec4f(); // one an output: ROWS is at most 4
  for (var unit = i; unit < (quads + 1u) / 2u; unit += WG) {
    // Behind the end the input is zero, and WGSL reads some other place of `norm`.
    let quad = 2u * unit;
    let a = input(b, quad);
    let c = input(b, quad + 1u);
    squares += a * a + c * c;
    for (var r = 0u; r < ROWS; r++) {
      let weights = weight8(min(first + r, p.outputs - 1u), p.pitch, unit, p.inputs);
      sums[r] += dot(a * norm[quad], weights[0]) + dot(c * norm[quad + 1u], weights[1]);
    }
    if (w.x == 0u && p.hasResidual > 0u) {
      both[b * quads + quad] = a;
      if (quad + 1u < quads) { both[b * quads + quad + 1u] = c; }
    }
  }
  let scale = inverseSqrt(dot(total(squares, i, lane), vec4f(1.0)) / f32(p.inputs) + p.eps);
  let all = total(sums, i, lane);
  if (i >= ROWS || output >= p.outputs) { return; }
  var value = all[i] * scale;
  if (output < p.channels) {
    past[W - 1u] = value;
    var sum = 0.0;
    if (p.hasBias > 0u) { sum = bias[d / 4u][d % 4u]; }
    for (var k = 0u; k < W; k++) {
      sum += tap[k] * past[k];
      if (k > 0u) { state[(b * (W - 1u) + k - 1u) * p.channels + d] = past[k]; }
    }
    value = silu(vec4f(sum)).x;
  }
  uz[b * p.outputs + output] = value;
}

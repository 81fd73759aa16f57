// use: index reduce
// r = x + residual; y = r / sqrt(mean(r^2) + eps) weight (RMS), or (r - mean) / sqrt(var + eps) weight + bias (LAYER).
// A workgroup is a row, its threads stride over the channels: three passes over a row that stays in the cache.
const LAYER: bool = false;
const HAS_BIAS: bool = false;
const HAS_RESIDUAL: bool = false;
struct Params { rows: u32, channels: u32, eps: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> total: array<f32>;
@group(0) @binding(6) var<uniform> p: Params;

fn input(at: u32) -> f32 {
  if (HAS_RESIDUAL) { return x[at] + residual[at]; }
  return x[at];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let row = workgroupNumber(w, n);
  if (row >= p.rows) { return; }
  let base = row * p.channels;
  let count = f32(p.channels);
  var mean = 0.0;
  if (LAYER) {
    for (var c = i; c < p.channels; c += WG) { mean += input(base + c); }
    mean = sumAll(mean, i) / count;
  }
  var squares = 0.0;
  for (var c = i; c < p.channels; c += WG) {
    let value = input(base + c);
    if (HAS_RESIDUAL) { total[base + c] = value; }
    squares += (value - mean) * (value - mean);
  }
  let scale = inverseSqrt(sumAll(squares, i) / count + p.eps);
  for (var c = i; c < p.channels; c += WG) {
    var value = (input(base + c) - mean) * scale * weight[c];
    if (HAS_BIAS) { value += bias[c]; }
    y[base + c] = value;
  }
}

// use: index reduce
// With n = (r - mean) / deviation and g = dy weight: dx = (g - mean(g) - n mean(g n)) / deviation + dresidual, where RMS has
// neither mean. Also the products dy n, whose sums over the rows are dweight (column-sum.wgsl).
// A workgroup is a row, its threads stride over the channels.
const LAYER: bool = false;
const HAS_RESIDUAL: bool = false;
const HAS_DRESIDUAL: bool = false;
struct Params { rows: u32, channels: u32, eps: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> residual: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> dresidual: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<storage, read_write> products: array<f32>;
@group(0) @binding(7) var<uniform> p: Params;

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
    let value = input(base + c) - mean;
    squares += value * value;
  }
  let scale = inverseSqrt(sumAll(squares, i) / count + p.eps);
  var sum = 0.0;
  var dot = 0.0;
  for (var c = i; c < p.channels; c += WG) {
    let g = dy[base + c] * weight[c];
    let normal = (input(base + c) - mean) * scale;
    products[base + c] = dy[base + c] * normal;
    sum += g;
    dot += g * normal;
  }
  dot = sumAll(dot, i) / count;
  if (LAYER) { sum = sumAll(sum, i) / count; } else { sum = 0.0; }
  for (var c = i; c < p.channels; c += WG) {
    let normal = (input(base + c) - mean) * scale;
    var value = (dy[base + c] * weight[c] - sum - normal * dot) * scale;
    if (HAS_DRESIDUAL) { value += dresidual[base + c]; }
    dx[base + c] = value;
  }
}

// use: numerics
// Third of the four kernels of a decoding step: dt_proj, softplus, the state's update and the gate.
// Four neighbouring threads are a channel: they share its row of dt_proj, then take its states four by four, so that states
// and A are read 16 bytes at a time, one behind the other. A workgroup is 16 channels of one batch row.
const BIAS: u32 = 1u; // quads of channels
const SKIP: u32 = 1u; // likewise, or 1 without
struct Params { channels: u32, states: u32, rank: u32, pitch: u32, stride: u32, hasSkip: u32 } // stride: of dt, B, C
@group(0) @binding(2) var<storage, read> projected: array<f32>; // [B, dt | B | C]
@group(0) @binding(3) var<storage, read> A: array<vec4f>;
@group(0) @binding(4) var<storage, read> uz: array<f32>; // [B, 2 D]
@group(0) @binding(5) var<storage, read_write> state: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<uniform> bias: array<vec4f, BIAS>;
@group(0) @binding(8) var<uniform> skip: array<vec4f, SKIP>;
@group(0) @binding(9) var<uniform> p: Params;
var<workgroup> partial: array<f32, 64>;

// Four neighbours; zeros from `end` on.
fn projected4(at: u32, end: u32) -> vec4f {
  var v = vec4f();
  for (var j = 0u; j < 4u; j++) {
    if (at + j < end) { v[j] = projected[at + j]; }
  }
  return v;
}

fn four(i: u32) -> f32 {
  let first = i & 60u;
  return (partial[first] + partial[first + 1u]) + (partial[first + 2u] + partial[first + 3u]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let part = i % 4u;
  let b = w.y;
  let live = w.x * 16u + i / 4u < p.channels;
  let d = min(w.x * 16u + i / 4u, p.channels - 1u);
  let row = b * p.stride;
  let rowB = row + p.rank;
  let rowC = rowB + p.states;
  // What the first quad of states needs is read before the threads wait for each other.
  let quads = p.states / 4u;
  let from_ = (b * p.channels + d) * quads;
  var nextA = A[d * quads + part];
  var nextState = state[from_ + part];
  var nextB = projected4(rowB + 4u * part, rowC);
  var nextC = projected4(rowC + 4u * part, row + p.stride);
  let input = uz[b * 2u * p.channels + d];
  let gate = uz[(b * 2u + 1u) * p.channels + d];
  var sum = 0.0;
  for (var unit = part; unit < (p.rank + 7u) / 8u; unit += 4u) {
    let weights = weight8(d, p.pitch, unit, p.rank);
    sum += dot(projected4(row + 8u * unit, rowB), weights[0]) + dot(projected4(row + 8u * unit + 4u, rowB), weights[1]);
  }
  partial[i] = sum;
  workgroupBarrier();
  let dt = softplus(vec4f(four(i) + bias[d / 4u][d % 4u])).x;
  workgroupBarrier();
  var out = 0.0;
  for (var q = part; q < quads; q += 4u) {
    let decay = exp(dt * max(nextA, vec4f(-1e30)));
    let h = decay * nextState + dt * input * nextB;
    out += dot(nextC, h);
    nextA = A[d * quads + q + 4u];
    nextState = state[from_ + q + 4u];
    nextB = projected4(rowB + 4u * q + 16u, rowC);
    nextC = projected4(rowC + 4u * q + 16u, row + p.stride);
    if (live) { state[from_ + q] = h; }
  }
  partial[i] = out;
  workgroupBarrier();
  if (part > 0u || !live) { return; }
  var value = four(i);
  if (p.hasSkip > 0u) { value += skip[d / 4u][d % 4u] * input; }
  y[b * p.channels + d] = value * silu(vec4f(gate)).x;
}

// use: index
// Gradient of the inputs of the causal convolution, the ones before the first token (the state) included:
// dx[s] = sum_k weight[W - 1 - k] g[s + k] over tokens of the same sequence, plus dLast where s is in the new state.
// g is dy times the slope of the activation. A thread is one place of one channel; neighbours are channels.
const W: u32 = 4u;
const HAS_SEQ: bool = false;
const HAS_STATE: bool = false;
const HAS_DLAST: bool = false;
struct Params { batch: u32, length: u32, channels: u32 }
@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> seq: array<i32>;
@group(0) @binding(3) var<storage, read> dLast: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<storage, read_write> dBefore: array<f32>;
@group(0) @binding(6) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, n) * 256u + i;
  // Place 0 is the oldest input of the state, place W - 1 the first token.
  let places = p.length + W - 1u;
  let d = thread % p.channels;
  let place = thread / p.channels % places;
  let b = thread / p.channels / places;
  if (b >= p.batch) { return; }
  if (!HAS_STATE && place < W - 1u) { return; }
  var mine = 0;
  if (HAS_SEQ) { mine = seq[b * p.length + max(place, W - 1u) - (W - 1u)]; }
  var sum = 0.0;
  for (var k = 0u; k < W; k++) {
    let t = place + k;
    if (t < W - 1u || t >= places) { continue; }
    let token = b * p.length + t - (W - 1u);
    if (HAS_SEQ) { if (seq[token] != mine) { continue; } }
    sum += weight[d * W + W - 1u - k] * g[token * p.channels + d];
  }
  if (HAS_DLAST && place >= p.length) {
    var counts = true;
    if (HAS_SEQ) { counts = seq[b * p.length + p.length - 1u] == mine; }
    if (counts) { sum += dLast[(b * (W - 1u) + place - p.length) * p.channels + d]; }
  }
  if (place < W - 1u) {
    dBefore[(b * (W - 1u) + place) * p.channels + d] = sum;
  } else {
    dx[(b * p.length + place - (W - 1u)) * p.channels + d] = sum;
  }
}

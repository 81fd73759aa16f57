// use: index reduce
// A workgroup is a row of logits: log of the sum of exp(logit - largest), then the loss of the row, or (GRADIENT) softmax minus
// one-hot, times dloss / count. Rows whose target is ignored, or outside the vocabulary, give zeros.
const GRADIENT: bool = false;
struct Params { rows: u32, vocab: u32, ignore: u32 }
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> dloss: array<f32>;
@group(0) @binding(3) var<storage, read> count: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let row = workgroupNumber(w, n);
  if (row >= p.rows) { return; }
  let base = row * p.vocab;
  var largest = logits[base];
  for (var c = i; c < p.vocab; c += WG) { largest = max(largest, logits[base + c]); }
  largest = maxAll(largest, i);
  var sum = 0.0;
  for (var c = i; c < p.vocab; c += WG) { sum += exp(logits[base + c] - largest); }
  sum = sumAll(sum, i);
  let goal = targets[row];
  let counts = goal != p.ignore && goal < p.vocab;
  if (!GRADIENT) {
    if (i == 0u) { y[row] = select(0.0, largest + log(sum) - logits[base + min(goal, p.vocab - 1u)], counts); }
    return;
  }
  let scale = select(0.0, dloss[0] / max(count[0], 1.0), counts);
  for (var c = i; c < p.vocab; c += WG) {
    y[base + c] = scale * (exp(logits[base + c] - largest) / sum - select(0.0, 1.0, c == goal));
  }
}

// use: index
// One step of AdamW in place, as torch orders it: decay, moments, then the step with both corrected for their start at zero.
// new1 = 1 - beta1 and new2 = 1 - beta2, which f32 cannot subtract without loss. A thread is four neighbours; buffers are padded to 16 bytes.
const CLIP: bool = false;
struct Params { quads: u32, lr: f32, new1: f32, beta2: f32, new2: f32, eps: f32, decay: f32, correction1: f32, correction2: f32, maxNorm: f32 }
@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> norm: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let at = workgroupNumber(w, n) * 256u + i;
  if (at >= p.quads) { return; }
  var g = grad[at];
  if (CLIP) { g *= min(1.0, p.maxNorm / (norm[0] + 1e-6)); }
  let first = m[at] + p.new1 * (g - m[at]);
  let second = p.beta2 * v[at] + p.new2 * g * g;
  m[at] = first;
  v[at] = second;
  let step = (first / p.correction1) / (sqrt(second / p.correction2) + p.eps);
  param[at] = param[at] * (1.0 - p.lr * p.decay) - p.lr * step;
}

// use: complex
// Gradients of the S4D kernel K[d, l] = 2 Re sum_n C w E^l with E = exp(dt A), w = dt phi(dt A), from S = sum_l g_l E^l and
// T = sum_l g_l l E^l (g the gradient of K):
//   dC = (2 w S)*, dA = (2 C (w' S + w dt T))* with w' = dt^2 phi'(dt A), ddt_n = Re 2 C (E S + w A T), to be summed over n.
// A workgroup is one state of a channel; its threads stride over l, four neighbours a time, and add up in a tree.
struct Params { channels: u32, states: u32, length: u32 }
@group(0) @binding(0) var<storage, read> dt: array<f32>;
@group(0) @binding(1) var<storage, read> A: array<f32>; // [D, N], and the imaginary part behind it
@group(0) @binding(2) var<storage, read> C: array<f32>; // likewise
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> ddt: array<f32>; // [N, D]
@group(0) @binding(5) var<storage, read_write> dA: array<f32>;  // [D, N], and the imaginary part behind it
@group(0) @binding(6) var<storage, read_write> dC: array<f32>;
@group(0) @binding(7) var<uniform> p: Params;
var<workgroup> tree: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x;
  let n = w.y;
  let at = d * p.states + n;
  let im = p.channels * p.states;
  let step = dt[d];
  let a = C4(vec4f(A[at]), vec4f(A[im + at]));
  let c = C4(vec4f(C[at]), vec4f(C[im + at]));
  let turn = scaled(a, step);
  var S = vec2f(0.0);
  var T = vec2f(0.0);
  for (var first = 4u * i; first < p.length; first += 256u) {
    let l = vec4f(f32(first), f32(first + 1u), f32(first + 2u), f32(first + 3u));
    var values = ZERO;
    for (var j = 0u; j < 4u; j++) {
      if (first + j < p.length) { values[j] = g[d * p.length + first + j]; }
    }
    let e = expOf(C4(turn.re * l, turn.im * l));
    S += vec2f(dot(values, e.re), dot(values, e.im));
    T += vec2f(dot(values * l, e.re), dot(values * l, e.im));
  }
  tree[i] = vec4f(S, T);
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (i < half) { tree[i] += tree[i + half]; }
  }
  workgroupBarrier();
  if (i > 0u) { return; }
  let s = C4(vec4f(tree[0].x), vec4f(tree[0].y));
  let t = C4(vec4f(tree[0].z), vec4f(tree[0].w));
  let e = expOf(turn);
  let weight = scaled(phi(turn, e), step);
  let slope = scaled(phiSlope(turn, e), step * step);
  let toC = scaled(mul(weight, s), 2.0);
  let toA = scaled(mul(c, add(mul(slope, s), scaled(mul(weight, t), step))), 2.0);
  let toDt = scaled(mul(c, add(mul(e, s), mul(mul(weight, a), t))), 2.0);
  dC[at] = toC.re.x;
  dC[im + at] = -toC.im.x;
  dA[at] = toA.re.x;
  dA[im + at] = -toA.im.x;
  ddt[n * p.channels + d] = toDt.re.x;
}

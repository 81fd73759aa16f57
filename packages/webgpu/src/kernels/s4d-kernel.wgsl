// use: index complex
// K[d, l] = 2 Re sum_n C_n (exp(dt A_n) - 1) / A_n exp(dt A_n l). A thread is four neighbours l of a channel.
struct Params { channels: u32, states: u32, length: u32 }
@group(0) @binding(0) var<storage, read> dt: array<f32>;
@group(0) @binding(1) var<storage, read> aRe: array<f32>;
@group(0) @binding(2) var<storage, read> aIm: array<f32>;
@group(0) @binding(3) var<storage, read> cRe: array<f32>;
@group(0) @binding(4) var<storage, read> cIm: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, count) * 64u + i;
  let quads = (p.length + 3u) / 4u;
  let d = thread / quads;
  let first = thread % quads * 4u;
  if (d >= p.channels) { return; }
  let l = vec4f(f32(first), f32(first + 1u), f32(first + 2u), f32(first + 3u));
  var sum = ZERO;
  for (var n = 0u; n < p.states; n++) {
    let at = d * p.states + n;
    let turn = C4(vec4f(dt[d] * aRe[at]), vec4f(dt[d] * aIm[at]));
    let c = C4(vec4f(cRe[at]), vec4f(cIm[at]));
    let weight = scaled(mul(c, phi(turn, expOf(turn))), dt[d]);
    sum += 2.0 * mul(weight, expOf(C4(turn.re * l, turn.im * l))).re;
  }
  for (var j = 0u; j < 4u; j++) {
    if (first + j < p.length) { y[d * p.length + first + j] = sum[j]; }
  }
}

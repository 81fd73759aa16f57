// h_t = a_t h_{t-1} + b_t; or (REVERSE) its gradient, g_t = dh_t + a_{t+1} g_{t+1} from the end: then b is dh, and out come
// db = g and da_t = g_t h_{t-1}. A thread is a channel of a batch row and walks its sequence; neighbours are channels.
const REVERSE: bool = false;
const HAS_STATE: bool = false;
struct Params { length: u32, channels: u32, hasLast: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> start: array<f32>; // initialState
@group(0) @binding(3) var<storage, read_write> y: array<f32>;    // h, or db
@group(0) @binding(4) var<storage, read_write> end: array<f32>;  // lastState, or the gradient of initialState
@group(0) @binding(5) var<storage, read> h: array<f32>;          // REVERSE: the states
@group(0) @binding(6) var<storage, read> dLast: array<f32>;      // REVERSE: the gradient of the last state
@group(0) @binding(7) var<storage, read_write> da: array<f32>;
@group(0) @binding(8) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * 64u + i;
  if (d >= p.channels) { return; }
  let own = w.y * p.channels + d;
  var first = 0.0;
  if (HAS_STATE) { first = start[own]; }
  var value = first;
  if (REVERSE) { value = select(0.0, dLast[own], p.hasLast > 0u); }
  for (var j = 0u; j < p.length; j++) {
    let t = select(j, p.length - 1u - j, REVERSE);
    let at = (w.y * p.length + t) * p.channels + d;
    if (REVERSE) {
      // What comes in was already multiplied by the a of the token after; what goes out is by this one's.
      let g = value + b[at];
      var before = first;
      if (t > 0u) { before = h[at - p.channels]; }
      y[at] = g;
      da[at] = g * before;
      value = a[at] * g;
    } else {
      value = a[at] * value + b[at];
      y[at] = value;
    }
  }
  end[own] = value;
}

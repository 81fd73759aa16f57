// use: index
// Where the largest value of a stretch of a row is, the first of equals. A row is one stretch, or several (`stretch` columns
// each) whose winners a second run (SECOND) compares. A workgroup is a stretch, its threads stride over it.
const WG: u32 = 256u;
const SECOND: bool = false; // columns are the first run's winners: their places in `places`, their values in `x`
const VALUES: bool = false; // also give the winning values, for the second run
struct Params { rows: u32, columns: u32, stretch: u32, stretches: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;
var<workgroup> bestValue: array<f32, WG>;
var<workgroup> bestPlace: array<u32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let group = workgroupNumber(w, n);
  if (group >= p.rows * p.stretches) { return; }
  let row = group / p.stretches;
  let start = group % p.stretches * p.stretch;
  let end = min(start + p.stretch, p.columns);
  var place = min(start + i, end - 1u);
  var value = x[row * p.columns + place];
  for (var c = place + WG; c < end; c += WG) {
    let other = x[row * p.columns + c];
    if (other > value) { value = other; place = c; }
  }
  bestValue[i] = value;
  bestPlace[i] = place;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (i < half) {
      let other = bestValue[i + half];
      let otherPlace = bestPlace[i + half];
      if (other > bestValue[i] || (other == bestValue[i] && otherPlace < bestPlace[i])) {
        bestValue[i] = other;
        bestPlace[i] = otherPlace;
      }
    }
  }
  workgroupBarrier();
  if (i > 0u) { return; }
  if (SECOND) { y[group] = places[row * p.columns + bestPlace[0]]; } else { y[group] = bestPlace[0]; }
  if (VALUES) { values[group] = bestValue[0]; }
}

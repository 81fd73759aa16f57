// use: reduce
// One workgroup: y[0] = sum of the rows' losses / number of targets that count (0 if none does), y[1] = that number.
struct Params { rows: u32, vocab: u32, ignore: u32 }
@group(0) @binding(0) var<storage, read> losses: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> count: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;
const LOSS: bool = true; // false: the number alone

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) i: u32) {
  var sum = 0.0;
  var counted = 0.0;
  for (var row = i; row < p.rows; row += WG) {
    if (LOSS) { sum += losses[row]; }
    if (targets[row] != p.ignore && targets[row] < p.vocab) { counted += 1.0; }
  }
  counted = sumAll(counted, i);
  if (LOSS) {
    sum = sumAll(sum, i);
    if (i == 0u) { loss[0] = sum / max(counted, 1.0); }
  } else if (i == 0u) {
    count[0] = counted;
  }
}

// use: index
// The next token of a row from its logits, and its log-probability: see `OptionalOps.sample` of the contract.
// A workgroup is a row; to draw, each thread has a stretch of neighbouring ids, so that sums over threads are in the order of ids. One
// pass finds the largest logit and the sum of exponentials. To draw: top-k and top-p are one search, for the largest key (a
// logit's bits, in the order of the numbers) such that the logits from there on are k, or hold p of the weight, two bits a pass;
// as soon as at most LIST elements are left they are brought into workgroup memory, so that the passes that follow are short.
// Then a prefix sum over the threads, and the thread whose stretch holds the number drawn walks it.
// 13 KiB of workgroup memory; sums in a fixed order.
const WG: u32 = 256u;
const DRAW: bool = true;
const FILTER: bool = true; // top-k or top-p
const LIST: u32 = 1024u;
const AHEAD: u32 = 8u;
struct Params {
  rows: u32, columns: u32, vocabulary: u32, topK: u32, // topK: 0 for all
  sharpness: f32, topP: f32, minP: f32, infinity: f32, // 1 / temperature
}
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> numbers: array<f32>;
@group(0) @binding(2) var<storage, read_write> token: array<u32>;
@group(0) @binding(3) var<storage, read_write> logprob: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;
const LOWEST: f32 = -3.4e38;
var<workgroup> listLogits: array<f32, LIST>;
var<workgroup> listIds: array<u32, LIST>;
var<workgroup> scratch: array<f32, WG>;
var<workgroup> ids: array<u32, WG>;
var<workgroup> shared4: vec4f;
var<workgroup> found: atomic<u32>;
var<workgroup> last: atomic<u32>;

// Where elements come from: the row's logits, or the list.
struct Source { start: u32, listed: bool, count: u32, stretch: u32 }
// The elements with larger keys, and those with this key up to this id.
struct Kept { key: u32, id: u32 }
struct Held { weight: vec4f, count: vec4f }
struct Cut { source: Source, kept: Kept }

fn logitAt(s: Source, j: u32) -> f32 {
  if (s.listed) { return listLogits[j]; }
  return logits[s.start + j];
}

// Logits of this thread, read before one is looked at; behind the end the last one.
fn ahead(s: Source, j: u32, step: u32) -> array<f32, AHEAD> {
  var next: array<f32, AHEAD>;
  for (var k = 0u; k < AHEAD; k++) { next[k] = logitAt(s, min(j + k * step, s.count - 1u)); }
  return next;
}

fn idAt(s: Source, j: u32) -> u32 {
  if (s.listed) { return listIds[j]; }
  return j;
}

fn endOf(s: Source, i: u32) -> u32 {
  return min((i + 1u) * s.stretch, s.count);
}

// Bits in the order of the numbers; both zeros are one.
fn keyOf(logit: f32) -> u32 {
  let bits = bitcast<u32>(select(logit, 0.0, logit == 0.0));
  return select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
}

fn logitOf(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >> 31u == 1u));
}

fn weightOf(logit: f32, peak: f32) -> f32 {
  return exp(max((logit - peak) * p.sharpness, -200.0));
}

fn isKept(kept: Kept, key: u32, id: u32) -> bool {
  return key > kept.key || (key == kept.key && id <= kept.id);
}

// The same in every thread.
fn all4(value: vec4f, i: u32, lane: Lane) -> vec4f {
  let sum = total(value, i, lane);
  if (i == 0u) { shared4 = sum; }
  return workgroupUniformLoad(&shared4);
}

// Sum of the values of the threads up to this one.
fn upTo(value: f32, i: u32) -> f32 {
  var sum = value;
  for (var distance = 1u; distance < WG; distance *= 2u) {
    workgroupBarrier();
    scratch[i] = sum;
    workgroupBarrier();
    if (i >= distance) { sum += scratch[i - distance]; }
  }
  return sum;
}

// What the kept elements with keys from each of four bounds on hold.
fn heldFrom(s: Source, kept: Kept, bounds: vec4u, peak: f32, i: u32, lane: Lane) -> Held {
  var weight = vec4f();
  var count = vec4f();
  for (var from_ = i; from_ < s.count; from_ += AHEAD * WG) {
    var next = ahead(s, from_, WG);
    for (var k = 0u; k < AHEAD; k++) {
      let j = from_ + k * WG;
      let key = keyOf(next[k]);
      if (j >= s.count || !isKept(kept, key, idAt(s, j))) { continue; }
      let counts = select(vec4f(), vec4f(1.0), vec4u(key) >= bounds);
      count += counts;
      weight += counts * weightOf(next[k], peak);
    }
  }
  return Held(all4(weight, i, lane), all4(count, i, lane));
}

// The kept elements with keys from `key` on, `count` of them, in workgroup memory.
fn gathered(s: Source, kept: Kept, key: u32, count: u32, i: u32) -> Source {
  var own = 0u;
  for (var from_ = i * s.stretch; from_ < endOf(s, i); from_ += AHEAD) {
    var next = ahead(s, from_, 1u);
    for (var m = 0u; m < AHEAD; m++) {
      let k = keyOf(next[m]);
      own += u32(k >= key && isKept(kept, k, from_ + m) && from_ + m < endOf(s, i));
    }
  }
  var at = u32(upTo(f32(own), i)) - own;
  for (var from_ = i * s.stretch; from_ < endOf(s, i); from_ += AHEAD) {
    var next = ahead(s, from_, 1u);
    for (var m = 0u; m < AHEAD; m++) {
      let k = keyOf(next[m]);
      if (k >= key && isKept(kept, k, from_ + m) && from_ + m < endOf(s, i)) {
        listLogits[at] = next[m];
        listIds[at] = from_ + m;
        at++;
      }
    }
  }
  workgroupBarrier();
  return Source(s.start, true, count, (count + WG - 1u) / WG);
}

// The fewest of the kept elements, the largest first and the lower id of equals, that reach the goal: a number (COUNTING) or a
// weight.
fn cut(given: Source, kept: Kept, goal: f32, counting: bool, peak: f32, i: u32, lane: Lane) -> Cut {
  var s = given;
  var key = 0u;
  var above = 0.0;
  var equals = 0.0;
  // The last round looks at the key itself.
  for (var round = 0u; round < 17u; round++) {
    let step = 1u << (30u - min(2u * round, 30u));
    let held = heldFrom(s, kept, vec4u(key + step, key + 2u * step, key + 3u * step, key), peak, i, lane);
    let amount = select(held.weight, held.count, counting);
    if (round == 16u) {
      above = amount.x;
      equals = held.count.w - held.count.x;
      break;
    }
    var times = 0u;
    if (amount.z >= goal) { times = 3u; } else if (amount.y >= goal) { times = 2u; } else if (amount.x >= goal) { times = 1u; }
    key += times * step;
    let count = u32(held.count[(times + 3u) % 4u]);
    if (!s.listed && count <= LIST) { s = gathered(s, kept, key, count, i); }
  }
  // Of those with this very key, as many as it still takes.
  let each = select(weightOf(logitOf(key), peak), 1.0, counting);
  let wanted = clamp(ceil((goal - above) / each), 1.0, max(equals, 1.0));
  if (wanted >= equals) { return Cut(s, Kept(key, select(p.vocabulary, kept.id, key == kept.key))); }
  var own = 0.0;
  for (var j = i * s.stretch; j < endOf(s, i); j++) {
    own += f32(keyOf(logitAt(s, j)) == key && isKept(kept, key, idAt(s, j)));
  }
  let through = upTo(own, i);
  var rank = through - own;
  for (var j = i * s.stretch; j < endOf(s, i); j++) {
    if (keyOf(logitAt(s, j)) != key || !isKept(kept, key, idAt(s, j))) { continue; }
    rank += 1.0;
    if (rank == wanted) { shared4.x = bitcast<f32>(idAt(s, j)); }
  }
  return Cut(s, Kept(key, bitcast<u32>(workgroupUniformLoad(&shared4).x)));
}

// The weight of an element of thread i that may be drawn, zero of others.
fn drawable(s: Source, kept: Kept, i: u32, j: u32, logit: f32, peak: f32) -> f32 {
  let weight = weightOf(logit, peak);
  return select(0.0, weight, j < endOf(s, i) && weight >= p.minP && isKept(kept, keyOf(logit), idAt(s, j)));
}

fn work(w: vec3u, n: vec3u, i: u32, lane: Lane) {
  let row = workgroupNumber(w, n);
  if (row >= p.rows) { return; }
  var s = Source(row * p.columns, false, p.vocabulary, (p.vocabulary + WG - 1u) / WG);

  // The largest, the first of equals, and the sum of exponentials beside it. (`last` is 1 if there are NaN or infinity.)
  // Here neighbouring threads have neighbouring ids, and read AHEAD of them before they look at one.
  var peak = LOWEST;
  var place = min(i, s.count - 1u);
  var sum = 0.0;
  for (var from_ = i; from_ < s.count; from_ += AHEAD * WG) {
    var next = ahead(s, from_, WG);
    let before = peak;
    for (var k = 0u; k < AHEAD; k++) {
      let bits = bitcast<u32>(next[k]);
      if ((bits & 0x7fffffffu) >= 0x7f800000u && bits != 0xff800000u) { atomicStore(&last, 1u); }
      if (next[k] > peak) {
        peak = next[k];
        place = min(from_ + k * WG, s.count - 1u);
      }
    }
    sum *= exp(max(before - peak, -200.0));
    for (var k = 0u; k < AHEAD; k++) {
      sum += select(0.0, exp(max(next[k] - peak, -200.0)), from_ + k * WG < s.count);
    }
  }
  listLogits[i] = peak;
  scratch[i] = sum;
  ids[i] = place;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (i < half) {
      let other = listLogits[i + half];
      let top = max(other, listLogits[i]);
      scratch[i] = scratch[i] * exp(max(listLogits[i] - top, -200.0)) + scratch[i + half] * exp(max(other - top, -200.0));
      if (other > listLogits[i] || (other == listLogits[i] && ids[i + half] < ids[i])) { ids[i] = ids[i + half]; }
      listLogits[i] = top;
    }
  }
  workgroupBarrier();
  if (i == 0u) { shared4 = vec4f(listLogits[0], log(scratch[0]), f32(atomicLoad(&last)), 0.0); }
  let best = workgroupUniformLoad(&shared4);
  if (!DRAW || best.z > 0.0) {
    if (i == 0u) {
      token[row] = ids[0];
      logprob[row] = select(-best.y, p.infinity, best.z > 0.0);
    }
    return;
  }

  var kept = Kept(0u, p.vocabulary);
  if (FILTER) {
    for (var filter_ = 0u; filter_ < 2u; filter_++) {
      let counting = filter_ == 0u;
      if (select(p.topP == 1.0, p.topK == 0u, counting)) { continue; }
      var goal = f32(p.topK);
      if (!counting) { goal = p.topP * heldFrom(s, kept, vec4u(0u), best.x, i, lane).weight.x; }
      let found_ = cut(s, kept, goal, counting, best.x, i, lane);
      s = found_.source;
      kept = found_.kept;
    }
  }

  var own = 0.0;
  var final_ = 0u;
  for (var from_ = i * s.stretch; from_ < endOf(s, i); from_ += AHEAD) {
    var next = ahead(s, from_, 1u);
    for (var k = 0u; k < AHEAD; k++) {
      let weight = drawable(s, kept, i, from_ + k, next[k], best.x);
      own += weight;
      if (weight > 0.0) { final_ = idAt(s, from_ + k); }
    }
  }
  let through = upTo(own, i);
  scratch[i] = through;
  if (i == 0u) {
    atomicStore(&found, 0xffffffffu);
    atomicStore(&last, 0u);
  }
  workgroupBarrier();
  let target_ = numbers[row] * scratch[WG - 1u];
  var running = 0.0;
  if (i > 0u) { running = scratch[i - 1u]; }
  if (own > 0.0) { atomicMax(&last, final_); }
  if (own > 0.0 && running <= target_ && target_ < through) {
    for (var from_ = i * s.stretch; running <= target_ && from_ < endOf(s, i); from_ += AHEAD) {
      var next = ahead(s, from_, 1u);
      for (var k = 0u; k < AHEAD; k++) {
        let weight = drawable(s, kept, i, from_ + k, next[k], best.x);
        if (running <= target_ && weight > 0.0) { final_ = idAt(s, from_ + k); }
        running += weight;
      }
    }
    atomicMin(&found, final_);
  }
  workgroupBarrier();
  if (i > 0u) { return; }
  // By rounding the number may lie behind the end: then the last one.
  var chosen = atomicLoad(&found);
  if (chosen == 0xffffffffu) { chosen = atomicLoad(&last); }
  token[row] = chosen;
  logprob[row] = logits[row * p.columns + chosen] - best.x - best.y;
}

// use: numerics
// Four complex numbers a time; with COMPLEX false the imaginary parts are the constant zero and cost nothing.
const COMPLEX: bool = false;
const ZERO: vec4f = vec4f();
struct C4 { re: vec4f, im: vec4f }

fn add(x: C4, y: C4) -> C4 {
  if (COMPLEX) { return C4(x.re + y.re, x.im + y.im); }
  return C4(x.re + y.re, ZERO);
}

fn mul(x: C4, y: C4) -> C4 {
  if (COMPLEX) { return C4(x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re); }
  return C4(x.re * y.re, ZERO);
}

fn conj(x: C4) -> C4 {
  if (COMPLEX) { return C4(x.re, -x.im); }
  return x;
}

fn scaled(x: C4, s: f32) -> C4 {
  if (COMPLEX) { return C4(x.re * s, x.im * s); }
  return C4(x.re * s, ZERO);
}

// Re(x y*)
fn inner(x: C4, y: C4) -> vec4f {
  if (COMPLEX) { return x.re * y.re + x.im * y.im; }
  return x.re * y.re;
}

fn expOf(x: C4) -> C4 {
  let size = exp(x.re);
  if (!COMPLEX) { return C4(size, ZERO); }
  let turn = cosSin(x.im);
  return C4(size * turn.c, size * turn.s);
}

// h exp(x), given e = exp(x). A slow oscillation keeps its state for hundreds of steps, and the rounding of e, nearly 1, would
// that of the driver's exp even more, would add up if dt is the same in each: with COMPLEX h + h (exp(x) - 1) there, the
// difference from parts that do not cancel.
fn decayed(h: C4, x: C4, e: C4) -> C4 {
  if (!COMPLEX) { return mul(h, e); }
  let near = (abs(x.re) < vec4f(0.5)) & (abs(x.im) < vec4f(1.5));
  let r = x.re;
  let grown = r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r / 720.0)))));
  let turn = cosSin(select(ZERO, x.im, near));
  let change = C4(grown * turn.c - turn.s * turn.s / (1.0 + turn.c), (1.0 + grown) * turn.s);
  return add(chosen(C4(ZERO, ZERO), h, near), mul(h, chosen(e, change, near)));
}

fn divided(x: C4, y: C4) -> C4 {
  if (!COMPLEX) { return C4(x.re / y.re, ZERO); }
  let norm = y.re * y.re + y.im * y.im;
  return C4((x.re * y.re + x.im * y.im) / norm, (x.im * y.re - x.re * y.im) / norm);
}

fn small(x: C4) -> vec4<bool> {
  return inner(x, x) < vec4f(0.25);
}

fn chosen(no: C4, yes: C4, which: vec4<bool>) -> C4 {
  return C4(select(no.re, yes.re, which), select(no.im, yes.im, which));
}

// (exp(x) - 1) / x, given e = exp(x): near zero by its series, where the difference cancels.
fn phi(x: C4, e: C4) -> C4 {
  let one = C4(vec4f(1.0), ZERO);
  var series = C4(vec4f(1.0 / 362880.0), ZERO);
  series = add(mul(series, x), C4(vec4f(1.0 / 40320.0), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 5040.0), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 720.0), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 120.0), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 24.0), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 6.0), ZERO));
  series = add(mul(series, x), C4(vec4f(0.5), ZERO));
  series = add(mul(series, x), one);
  let near = small(x);
  return chosen(divided(add(e, C4(vec4f(-1.0), ZERO)), chosen(x, one, near)), series, near);
}

// d phi / dx = (exp(x) - phi(x)) / x, likewise.
fn phiSlope(x: C4, e: C4) -> C4 {
  let one = C4(vec4f(1.0), ZERO);
  var series = C4(vec4f(1.0 / 45360.0), ZERO);
  series = add(mul(series, x), C4(vec4f(1.0 / 5760.0), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 840.0), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 144.0), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 30.0), ZERO));
  series = add(mul(series, x), C4(vec4f(0.125), ZERO));
  series = add(mul(series, x), C4(vec4f(1.0 / 3.0), ZERO));
  series = add(mul(series, x), C4(vec4f(0.5), ZERO));
  let near = small(x);
  let far = chosen(x, one, near);
  return chosen(divided(add(e, scaled(phi(far, e), -1.0)), far), series, near);
}

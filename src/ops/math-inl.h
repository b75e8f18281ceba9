// Vector functions beyond Highway's: sigmoid family, erfc, sine and cosine. Relative errors measured by
// tests/unit/ops/math_test.cc over the ranges models use; each is at most 4e-7 where not said otherwise.
#include "ops/simd.h"

#if defined(WEFT_OPS_MATH) == defined(HWY_TARGET_TOGGLE)
#ifdef WEFT_OPS_MATH
#undef WEFT_OPS_MATH
#else
#define WEFT_OPS_MATH
#endif

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

HWY_INLINE VF sigmoid(VF x) {
  const F32 d;
  const VF one = hn::Set(d, 1.0f);
  // e^88 is still finite, and beyond it the result is below the smallest normal float.
  return hn::Div(one, hn::Add(one, hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0f)))));
}

// erfc(z) for z >= 0: e^(-z^2) t P(t), t = 1 / (1 + z / 2). P: our Chebyshev fit of degree 10 on z <= 26, error 1e-8;
// beyond, e^(-z^2) is 0 in f32. For large z the rounding of z^2 adds z^2 * 6e-8 to the relative error.
HWY_INLINE VF erfc_positive(VF z) {
  const F32 d;
  const VF near = hn::Min(z, hn::Set(d, 26.0f));
  const VF t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(near, hn::Set(d, 0.5f), hn::Set(d, 1.0f)));
  const VF u = hn::MulAdd(t, hn::Set(d, 2.1505376344f), hn::Set(d, -1.1505376344f));
  VF p = hn::Set(d, 2.02201653e-05f);
  for (float c : {-3.47152006e-06f, -0.00017488783f, 0.000154981102f, 0.00109857568f, -0.00178258302f, -0.00880438333f,
                  0.0121160525f, 0.123884495f, 0.337958335f, 0.535532671f}) {
    p = hn::MulAdd(p, u, hn::Set(d, c));
  }
  return hn::Mul(hn::Mul(t, p), hn::Exp(d, hn::Neg(hn::Mul(near, near))));
}

HWY_INLINE VF activate(Activation act, VF x) {
  const F32 d;
  switch (act) {
    case Activation::silu:
      return hn::Mul(x, sigmoid(x));
    case Activation::relu:
      return hn::Max(x, hn::Zero(d));
    case Activation::gelu: {
      const VF half_tail = hn::Mul(hn::Set(d, 0.5f), erfc_positive(hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678f))));
      return hn::Mul(x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), half_tail, hn::Sub(hn::Set(d, 1.0f), half_tail)));
    }
    case Activation::gelu_tanh: {
      // 0.5 (1 + tanh(u)) = sigmoid(2 u)
      const VF inner = hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715f), x);
      return hn::Mul(x, sigmoid(hn::Mul(inner, hn::Set(d, 1.5957691216f))));  // 2 sqrt(2 / pi)
    }
  }
  return x;
}

// Sine and cosine of the product of a position and a frequency, |product| < 2^30: multiplied and reduced to [-pi/4,
// pi/4] in f64, there by polynomials in f32 (absolute error below 1.5e-7). An f32 product would lose 1e-3 at position
// 30000, and Highway's own functions end at 39000.
HWY_INLINE void sin_cos(VF position, VF frequency, VF& sine, VF& cosine) {
  const F32 d;
  const I32 di;
  const hn::Repartition<double, F32> dd;
  const auto reduce = [&](auto p, auto f, auto& quadrant) HWY_ATTR {
    const auto wide = hn::Mul(p, f);
    quadrant = hn::Round(hn::Mul(wide, hn::Set(dd, 0.63661977236758134308)));  // 2 / pi
    const auto r = hn::NegMulAdd(quadrant, hn::Set(dd, 1.57079632679489655800), wide);
    return hn::NegMulAdd(quadrant, hn::Set(dd, 6.123233995736766036e-17), r);
  };
  hn::Vec<decltype(dd)> q0, q1;
  const auto r0 = reduce(hn::PromoteLowerTo(dd, position), hn::PromoteLowerTo(dd, frequency), q0);
  const auto r1 = reduce(hn::PromoteUpperTo(dd, position), hn::PromoteUpperTo(dd, frequency), q1);
  const hn::Half<F32> dh;
  const hn::Half<I32> dih;
  const VF r = hn::Combine(d, hn::DemoteTo(dh, r1), hn::DemoteTo(dh, r0));
  const VI quadrant = hn::Combine(di, hn::DemoteTo(dih, q1), hn::DemoteTo(dih, q0));
  const VF r2 = hn::Mul(r, r);
  // Taylor's series, cut where the next term is below 3e-9 at pi/4.
  VF s = hn::Set(d, 2.7557319e-6f);
  s = hn::MulAdd(s, r2, hn::Set(d, -1.9841270e-4f));
  s = hn::MulAdd(s, r2, hn::Set(d, 8.3333333e-3f));
  s = hn::MulAdd(s, r2, hn::Set(d, -1.6666667e-1f));
  s = hn::MulAdd(hn::Mul(s, r2), r, r);
  VF c = hn::Set(d, -2.7557319e-7f);
  c = hn::MulAdd(c, r2, hn::Set(d, 2.4801587e-5f));
  c = hn::MulAdd(c, r2, hn::Set(d, -1.3888889e-3f));
  c = hn::MulAdd(c, r2, hn::Set(d, 4.1666667e-2f));
  c = hn::MulAdd(c, r2, hn::Set(d, -0.5f));
  c = hn::MulAdd(c, r2, hn::Set(d, 1.0f));
  const VI one = hn::Set(di, 1), two = hn::Set(di, 2);
  const auto odd = hn::RebindMask(d, hn::Eq(hn::And(quadrant, one), one));
  const VF sign_s = hn::BitCast(d, hn::ShiftLeft<30>(hn::And(quadrant, two)));
  const VF sign_c = hn::BitCast(d, hn::ShiftLeft<30>(hn::And(hn::Add(quadrant, one), two)));
  sine = hn::Xor(hn::IfThenElse(odd, c, s), sign_s);
  cosine = hn::Xor(hn::IfThenElse(odd, s, c), sign_c);
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

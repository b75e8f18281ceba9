#include "blocks/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace weft {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

std::unexpected<Error> bad(const char* what, const char* expected, double found) {
  return fail(Code::bad_file, "rope", what, expected, std::to_string(found));
}

// Llama 3.1: by wavelength in positions. Longer than original / low_factor: interpolated; shorter than
// original / high_factor: kept; between: a blend.
double llama3(const RopeSettings& s, double frequency) {
  const double turns = s.original_context * frequency / kTurn;  // original context in wavelengths
  if (turns > s.high_factor) return frequency;
  if (turns < s.low_factor) return frequency / s.factor;
  const double blend = (turns - s.low_factor) / (s.high_factor - s.low_factor);
  return (1 - blend) * frequency / s.factor + blend * frequency;
}

// YaRN's ramp over the index i of the frequency: 0 keeps it, 1 interpolates it.
double yarn_ramp(const RopeSettings& s, double i) {
  // Index whose frequency makes `turns` turns within the original context (equation 15 solved for i).
  auto index = [&](double turns) {
    return static_cast<double>(s.size) * std::log(s.original_context / (turns * kTurn)) / (2 * std::log(s.base));
  };
  const double last = static_cast<double>(s.size - 1);
  const double low = std::max(std::floor(index(s.beta_fast)), 0.0);
  double high = std::min(std::ceil(index(s.beta_slow)), last);
  if (high == low) high += 0.001;  // as the published code: a step instead of 0 / 0
  return std::clamp((i - low) / (high - low), 0.0, 1.0);
}

}  // namespace

Result<RopeTable> rope_table(const RopeSettings& s) {
  if (s.size < 2 || s.size % 2) return bad("rotating elements of a head", "an even number of 2 or more", s.size);
  if (!(s.base > 1 && s.base < 1e15)) return bad("base", "above 1, below 1e15", s.base);
  if (!(s.factor > 0 && s.factor < 1e6)) return bad("scaling factor", "above 0, below 1e6", s.factor);
  const bool stretched = s.kind == RopeKind::llama3 || s.kind == RopeKind::yarn;
  if (stretched && !(s.original_context >= 1)) return bad("original context", "1 or more", s.original_context);
  if (s.kind == RopeKind::llama3 && !(s.low_factor > 0 && s.high_factor > s.low_factor)) {
    return bad("high_freq_factor", "above low_freq_factor, itself above 0", s.high_factor);
  }
  if (s.kind == RopeKind::yarn && !(s.beta_slow > 0 && s.beta_fast >= s.beta_slow)) {
    return bad("beta_fast", "at least beta_slow, itself above 0", s.beta_fast);
  }
  if (s.kind == RopeKind::yarn && !(s.attention_factor >= 0 && s.attention_factor < 100)) {
    return bad("attention factor", "0 to 100", s.attention_factor);
  }
  const auto half = static_cast<size_t>(s.size / 2);
  if (!s.divisors.empty() && s.divisors.size() != half) {
    return bad("divisors", "as many as frequencies", static_cast<double>(s.divisors.size()));
  }

  RopeTable table;
  for (size_t i = 0; i < half; ++i) {
    double frequency = std::pow(s.base, -2 * static_cast<double>(i) / static_cast<double>(s.size));
    switch (s.kind) {
      case RopeKind::plain:
        break;
      case RopeKind::linear:
        frequency /= s.factor;
        break;
      case RopeKind::llama3:
        frequency = llama3(s, frequency);
        break;
      case RopeKind::yarn: {
        const double ramp = yarn_ramp(s, static_cast<double>(i));
        frequency = frequency / s.factor * ramp + frequency * (1 - ramp);
        break;
      }
    }
    if (!s.divisors.empty()) {
      if (!(std::isfinite(s.divisors[i]) && s.divisors[i] > 0)) return bad("divisor", "above 0", s.divisors[i]);
      frequency /= s.divisors[i];
    }
    table.inv_freq.push_back(static_cast<float>(frequency));
  }
  if (s.kind == RopeKind::yarn) {
    const double derived = s.factor > 1 ? 0.1 * std::log(s.factor) + 1 : 1;
    table.scale = static_cast<float>(s.attention_factor > 0 ? s.attention_factor : derived);
  }
  return table;
}

}  // namespace weft

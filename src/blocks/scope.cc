#include "blocks/scope.h"

namespace weft {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace

ValueId Scope::weight(std::string_view name, std::vector<int64_t> shape) const {
  return outer_weight(full_name(name), std::move(shape));
}

ValueId Scope::outer_weight(const std::string& name, std::vector<int64_t> shape) const {
  Result<WeightDecl> found = weights_.find(name);
  if (!found) {
    g.fail_with(std::move(found).error());
  } else if (found->shape != shape) {
    g.fail_with({Code::wrong_shape, "weight '" + name + "'", "shape", shape_text(shape), shape_text(found->shape)});
  } else {
    return g.weight(name, found->dtype, std::move(shape));
  }
  return kNoValue;
}

ValueId Scope::linear(std::string_view name, ValueId x, int64_t outputs, Bias bias) const {
  const Scope at = *this / name;
  if (!g.ok()) return kNoValue;
  const ValueId w = at.weight("weight", {outputs, g.graph().type(x).shape.back().count});
  const bool biased = bias == Bias::required || at.has_weight("bias");
  return tap(g.linear(x, w, biased ? at.weight("bias", {outputs}) : kNoValue), name);
}

ValueId Scope::rms_norm(std::string_view name, ValueId x, float eps) const {
  if (!g.ok()) return kNoValue;
  return tap(g.rms_norm(x, (*this / name).weight("weight", {g.graph().type(x).shape.back().count}), eps), name);
}

}  // namespace weft

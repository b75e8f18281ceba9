// A place in a model: the Hugging Face path of its weights and, without the leading "model.", of its taps.
//
//   Scope layer = model / "layers" / 3, attn = layer / "self_attn";
//   auto h = layer.rms_norm("input_layernorm", x, c.eps);   // weight model.layers.3.input_layernorm.weight [C],
//   auto q = attn.linear("q_proj", h, c.heads * c.head_dim);   // the result is named layers.3.self_attn.q_proj
//
// A missing weight or a wrong shape is kept by the builder as its first error and comes back from finish().
#pragma once

#include <functional>
#include <set>

#include "graph/builder.h"

namespace weft {

// Type and shape of a weight; missing_tensor if there is none. (src/blocks knows no files: models pass this in.)
struct WeightTable {
  std::function<bool(const std::string& name)> has;
  std::function<Result<WeightDecl>(const std::string& name)> find;
};

enum class Bias : uint8_t { if_present, required };

class Scope {
 public:
  Scope(GraphBuilder& builder, const WeightTable& weights, std::string path = {})
      : g(builder), weights_(weights), path_(std::move(path)) {}

  Scope operator/(std::string_view part) const {
    return Scope(g, weights_, path_.empty() ? std::string(part) : path_ + "." + std::string(part));
  }
  Scope operator/(int64_t index) const { return *this / std::to_string(index); }

  const std::string& path() const { return path_; }
  bool has_weight(std::string_view name) const { return weights_.has(full_name(name)); }
  // model.<path>.<name>; for weights outside "model." (lm_head) give the whole name to `outer_weight`.
  ValueId weight(std::string_view name, std::vector<int64_t> shape) const;
  ValueId outer_weight(const std::string& name, std::vector<int64_t> shape) const;
  ValueId tap(ValueId value, std::string_view name) const { return g.name(value, (*this / name).path_); }

  // y [T, outputs] = x [T, K] @ <name>.weight^T + <name>.bias
  ValueId linear(std::string_view name, ValueId x, int64_t outputs, Bias bias = Bias::if_present) const;
  // Over the last dimension of x.
  ValueId rms_norm(std::string_view name, ValueId x, float eps) const;

  GraphBuilder& g;

 private:
  std::string full_name(std::string_view name) const { return "model." + (*this / name).path_; }

  const WeightTable& weights_;
  std::string path_;
};

}  // namespace weft
